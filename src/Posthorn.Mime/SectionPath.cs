using System.Buffers;
using System.Collections.Immutable;

namespace Posthorn.Mime;

/// <summary>What of a part a section names (RFC 9051 section 6.4.5.1).</summary>
public enum SectionText
{
    /// <summary>Nothing: the whole message, or the body of the part.</summary>
    None,
    Header,
    HeaderFields,
    HeaderFieldsNot,
    Mime,
    Text,
}

/// <summary>A place in the bytes of a message, and its length with CRLF line ends.</summary>
public readonly record struct SectionRange(int Offset, int Length, long WireLength)
{
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> message) => message.Slice(Offset, Length);
}

/// <summary>A section as FETCH names it: part numbers and a word (RFC 9051 section 6.4.5.1).</summary>
public sealed record SectionPath(ImmutableArray<uint> Numbers, SectionText Text, ImmutableArray<string> FieldNames)
{
    private static readonly SearchValues<byte> NotInName = SearchValues.Create("\"\\(){}"u8);

    /// <summary>The whole message.</summary>
    public static SectionPath Whole { get; } = new([], SectionText.None, []);

    /// <summary>Finds where the section lies. False if the message has no such part; IMAP then answers NIL.</summary>
    /// <remarks>For HEADER.FIELDS and HEADER.FIELDS.NOT the range is that of the whole header; <see cref="HeaderFields.Select"/> takes its pick.</remarks>
    public bool TryResolve(MimeStructure structure, out SectionRange range)
    {
        range = default;
        if (!TryPart(structure, out MimePart part)) return false;
        // What HEADER and TEXT speak of: the message itself, or the message in a message/rfc822 part.
        if (Numbers.IsEmpty)
        {
            if (Text == SectionText.Mime) return false;
        }
        else if (Text is not (SectionText.None or SectionText.Mime))
        {
            if (part.Kind != PartKind.Message) return false;
            part = part.FirstChild;
        }
        range = Text switch
        {
            SectionText.None when Numbers.IsEmpty => new(0, structure.Length, structure.WireLength),
            SectionText.None or SectionText.Text => new(part.BodyOffset, part.BodyLength, part.WireBodyLength),
            _ => new(part.HeaderOffset, part.HeaderLength, part.WireHeaderLength),
        };
        return true;
    }

    /// <summary>The part that the numbers name; without numbers the message.</summary>
    public bool TryPart(MimeStructure structure, out MimePart part)
    {
        part = structure.Root;
        for (int i = 0; i < Numbers.Length; i++)
        {
            // A message/rfc822 part's numbers are those of the message in it.
            if (i > 0 && part.Kind == PartKind.Message) part = part.FirstChild;
            else if (i > 0 && part.Kind != PartKind.Multipart) return false;
            if (part.Kind == PartKind.Multipart)
            {
                if (!part.TryChild(Numbers[i], out part)) return false;
            }
            // What is no multipart is its own part 1.
            else if (Numbers[i] != 1) return false;
        }
        return true;
    }

    /// <summary>Reads the text between the brackets of <c>BODY[…]</c>, field names as atoms or quoted strings. Case does not matter.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out SectionPath path)
    {
        path = Whole;
        ImmutableArray<uint>.Builder numbers = ImmutableArray.CreateBuilder<uint>();
        while (text.Length > 0 && char.IsAsciiDigit((char)text[0]))
        {
            if (!System.Buffers.Text.Utf8Parser.TryParse(text, out uint number, out int used) || number == 0 || text[0] == '0') return false;
            if (numbers.Count >= MimeLimits.DepthCeiling * 2) return false;
            numbers.Add(number);
            text = text[used..];
            if (text.IsEmpty) break;
            if (text[0] != '.' || text.Length == 1) return false;
            text = text[1..];
        }
        SectionText word = SectionText.None;
        ImmutableArray<string> names = [];
        if (!text.IsEmpty && !TryWord(text, numbers.Count > 0, out word, out names)) return false;
        path = new(numbers.DrainToImmutable(), word, names);
        return true;
    }

