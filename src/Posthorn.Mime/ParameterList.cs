namespace Posthorn.Mime;

/// <summary>The parameters of one field with the segments of RFC 2231 section 3 found together.</summary>
internal ref struct ParameterList
{
    private readonly ReadOnlySpan<byte> _text;
    private readonly Span<Entry> _entries;
    private int _count;

    internal struct Entry
    {
        public int Name, NameLength, Value, ValueLength;
        /// <summary>The number behind the star, or -1.</summary>
        public int Section;
        public bool IsQuoted, IsExtended, IsTaken;
    }

    /// <summary>Reads as many parameters as there are entries.</summary>
    public ParameterList(ReadOnlySpan<byte> text, Span<Entry> entries)
    {
        _text = text;
        _entries = entries;
        ParameterReader reader = new(text);
        while (_count < entries.Length && reader.MoveNext()) Add(reader.Current);
    }

    public readonly int Count => _count;

    public readonly ReadOnlySpan<byte> Name(int index) => _text.Slice(_entries[index].Name, _entries[index].NameLength);

    public readonly ReadOnlySpan<byte> RawValue(int index) => _text.Slice(_entries[index].Value, _entries[index].ValueLength);

    public readonly bool IsExtended(int index) => _entries[index].IsExtended;

    public readonly bool IsSegment(int index) => _entries[index].Section >= 0;

    /// <summary>True for a segment that <see cref="Join"/> has used.</summary>
    public readonly bool IsTaken(int index) => _entries[index].IsTaken;

    public readonly bool Is(int index, ReadOnlySpan<byte> name) => Octets.Is(Name(index), name);

    public readonly void WriteValue(int index, ref ByteScratch output)
    {
        RawParameter raw = new(Name(index), RawValue(index), _entries[index].IsQuoted);
        raw.WriteValue(ref output);
    }

    /// <summary>Joins the segments of the parameter that <paramref name="index"/> is a segment of. False if there is no segment 0.</summary>
    /// <remarks>If one segment is extended, the result is: <c>charset'language'percent-encoded</c>, with plain segments encoded to fit.</remarks>
    public readonly bool Join(int index, ref ByteScratch output, out bool extended)
    {
        extended = false;
        ReadOnlySpan<byte> name = Name(index);
        int first = Segment(name, 0);
        if (first < 0) return false;
        for (int section = 0, at = first; at >= 0; at = Segment(name, ++section)) extended |= _entries[at].IsExtended;
        if (extended && !_entries[first].IsExtended) output.Append("utf-8''"u8);
        for (int section = 0, at = first; at >= 0; at = Segment(name, ++section))
        {
            _entries[at].IsTaken = true;
            if (!extended || _entries[at].IsExtended) WriteValue(at, ref output);
            else WriteEncoded(at, ref output);
        }
        return true;
    }

    // The limit of parameters bounds the square that this costs.
    private readonly int Segment(ReadOnlySpan<byte> name, int section)
    {
        for (int i = 0; i < _count; i++)
            if (_entries[i].Section == section && Is(i, name)) return i;
        return -1;
    }

    private readonly void WriteEncoded(int index, ref ByteScratch output)
    {
        ByteScratch plain = new(stackalloc byte[128]);
        WriteValue(index, ref plain);
        foreach (byte b in plain.Written)
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'.' or (byte)'-' or (byte)'_') output.Append(b);
            else
            {
                output.Append((byte)'%');
                output.Append("0123456789ABCDEF"u8[b >> 4]);
                output.Append("0123456789ABCDEF"u8[b & 15]);
            }
        }
        plain.Dispose();
    }

    private void Add(RawParameter raw)
    {
        Entry entry = new() { Section = -1, IsQuoted = raw.IsQuoted, ValueLength = raw.Value.Length };
        if (!raw.Value.IsEmpty) _text.Overlaps(raw.Value, out entry.Value);
        _text.Overlaps(raw.Name, out entry.Name);
        ReadOnlySpan<byte> name = raw.Name;
        if (name.Length > 1 && name[^1] == '*')
        {
            entry.IsExtended = true;
            name = name[..^1];
        }
        int star = name.LastIndexOf((byte)'*');
        if (star > 0 && star < name.Length - 1 && name.Length - star <= 5
            && System.Buffers.Text.Utf8Parser.TryParse(name[(star + 1)..], out int section, out int used) && used == name.Length - star - 1 && section >= 0)
        {
            entry.Section = section;
            name = name[..star];
        }
        entry.NameLength = name.Length;
        _entries[_count++] = entry;
    }
}
