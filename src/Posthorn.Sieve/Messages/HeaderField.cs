using System.Text;

namespace Posthorn.Sieve.Messages;

/// <summary>One header field: its name, its octets, and its text, decoded once.</summary>
internal sealed class HeaderField
{
    private readonly ISieveMessage _decoder;
    private string? _text;
    private string? _unfolded;

    public HeaderField(string name, ReadOnlyMemory<byte> raw, int valueStart, ISieveMessage decoder) =>
        (Name, Raw, ValueStart, _decoder) = (name, raw, valueStart, decoder);

    public string Name { get; }

    /// <summary>The whole field with its line end.</summary>
    public ReadOnlyMemory<byte> Raw { get; }

    private int ValueStart { get; }

    public bool IsNamed(string name) => Name.Length == name.Length && Name.Equals(name, StringComparison.OrdinalIgnoreCase);

    /// <summary>The value unfolded (RFC 5322 section 2.2.3) and trimmed, octets as UTF-8, encoded words as they are.</summary>
    public string Unfolded => _unfolded ??= SieveText.FromUtf8(Unfold(Raw.Span[ValueStart..]));

    /// <summary>The value unfolded, decoded and trimmed (RFC 5228 sections 2.4.2.2 and 2.7.2).</summary>
    public string Text => _text ??= Decode();

    private string Decode()
    {
        if (!Unfolded.Contains("=?", StringComparison.Ordinal)) return Unfolded;
        return _decoder.DecodeHeader(Unfold(Raw.Span[ValueStart..])).Trim(' ', '\t', '\r', '\n');
    }

    private static ReadOnlySpan<byte> Unfold(ReadOnlySpan<byte> value)
    {
        value = value.Trim(" \t\r\n"u8);
        if (value.IndexOfAny((byte)'\r', (byte)'\n') < 0) return value;
        byte[] unfolded = new byte[value.Length];
        int length = 0;
        bool folded = false;
        foreach (byte b in value)
        {
            if (b is (byte)'\r' or (byte)'\n')
            {
                folded = true;
                continue;
            }
            // A tab at the fold reads as a space, as Pigeonhole does it: senders fold at spaces with tabs.
            unfolded[length++] = folded && b == '\t' ? (byte)' ' : b;
            folded = false;
        }
        return unfolded.AsSpan(0, length);
    }

    /// <summary>Splits a header block; lines that are no fields are passed over.</summary>
    public static List<HeaderField> Split(ReadOnlyMemory<byte> header, ISieveMessage decoder, int max)
    {
        List<HeaderField> fields = [];
        int at = 0;
        ReadOnlySpan<byte> span = header.Span;
        while (at < span.Length && fields.Count < max)
        {
            int end = LineEnd(span, at);
            if (IsEmptyLine(span[at..end])) break;
            while (end < span.Length && span[end] is (byte)' ' or (byte)'\t') end = LineEnd(span, end);
            int colon = span[at..end].IndexOf((byte)':');
            // mbox lines, and whatever else has no name.
            if (colon > 0)
            {
                ReadOnlySpan<byte> name = span.Slice(at, colon).TrimEnd(" \t"u8);
                if (!name.IsEmpty && name.IndexOfAnyInRange((byte)0, (byte)' ') < 0)
                    fields.Add(new(Encoding.Latin1.GetString(name), header[at..end], colon + 1, decoder));
            }
            at = end;
        }
        return fields;
    }

    private static bool IsEmptyLine(ReadOnlySpan<byte> line) => line is [(byte)'\n'] or [(byte)'\r', (byte)'\n'] or [(byte)'\r'];

    private static int LineEnd(ReadOnlySpan<byte> span, int at)
    {
        int end = span[at..].IndexOf((byte)'\n');
        return end < 0 ? span.Length : at + end + 1;
    }
}
