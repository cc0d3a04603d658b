using System.Globalization;
using System.Text;
using Posthorn.Mime;

namespace Posthorn.Store.Search;

/// <summary>Subject and addresses in an ENVELOPE that is kept ready for the wire (RFC 9051 section 7.5.2): to find a needle there is quicker than to read the message.</summary>
internal static class EnvelopeTexts
{
    /// <summary>Whether a field there holds the needle. False also when the envelope is not as expected: then the message itself must be asked.</summary>
    internal static bool Holds(ReadOnlySpan<byte> envelope, KeptField field, TextMatcher needle)
    {
        if (envelope.IsEmpty || envelope[0] != '(') return false;
        ReadOnlySpan<byte> rest = envelope[1..];
        if (!TryString(ref rest, out _) || !TryTake(ref rest, ' ') || !TryString(ref rest, out byte[] subject)) return false; // behind the date
        if (field == KeptField.Subject) return needle.IsIn(EncodedWord.Decode(subject));
        int before = field switch { KeptField.From => 0, KeptField.To => 3, _ => 4 }; // sender and reply-to stand between
        for (int i = 0; i < before; i++)
            if (!TryTake(ref rest, ' ') || !TryAddresses(ref rest, null, out _)) return false;
        return TryTake(ref rest, ' ') && TryAddresses(ref rest, needle, out bool found) && found;
    }

    // NIL or a list of (name adl mailbox host).
    private static bool TryAddresses(ref ReadOnlySpan<byte> rest, TextMatcher? needle, out bool found)
    {
        found = false;
        if (rest.StartsWith("NIL"u8))
        {
            rest = rest[3..];
            return true;
        }

        if (!TryTake(ref rest, '(')) return false;
        while (TryTake(ref rest, '('))
        {
            if (!TryString(ref rest, out byte[] name) || !TryTake(ref rest, ' ') || !TryString(ref rest, out _) || !TryTake(ref rest, ' ')
                || !TryString(ref rest, out byte[] mailbox) || !TryTake(ref rest, ' ') || !TryString(ref rest, out byte[] host) || !TryTake(ref rest, ')')) return false;
            if (needle is null || host.Length == 0) continue; // the beginning or the end of a group
            bool isWhole = !EnvelopeWriter.IsMissing(mailbox) && !EnvelopeWriter.IsMissing(host);
            found = found || needle.IsIn(EncodedWord.Decode(name)) || isWhole && needle.IsIn($"{Encoding.UTF8.GetString(mailbox)}@{Encoding.UTF8.GetString(host)}");
        }

        return TryTake(ref rest, ')');
    }

    private static bool TryTake(ref ReadOnlySpan<byte> rest, char octet)
    {
        if (rest.IsEmpty || rest[0] != octet) return false;
        rest = rest[1..];
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
