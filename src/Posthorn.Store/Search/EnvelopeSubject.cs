using System.Globalization;
using System.Text;
using Posthorn.Mime;

namespace Posthorn.Store.Search;

/// <summary>The subject in an ENVELOPE that is kept ready for the wire (RFC 9051 section 7.5.2): to find it there is quicker than to read the message.</summary>
internal static class EnvelopeSubject
{
    /// <summary>The decoded subject; false when there is none, or the envelope is not as expected.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> envelope, out string subject)
    {
        subject = "";
        if (envelope.IsEmpty || envelope[0] != '(') return false;
        ReadOnlySpan<byte> rest = envelope[1..];
        if (!TryString(ref rest, out _) || rest.IsEmpty || rest[0] != ' ') return false; // the date
        rest = rest[1..];
        if (!TryString(ref rest, out byte[]? raw)) return false;
        subject = EncodedWord.Decode(raw);
        return true;
    }

    // nstring; NIL is an empty text.
    private static bool TryString(ref ReadOnlySpan<byte> rest, out byte[] value)
    {
        value = [];
        if (rest.StartsWith("NIL"u8))
        {
            rest = rest[3..];
            return true;
        }

        if (rest.IsEmpty) return false;
        return rest[0] == '"' ? TryQuoted(ref rest, out value) : TryLiteral(ref rest, out value);
    }

    private static bool TryQuoted(ref ReadOnlySpan<byte> rest, out byte[] value)
    {
        List<byte> text = new(80);
        for (int i = 1; i < rest.Length; i++)
        {
            if (rest[i] == '"')
            {
                rest = rest[(i + 1)..];
                value = [.. text];
                return true;
            }

            if (rest[i] == '\\') i++;
            if (i < rest.Length) text.Add(rest[i]);
        }

        value = [];
        return false;
    }

    private static bool TryLiteral(ref ReadOnlySpan<byte> rest, out byte[] value)
    {
        value = [];
        int end = rest.IndexOf("}\r\n"u8);
        if (rest[0] != '{' || end < 0 || !int.TryParse(Encoding.ASCII.GetString(rest[1..end]), NumberStyles.None, CultureInfo.InvariantCulture, out int length)) return false;
        rest = rest[(end + 3)..];
        if (length > rest.Length) return false;
        value = rest[..length].ToArray();
        rest = rest[length..];
        return true;
    }
}
