namespace Posthorn.Mime;

/// <summary>Walks a message once, from front to back, and notes where its parts lie.</summary>
/// <remarks>
/// Only lines that start with two hyphens can end a part, so bodies are searched for those and nothing else; each is compared with the open boundaries,
/// innermost first. A boundary must fill its line (blanks may follow), so one that is the start of another never wins (RFC 2046 section 5.1.1 lets a
/// reader take the longer reading; taking the exact one serves both). A boundary line also ends a header.
/// </remarks>
internal ref struct MimeParser
{
    private readonly ReadOnlySpan<byte> _message;
    private readonly MimeLimits _limits;
    private readonly int _maxDepth;
    private PartData[] _parts;
    private int _count;

    // The open boundaries as ranges of the message, outermost first.
    private Span<Range32> _open;
    private int _openCount;
    private ByteScratch _boundaries;

    // Line feeds before _counted; places are asked for in rising order only.
    private int _counted, _feeds, _bare;

    internal struct Range32
    {
        public int Start, Length;
    }

    /// <summary>The line that ended a part: which boundary, and whether it closes. Level -1 is the end of the message.</summary>
    private struct Hit
    {
        public int Level, LineEnd, PartEnd;
        public bool Closes;
    }

    private bool _full;

    public MimeParser(ReadOnlySpan<byte> message, MimeLimits limits, Span<Range32> open)
    {
        _message = message;
        _limits = limits;
        _maxDepth = Math.Clamp(limits.MaxDepth, 1, MimeLimits.DepthCeiling);
        _parts = new PartData[2];
        _open = open;
    }

    public MimeStructure Parse()
    {
        ParsePart(0, digest: false, depth: 1);
        _boundaries.Dispose();
        return new(_parts, _count);
    }

    private Hit ParsePart(int start, bool digest, int depth)
    {
        int index = Add();
        ContentFields fields = default;
        bool ended = ReadHeader(start, ref fields, out int bodyStart, out Hit hit);

        ref PartData part = ref _parts[index];
        part.HeaderOffset = start;
        part.HeaderLength = bodyStart - start;
        CountTo(start);
        int feeds = _feeds, bare = _bare;
        CountTo(bodyStart);
        part.HeaderFeeds = _feeds - feeds;
        part.HeaderBareFeeds = _bare - bare;
        (feeds, bare) = (_feeds, _bare);

        MediaTypeValue type = fields.HasType ? MediaTypeValue.Parse(fields.Type) : default;
        PartKind kind = KindOf(type, fields.HasType, digest);
        if (kind is PartKind.Multipart or PartKind.Message && (depth >= _maxDepth || _full)) kind = PartKind.Opaque;
        part.Kind = kind;
        part.Encoding = fields.TransferEncoding;

        int children = _count;
        if (kind == PartKind.Multipart) ReadMultipart(type, bodyStart, depth, ended, ref hit);
        else if (kind == PartKind.Message && !ended) hit = ParsePart(bodyStart, digest: false, depth + 1);
        else if (!ended) hit = Find(bodyStart);

        CountTo(hit.PartEnd);
        if (kind is PartKind.Multipart or PartKind.Message && children == _count) AddWhole(bodyStart, hit.PartEnd, feeds, bare);
        part = ref _parts[index];
        part.BodyLength = hit.PartEnd - bodyStart;
        part.BodyFeeds = _feeds - feeds;
        part.BodyBareFeeds = _bare - bare;
        part.End = _count;
        return hit;
    }

    // True when a boundary line ended the part inside its header.
    private bool ReadHeader(int start, scoped ref ContentFields fields, out int bodyStart, out Hit hit)
    {
        HeaderReader reader = new(_message[start..]);
        int count = 0;
        while (true)
        {
            int line = start + reader.Position;
            if (_openCount > 0 && !_full && !reader.SawBlankLine && TryMatch(line, out hit))
            {
                hit.PartEnd = Math.Max(start, BeforeLineEnd(line));
                bodyStart = hit.PartEnd;
                return true;
            }
            if (!reader.MoveNext()) break;
            if (++count <= _limits.MaxHeaderFields && reader.Position <= _limits.MaxHeaderBytes) fields.Take(reader.Current);
        }
        hit = default;
        bodyStart = start + reader.Position;
        return false;
    }

    private void ReadMultipart(MediaTypeValue type, int bodyStart, int depth, bool ended, ref Hit hit)
    {
        if (ended) return;
        if (!TryOpen(type.Parameters))
        {
            hit = Find(bodyStart);
            return;
        }
        int level = _openCount - 1;
        bool digest = Octets.Is(type.Subtype, "digest"u8);
        hit = Find(bodyStart);
        while (hit.Level == level && !hit.Closes) hit = ParsePart(hit.LineEnd, digest, depth + 1);
        _openCount = level;
        _boundaries.Truncate(_open[level].Start);
        // Right after our closing line its own line end is that of the outer boundary (RFC 2046 section 5.1.1).
        if (hit.Level == level) hit = Find(hit.LineEnd, BeforeLineEnd(hit.LineEnd));
    }

    private static PartKind KindOf(MediaTypeValue type, bool present, bool digest)
    {
        if (!present) return digest ? PartKind.Message : PartKind.Text;
        if (type.IsText) return PartKind.Text;
        if (type.IsMultipart) return PartKind.Multipart;
        return type.IsMessage ? PartKind.Message : PartKind.Other;
    }

    private bool TryOpen(ReadOnlySpan<byte> parameters)
    {
        int start = _boundaries.Length;
        ParameterReader reader = new(parameters);
        bool found = false, extended = false;
        for (int i = 0; i < _limits.MaxParameters && !found && reader.MoveNext(); i++)
        {
            ReadOnlySpan<byte> name = reader.Current.Name;
            found = Octets.Is(name, "boundary"u8);
            extended |= name.Length > 8 && name[8] == '*' && Octets.Is(name[..8], "boundary"u8);
            if (found) reader.Current.WriteValue(ref _boundaries);
        }
        // Cut in segments or with a charset (RFC 2231): rare, so it may cost strings.
        if (!found && extended && MimeParameters.Get(parameters, "boundary"u8, _limits) is { } value) _boundaries.Append(System.Text.Encoding.UTF8.GetBytes(value));
        while (_boundaries.Length > start && Octets.IsBlank(_boundaries.Written[^1])) _boundaries.Truncate(_boundaries.Length - 1);
        if (_boundaries.Length == start) return false;
        if (_openCount == _open.Length)
        {
            Range32[] more = new Range32[_open.Length * 2];
            _open.CopyTo(more);
            _open = more;
        }
        _open[_openCount++] = new() { Start = start, Length = _boundaries.Length - start };
        return true;
    }

    /// <summary>The first boundary line at or behind <paramref name="at"/>, which is the start of a line.</summary>
    private readonly Hit Find(int at, int floor = -1)
    {
        if (_openCount > 0 && !_full)
        {
            int line = at;
            while (true)
            {
                if (TryMatch(line, out Hit hit))
                {
                    hit.PartEnd = Math.Max(floor < 0 ? at : floor, BeforeLineEnd(line));
                    return hit;
                }
                int next = _message[line..].IndexOf("\n--"u8);
                if (next < 0) break;
                line += next + 1;
            }
        }
        return new() { Level = -1, LineEnd = _message.Length, PartEnd = _message.Length };
    }

    private readonly bool TryMatch(int line, out Hit hit)
    {
        hit = default;
        ReadOnlySpan<byte> text = _message[line..];
        if (text.Length < 3 || text[0] != '-' || text[1] != '-') return false;
        text = text[2..];
        int feed = text.IndexOf((byte)'\n');
        hit.LineEnd = feed < 0 ? _message.Length : line + 2 + feed + 1;
        if (feed >= 0) text = text[..feed];
        while (text.Length > 0 && text[^1] is (byte)' ' or (byte)'\t' or (byte)'\r') text = text[..^1];
        for (int level = _openCount - 1; level >= 0; level--)
        {
            ReadOnlySpan<byte> boundary = _boundaries.Slice(_open[level].Start, _open[level].Length);
            if (!text.StartsWith(boundary)) continue;
            ReadOnlySpan<byte> rest = text[boundary.Length..];
            if (!rest.IsEmpty && !rest.SequenceEqual("--"u8)) continue;
            hit.Level = level;
            hit.Closes = !rest.IsEmpty;
            return true;
        }
        return false;
    }

    // The line end before a boundary line belongs to the boundary (RFC 2046 section 5.1.1).
    private readonly int BeforeLineEnd(int line)
    {
        if (line > 0 && _message[line - 1] == '\n') line--;
        return line > 0 && _message[line - 1] == '\r' ? line - 1 : line;
    }

    private void CountTo(int place)
    {
        if (place <= _counted) return;
        (int feeds, int bare) = Octets.CountFeeds(_message[_counted..place], _counted == 0 ? (byte)0 : _message[_counted - 1]);
        _feeds += feeds;
        _bare += bare;
        _counted = place;
    }

    private int Add()
    {
        if (_count == _parts.Length) Array.Resize(ref _parts, _count * 2);
        // The last part that the limit admits takes all the rest.
        if (_count + 1 >= _limits.MaxParts) _full = true;
        return _count++;
    }

    // A multipart without parts gets one: its whole body as plain text, so that nothing is hidden and IMAP has something legal to say.
    private void AddWhole(int bodyStart, int end, int feeds, int bare)
    {
        int index = Add();
        _parts[index] = new()
        {
            HeaderOffset = bodyStart,
            BodyLength = end - bodyStart,
            BodyFeeds = _feeds - feeds,
            BodyBareFeeds = _bare - bare,
            Kind = PartKind.Text,
            End = index + 1,
        };
    }
}