    private static bool TryWord(ReadOnlySpan<byte> text, bool numbered, out SectionText word, out ImmutableArray<string> names)
    {
        names = [];
        int space = text.IndexOf((byte)' ');
        ReadOnlySpan<byte> name = space < 0 ? text : text[..space];
        word = Octets.Is(name, "HEADER"u8) ? SectionText.Header
            : Octets.Is(name, "TEXT"u8) ? SectionText.Text
            : Octets.Is(name, "MIME"u8) && numbered ? SectionText.Mime
            : Octets.Is(name, "HEADER.FIELDS"u8) ? SectionText.HeaderFields
            : Octets.Is(name, "HEADER.FIELDS.NOT"u8) ? SectionText.HeaderFieldsNot
            : SectionText.None;
        if (word == SectionText.None) return false;
        if (word is not (SectionText.HeaderFields or SectionText.HeaderFieldsNot)) return space < 0;
        return space >= 0 && TryNames(text[(space + 1)..], out names);
    }

    private static bool TryNames(ReadOnlySpan<byte> list, out ImmutableArray<string> names)
    {
        names = [];
        if (list.Length < 3 || list[0] != '(' || list[^1] != ')') return false;
        ImmutableArray<string>.Builder found = ImmutableArray.CreateBuilder<string>();
        foreach (Range range in list[1..^1].Split((byte)' '))
        {
            ReadOnlySpan<byte> name = list[1..^1][range];
            if (name.Length > 2 && name[0] == '"' && name[^1] == '"') name = name[1..^1];
            if (name.IsEmpty || name.ContainsAny(NotInName)) return false;
            found.Add(System.Text.Encoding.Latin1.GetString(name));
        }
        names = found.DrainToImmutable();
        return true;
    }

    public bool Equals(SectionPath? other) =>
        other is not null && Text == other.Text && Numbers.AsSpan().SequenceEqual(other.Numbers.AsSpan()) && FieldNames.SequenceEqual(other.FieldNames, StringComparer.OrdinalIgnoreCase);

    public override int GetHashCode()
    {
        HashCode hash = new();
        hash.Add(Text);
        foreach (uint number in Numbers) hash.Add(number);
        return hash.ToHashCode();
    }
}

/// <summary>Picks fields of a header (RFC 9051 section 6.4.5.1, HEADER.FIELDS and HEADER.FIELDS.NOT).</summary>
public static class HeaderFields
{
    /// <summary>Writes the fields that are named, or with <paramref name="not"/> those that are not, as they stand, then the blank line.</summary>
    /// <remarks>The blank line is written in any case, as other servers do; its line end is that of the header.</remarks>
    public static void Select(ReadOnlySpan<byte> header, IReadOnlyList<string> names, bool not, IBufferWriter<byte> output)
    {
        HeaderReader reader = new(header);
        bool unended = false;
        while (reader.MoveNext())
        {
            HeaderField field = reader.Current;
            if (IsNamed(field.Name, names) == not || field.IsMalformed && !not) continue;
            ReadOnlySpan<byte> bytes = header.Slice(field.Offset, field.Length);
            output.Write(bytes);
            unended = bytes[^1] != '\n';
        }
        ReadOnlySpan<byte> end = LineEnd(header);
        if (unended) output.Write(end);
        output.Write(end);
    }

    /// <summary>Where the last field ends of which the beginning of a header surely holds the whole.</summary>
    public static int EndOfLast(ReadOnlySpan<byte> header)
    {
        int feed = header.LastIndexOf((byte)'\n');
        while (feed >= 0 && (feed + 1 >= header.Length || header[feed + 1] is (byte)' ' or (byte)'\t')) feed = header[..feed].LastIndexOf((byte)'\n');
        return feed + 1;
    }

    private static ReadOnlySpan<byte> LineEnd(ReadOnlySpan<byte> header)
    {
        int feed = header.IndexOf((byte)'\n');
        return feed == 0 || (feed > 0 && header[feed - 1] != '\r') ? "\n"u8 : "\r\n"u8;
    }

    private static bool IsNamed(ReadOnlySpan<byte> field, IReadOnlyList<string> names)
    {
        for (int i = 0; i < names.Count; i++)
            if (System.Text.Ascii.EqualsIgnoreCase(field, names[i])) return true;
        return false;
    }
}
