namespace Posthorn.Mime;

/// <summary>One header field as it stands in the message (RFC 5322 section 2.2).</summary>
/// <param name="name">The name before the colon; empty for a line that is no field.</param>
/// <param name="rawValue">All behind the colon, folds kept, without the last line end.</param>
/// <param name="offset">Where the field starts, counted from the start of the header.</param>
/// <param name="length">Its length with the last line end.</param>
/// <param name="valueOffset">Where the raw value starts, counted likewise.</param>
public readonly ref struct HeaderField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> rawValue, int offset, int length, int valueOffset)
{
    public ReadOnlySpan<byte> Name { get; } = name;
    public ReadOnlySpan<byte> RawValue { get; } = rawValue;
    public int Offset { get; } = offset;
    public int Length { get; } = length;

    /// <summary>Where the raw value starts, counted from the start of the header.</summary>
    public int ValueOffset { get; } = valueOffset;

    /// <summary>True for a line without a colon or with a name that no field can have.</summary>
    public bool IsMalformed => Name.IsEmpty;

    /// <summary>Compares the name, ignoring the case of ASCII letters.</summary>
    public bool Is(ReadOnlySpan<byte> name) => Octets.Is(Name, name);
}

/// <summary>Reads the fields of a header one by one, up to the blank line or the end of the text. Lines end with CRLF or LF.</summary>
/// <remarks>A line without a colon is reported as malformed and reading goes on: only a blank line ends a header.</remarks>
public ref struct HeaderReader
{
    private readonly ReadOnlySpan<byte> _text;
    private HeaderField _current;

    public HeaderReader(ReadOnlySpan<byte> text) => _text = text;

    public readonly HeaderField Current => _current;

    /// <summary>How far reading has come; after the last field the length of the header with its blank line.</summary>
    public int Position { readonly get; private set; }

    /// <summary>True once the blank line was read: a body may follow.</summary>
    public bool SawBlankLine { readonly get; private set; }

    public readonly HeaderReader GetEnumerator() => this;

    public bool MoveNext()
    {
        if (SawBlankLine || Position >= _text.Length) return false;
        int start = Position;
        ReadOnlySpan<byte> rest = _text[start..];
        if (rest[0] == '\n' || (rest[0] == '\r' && rest.Length > 1 && rest[1] == '\n'))
        {
            Position += rest[0] == '\n' ? 1 : 2;
            SawBlankLine = true;
            return false;
        }
        int end = 0;
        while (true)
        {
            int feed = rest[end..].IndexOf((byte)'\n');
            end = feed < 0 ? rest.Length : end + feed + 1;
            // A line of blanks alone continues the field, as RFC 5322 obs-FWS has it.
            if (end >= rest.Length || rest[end] is not ((byte)' ' or (byte)'\t')) break;
        }
        Position = start + end;
        ReadOnlySpan<byte> field = rest[..end];
        int colon = NameLength(field);
        ReadOnlySpan<byte> bare = Octets.WithoutLineEnd(field);
        if (colon < 0)
        {
            _current = new(default, bare, start, end, start);
            return true;
        }
        ReadOnlySpan<byte> name = TrimEnd(bare[..colon]);
        // A byte order mark before the first field is not seen by who wrote it.
        if (start == 0 && name.StartsWith("\uFEFF"u8)) name = name[3..];
        _current = new(name, bare[(colon + 1)..], start, end, start + colon + 1);
        return true;
    }

    /// <summary>Reads on to the end of the header without looking at fields.</summary>
    public void SkipToEnd()
    {
        while (MoveNext()) { }
    }

    // The index of the colon, or -1. Blanks may stand before the colon (obs-optional); other controls may not be in a name.
    private static int NameLength(ReadOnlySpan<byte> field)
    {
        for (int i = 0; i < field.Length; i++)
        {
            byte b = field[i];
            if (b == ':') return i == 0 ? -1 : i;
            if (b > ' ' && b != 127) continue;
            if (b is not ((byte)' ' or (byte)'\t') || i == 0) return -1;
            int next = i + 1;
            while (next < field.Length && field[next] is (byte)' ' or (byte)'\t') next++;
            return next < field.Length && field[next] == ':' ? next : -1;
        }
        return -1;
    }

    private static ReadOnlySpan<byte> TrimEnd(ReadOnlySpan<byte> name)
    {
        while (name[^1] is (byte)' ' or (byte)'\t') name = name[..^1];
        return name;
    }
}
