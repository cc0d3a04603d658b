namespace Posthorn.Mime;

/// <summary>What <see cref="AddressReader"/> found.</summary>
internal enum AddressToken
{
    /// <summary>A mailbox: name, route, local part, host; each may be empty.</summary>
    Mailbox,
    /// <summary>The start of a group, whose name is in Name.</summary>
    GroupStart,
    GroupEnd,
}

/// <summary>Reads an address list piece by piece (RFC 5322 section 3.4 with the obsolete forms of section 4.4; bytes above 127 pass, RFC 6532).</summary>
/// <remarks>
/// Garbage gives the nearest address instead of an error. Every byte is looked at a bounded number of times: an element is first measured
/// (quoted strings, comments and angle brackets skipped), then cut.
/// </remarks>
internal ref struct AddressReader
{
    private readonly ReadOnlySpan<byte> _text;
    private ByteScratch _scratch;
    private int _at, _left;
    private bool _inGroup, _noMoreAngles, _noMoreBrackets;
    private int _nameEnd, _routeEnd, _localEnd;

    public AddressReader(ReadOnlySpan<byte> text, Span<byte> scratch, int maxTokens)
    {
        _text = text;
        _scratch = new(scratch);
        _left = maxTokens;
    }

    /// <summary>True between the start of a group and its end.</summary>
    public readonly bool InGroup => _inGroup;
    public AddressToken Token { readonly get; private set; }
    /// <summary>The phrase, unquoted, encoded words as they stand; else the text of the last comment.</summary>
    public readonly ReadOnlySpan<byte> Name => _scratch.Written[.._nameEnd];
    /// <summary>The obsolete route: <c>@a,@b</c>.</summary>
    public readonly ReadOnlySpan<byte> Route => _scratch.Written[_nameEnd.._routeEnd];
    /// <summary>The local part, unquoted.</summary>
    public readonly ReadOnlySpan<byte> LocalPart => _scratch.Written[_routeEnd.._localEnd];
    public readonly ReadOnlySpan<byte> Host => _scratch.Written[_localEnd..];

    public bool MoveNext()
    {
        while (_left > 0)
        {
            int start = Tokens.SkipBlankAndComments(_text, _at);
            // Empty elements pass (obs-addr-list); a comment before an address still may name it.
            if (start < _text.Length && _text[start] == ',')
            {
                _at = start + 1;
                continue;
            }
            if (start >= _text.Length) return EndGroup(_text.Length);
            if (_text[start] == ';')
            {
                if (EndGroup(start + 1)) return true;
                _at = start + 1;
                continue;
            }
            _left--;
            Element(_at);
            return true;
        }
        return false;
    }

    public void Dispose() => _scratch.Dispose();

    private bool EndGroup(int next)
    {
        _at = next;
        if (!_inGroup) return false;
        _inGroup = false;
        _left--;
        _scratch.Clear();
        _nameEnd = _routeEnd = _localEnd = 0;
        Token = AddressToken.GroupEnd;
        return true;
    }

    private void Element(int start)
    {
        _scratch.Clear();
        int end = Measure(start, out bool at);
        byte stop = end < _text.Length ? _text[end] : (byte)0;
        Token = AddressToken.Mailbox;
        if (stop == ':')
        {
            _ = Phrase(_text[start..end]);
            _nameEnd = _routeEnd = _localEnd = _scratch.Length;
            Token = AddressToken.GroupStart;
            _inGroup = true;
            _at = end + 1;
        }
        else if (stop == '<') Angle(start, end);
        else
        {
            if (at) Bare(_text[start..end]);
            else NameOnly(_text[start..end]);
            _at = end;
        }
    }

    // To the end of the element: '<', ':' that opens a group, ',' or ';' or the end of the text.
    private int Measure(int from, out bool at)
    {
        at = false;
        int i = from;
        while (i < _text.Length)
        {
            switch (_text[i])
            {
                case (byte)'"': i = Tokens.QuotedEnd(_text, i); continue;
                case (byte)'(': i = Tokens.CommentEnd(_text, i); continue;
                case (byte)'\\': i += 2; continue;
                case (byte)'@': at = true; break;
                case (byte)'[' when at: i = BracketEnd(i); continue;
                case (byte)':' when !at && !_inGroup: return i;
                case (byte)'<' or (byte)',' or (byte)';': return i;
            }
            i++;
        }
        return _text.Length;
    }

    private int BracketEnd(int at)
    {
        int close = _noMoreBrackets ? -1 : _text[at..].IndexOf((byte)']');
        if (close >= 0) return at + close + 1;
        _noMoreBrackets = true;
        return at + 1;
    }

    private void Angle(int start, int open)
    {
        _ = Phrase(_text[start..open]);
        int close = AngleEnd(open + 1);
        bool closed = close < _text.Length && _text[close] == '>';
        ReadOnlySpan<byte> inside = _text[(open + 1)..close];
        _at = closed ? close + 1 : close;
        int tail = _at;
        // What stands between '>' and the next comma is a comment or garbage.
        while (_at < _text.Length && _text[_at] is not ((byte)',' or (byte)';' or (byte)'<'))
        {
            if (_text[_at] == '(') _at = Tokens.CommentEnd(_text, _at);
            else if (_text[_at] == '"') _at = Tokens.QuotedEnd(_text, _at);
            else _at++;
        }
        if (_scratch.Length == 0) LastComment(_text[start..open], _text[tail.._at]);
        _nameEnd = _routeEnd = _scratch.Length;
        // "<<a@b>>": the second bracket opens nothing.
        while (inside.Length > 0 && (inside[0] == '<' || Octets.IsBlank(inside[0]))) inside = inside[1..];
        if (inside.Length > 0 && inside[0] == '@')
        {
            int colon = inside.IndexOf((byte)':');
            if (colon > 0)
            {
                foreach (byte b in inside[..colon])
                    if (!Octets.IsBlank(b)) _scratch.Append(b);
                _routeEnd = _scratch.Length;
                inside = inside[(colon + 1)..];
            }
        }
        LocalAndHost(inside);
    }

    // The '>' that closes, or, where there is none in all the rest, the next comma or semicolon.
    private int AngleEnd(int from)
    {
        if (!_noMoreAngles)
        {
            int i = from;
            while (i < _text.Length && _text[i] != '>')
            {
                if (_text[i] == '"') i = Tokens.QuotedEnd(_text, i);
                else if (_text[i] == '(') i = Tokens.CommentEnd(_text, i);
                else if (_text[i] == '\\') i += 2;
                else i++;
            }
            if (i < _text.Length) return i;
            _noMoreAngles = true;
        }
        int stop = _text[from..].IndexOfAny((byte)',', (byte)';');
        return stop < 0 ? _text.Length : from + stop;
    }

    // addr-spec without brackets; words before its local part are a name.
    private void Bare(ReadOnlySpan<byte> text)
    {
        int at = LastAt(text);
        int local = LocalStart(text[..at]);
        _ = Phrase(text[..local]);
        if (_scratch.Length == 0) LastComment(text, default);
        _nameEnd = _routeEnd = _scratch.Length;
        LocalAndHost(text[local..]);
    }

    private void NameOnly(ReadOnlySpan<byte> text)
    {
        int words = Phrase(text);
        _nameEnd = _routeEnd = _localEnd = _scratch.Length;
        if (words > 1 || _scratch.Written.Contains((byte)' ')) return;
        // A single word is a local part without a host, as cron writes it.
        _nameEnd = _routeEnd = 0;
    }

    private void LocalAndHost(ReadOnlySpan<byte> text)
    {
        int at = LastAt(text);
        ReadOnlySpan<byte> local = at < 0 ? text : text[..at];
        AddWords(local, (byte)0);
        _localEnd = _scratch.Length;
        if (at >= 0) AddWords(text[(at + 1)..], (byte)0);
    }

    // The last '@' outside quotes and comments, or -1.
    private static int LastAt(ReadOnlySpan<byte> text)
    {
        int last = -1;
        for (int i = 0; i < text.Length;)
        {
            byte b = text[i];
            if (b == '@') last = i;
            i = b switch
            {
                (byte)'"' => Tokens.QuotedEnd(text, i),
                (byte)'(' => Tokens.CommentEnd(text, i),
                (byte)'\\' => i + 2,
                _ => i + 1,
            };
        }
        return last;
    }

    // Where the local part before an '@' starts: at the last word that no dot joins to the one before.
    private static int LocalStart(ReadOnlySpan<byte> text)
    {
        int start = 0;
        bool gap = false, dot = true;
        for (int i = 0; i < text.Length;)
        {
            byte b = text[i];
            if (Octets.IsBlank(b) || b == '(')
            {
                i = b == '(' ? Tokens.CommentEnd(text, i) : i + 1;
                gap = true;
                continue;
            }
            if (gap && !dot && b != '.') start = i;
            gap = false;
            dot = b == '.';
            i = b == '"' ? Tokens.QuotedEnd(text, i) : b == '\\' ? i + 2 : i + 1;
        }
        return Math.Min(start, text.Length);
    }

    // Words joined by one blank, quotes and comments taken off. Says how many there were.
    private int Phrase(ReadOnlySpan<byte> text) => AddWords(text, (byte)' ');

    private int AddWords(ReadOnlySpan<byte> text, byte between)
    {
        int words = 0;
        bool gap = true;
        int i = 0;
        while (i < text.Length)
        {
            byte b = text[i];
            if (Octets.IsBlank(b) || b == '(')
            {
                i = b == '(' ? Tokens.CommentEnd(text, i) : i + 1;
                gap = true;
                continue;
            }
            if (gap)
            {
                if (words++ > 0 && between != 0) _scratch.Append(between);
                gap = false;
            }
            if (b == '"')
            {
                int end = Tokens.QuotedEnd(text, i);
                Tokens.Unescape(Tokens.Inside(text[i..end]), ref _scratch);
                i = end;
                continue;
            }
            if (b == '\\' && i + 1 < text.Length) b = text[++i];
            _scratch.Append(b);
            i++;
        }
        return words;
    }

    private void LastComment(ReadOnlySpan<byte> before, ReadOnlySpan<byte> behind)
    {
        if (!AddComment(behind)) AddComment(before);
    }

    private bool AddComment(ReadOnlySpan<byte> text)
    {
        int start = -1, end = 0;
        for (int i = 0; i < text.Length;)
        {
            byte b = text[i];
            if (b == '(')
            {
                start = i;
                i = end = Tokens.CommentEnd(text, i);
            }
            else i = b == '"' ? Tokens.QuotedEnd(text, i) : b == '\\' ? i + 2 : i + 1;
        }
        if (start < 0) return false;
        ReadOnlySpan<byte> inside = text[(start + 1)..Math.Min(end, text.Length)];
        if (inside.Length > 0 && inside[^1] == ')') inside = inside[..^1];
        Tokens.Unescape(Octets.Trim(inside), ref _scratch);
        return true;
    }
}
