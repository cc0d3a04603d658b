using System.Buffers;

namespace Posthorn.Mime;

/// <summary>One raw parameter of Content-Type or Content-Disposition.</summary>
internal readonly ref struct RawParameter(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool quoted)
{
    public ReadOnlySpan<byte> Name { get; } = name;
    /// <summary>The value, still escaped if it was quoted.</summary>
    public ReadOnlySpan<byte> Value { get; } = value;
    public bool IsQuoted { get; } = quoted;

    /// <summary>Writes the value as meant: escapes and folds removed.</summary>
    public void WriteValue(ref ByteScratch output)
    {
        if (IsQuoted || Value.IndexOfAny((byte)'\r', (byte)'\n') >= 0) Tokens.Unescape(Value, ref output);
        else output.Append(Value);
    }
}

/// <summary>Reads <c>;name=value</c> pairs one by one (RFC 2045 section 5.1). What has no equals sign is passed over; values with blanks that lack their quotes are taken up to the semicolon.</summary>
internal ref struct ParameterReader(ReadOnlySpan<byte> text)
{
    private static readonly SearchValues<byte> BehindName = SearchValues.Create("=;( \t\r\n\""u8);

    private readonly ReadOnlySpan<byte> _text = text;
    private int _at;

    public RawParameter Current { get; private set; }

    public bool MoveNext()
    {
        while (_at < _text.Length)
        {
            _at = Tokens.SkipBlankAndComments(_text, _at);
            if (_at >= _text.Length) return false;
            if (_text[_at] is (byte)';' or (byte)',')
            {
                _at++;
                continue;
            }
            int start = _at;
            int length = _text[_at..].IndexOfAny(BehindName);
            _at = length < 0 ? _text.Length : _at + length;
            ReadOnlySpan<byte> name = _text[start.._at];
            _at = Tokens.SkipBlankAndComments(_text, _at);
            if (name.IsEmpty || _at >= _text.Length || _text[_at] != '=')
            {
                SkipToSemicolon();
                continue;
            }
            _at++;
            Current = Value(name);
            return true;
        }
        return false;
    }

    private RawParameter Value(ReadOnlySpan<byte> name)
    {
        _at = Tokens.SkipBlankAndComments(_text, _at);
        if (_at < _text.Length && _text[_at] == '"')
        {
            int end = Tokens.QuotedEnd(_text, _at);
            RawParameter quoted = new(name, Tokens.Inside(_text[_at..end]), true);
            _at = end;
            SkipToSemicolon();
            return quoted;
        }
        int start = _at, semicolon = _text[start..].IndexOf((byte)';');
        _at = semicolon < 0 ? _text.Length : start + semicolon;
        ReadOnlySpan<byte> value = Octets.Trim(_text[start.._at]);
        // A comment may stand behind a token (RFC 2045 section 5.1); a name such as "report (1).pdf" without quotes may hold one.
        int blank = value.IndexOfAny(Octets.Blank);
        if (blank > 0)
        {
            int rest = Tokens.SkipBlankAndComments(value, blank);
            if (rest >= value.Length) value = value[..blank];
        }
        return new(name, value, false);
    }

    private void SkipToSemicolon()
    {
        while (_at < _text.Length && _text[_at] != ';')
        {
            if (_text[_at] == '(') _at = Tokens.CommentEnd(_text, _at);
            else if (_text[_at] == '"') _at = Tokens.QuotedEnd(_text, _at);
            else _at++;
        }
    }
}

/// <summary>The value of a Content-Type field, cut in pieces (RFC 2045 section 5.1).</summary>
internal readonly ref struct MediaTypeValue
{
    private MediaTypeValue(ReadOnlySpan<byte> type, ReadOnlySpan<byte> subtype, ReadOnlySpan<byte> parameters)
    {
        Type = type;
        Subtype = subtype;
        Parameters = parameters;
    }

    public ReadOnlySpan<byte> Type { get; }
    public ReadOnlySpan<byte> Subtype { get; }
    public ReadOnlySpan<byte> Parameters { get; }

    public bool IsText => Octets.Is(Type, "text"u8);
    public bool IsMultipart => Octets.Is(Type, "multipart"u8);
    public bool IsMessage => Octets.Is(Type, "message"u8) && (Octets.Is(Subtype, "rfc822"u8) || Octets.Is(Subtype, "global"u8));

    /// <summary>Reads a value; one that breaks the grammar gets the nearest legal type, as other readers take it.</summary>
    public static MediaTypeValue Parse(ReadOnlySpan<byte> raw)
    {
        int start = Tokens.SkipBlankAndComments(raw, 0);
        int end = Tokens.End(raw, start);
        ReadOnlySpan<byte> type = raw[start..end];
        int at = Tokens.SkipBlankAndComments(raw, end);
        if (at < raw.Length && raw[at] == '/')
        {
            int sub = Tokens.SkipBlankAndComments(raw, at + 1);
            int subEnd = Tokens.End(raw, sub);
            ReadOnlySpan<byte> subtype = raw[sub..subEnd];
            if (!type.IsEmpty && !subtype.IsEmpty) return new(type, subtype, raw[subEnd..]);
            at = subEnd;
        }
        ReadOnlySpan<byte> rest = at < raw.Length ? raw[at..] : default;
        if (type.IsEmpty || Octets.Is(type, "text"u8)) return new("text"u8, "plain"u8, rest);
        if (Octets.Is(type, "multipart"u8)) return new("multipart"u8, "mixed"u8, rest);
        return new("application"u8, "octet-stream"u8, rest);
    }
}
