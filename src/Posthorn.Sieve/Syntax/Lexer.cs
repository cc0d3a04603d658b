using System.Globalization;
using System.Text;

namespace Posthorn.Sieve.Syntax;

/// <summary>Splits a script into tokens (RFC 5228 section 8.1). Never throws; what it cannot read it reports and skips.</summary>
/// <remarks>A bare LF counts as a line end, since scripts on disk have those; inside strings it becomes CRLF.</remarks>
internal sealed class Lexer(string source, Diagnostics diagnostics)
{
    private int _at;
    private int _line = 1;
    private int _lineStart;

    private SourcePosition Here => new(_line, _at - _lineStart + 1);

    public Token Next()
    {
        while (true)
        {
            if (!SkipBlanks()) return new(TokenKind.Bad, Here, "");
            if (_at >= source.Length) return new(TokenKind.End, Here, "");
            SourcePosition start = Here;
            char c = source[_at];
            if (char.IsAsciiLetter(c) || c == '_') return Word(start);
            if (char.IsAsciiDigit(c)) return Number(start);
            if (c == '"') return Quoted(start);
            if (c == ':') return Tag(start);
            if (Separator(c) is { } kind)
            {
                _at++;
                return new(kind, start, c.ToString());
            }
            ReportStray(c, start);
            // One mistake, one error: the rest of a run of stray characters is skipped with it.
            while (_at < source.Length && IsStray(source[_at])) _at++;
            return new(TokenKind.Bad, start, "");
        }
    }

    private static TokenKind? Separator(char c) => c switch
    {
        '[' => TokenKind.LeftBracket,
        ']' => TokenKind.RightBracket,
        '(' => TokenKind.LeftParen,
        ')' => TokenKind.RightParen,
        '{' => TokenKind.LeftBrace,
        '}' => TokenKind.RightBrace,
        ',' => TokenKind.Comma,
        ';' => TokenKind.Semicolon,
        _ => null,
    };

    private static bool IsStray(char c) =>
        !char.IsAsciiLetterOrDigit(c) && c is not ('_' or '"' or ':' or ' ' or '\t' or '\r' or '\n' or '#' or '/') && Separator(c) is null;

    private void ReportStray(char c, SourcePosition start)
    {
        string shown = c is > ' ' and < '\x7f' ? $"'{c}'" : string.Create(CultureInfo.InvariantCulture, $"character U+{(int)c:X4}");
        diagnostics.Error(start, $"unexpected {shown}", c == '\'' ? "strings stand in double quotes" : null);
        _at++;
    }

    private Token Word(SourcePosition start)
    {
        int from = _at;
        while (_at < source.Length && (char.IsAsciiLetterOrDigit(source[_at]) || source[_at] == '_')) _at++;
        string name = source[from.._at];
        if (_at < source.Length && source[_at] == ':' && name.Equals("text", StringComparison.OrdinalIgnoreCase))
        {
            _at++;
            return MultiLine(start);
        }
        return new(TokenKind.Identifier, start, name);
    }

    private Token Tag(SourcePosition start)
    {
        int from = ++_at;
        while (_at < source.Length && (char.IsAsciiLetterOrDigit(source[_at]) || source[_at] == '_')) _at++;
        if (from == _at || char.IsAsciiDigit(source[from]))
        {
            diagnostics.Error(start, "a ':' must be followed by the name of an argument", "for example :is");
            return new(TokenKind.Bad, start, "");
        }
        return new(TokenKind.Tag, start, source[from.._at]);
    }

    private Token Number(SourcePosition start)
    {
        int from = _at;
        UInt128 value = 0; // grows no more once it is too large
        for (; _at < source.Length && char.IsAsciiDigit(source[_at]); _at++)
            if (value <= ulong.MaxValue) value = value * 10 + (uint)(source[_at] - '0');
        if (_at < source.Length)
        {
            int shift = char.ToUpperInvariant(source[_at]) switch { 'K' => 10, 'M' => 20, 'G' => 30, _ => 0 };
            if (shift > 0)
            {
                _at++;
                if (value <= ulong.MaxValue) value <<= shift;
            }
            if (_at < source.Length && (char.IsAsciiLetterOrDigit(source[_at]) || source[_at] == '_'))
            {
                while (_at < source.Length && (char.IsAsciiLetterOrDigit(source[_at]) || source[_at] == '_')) _at++;
                diagnostics.Error(start, $"'{source[from.._at]}' is neither a number nor a name", "numbers end in K, M, G or nothing");
                return new(TokenKind.Number, start, "0");
            }
        }
        bool overflow = value > ulong.MaxValue;
        if (overflow) diagnostics.Error(start, $"the number {source[from.._at]} is too large", "the largest is 18446744073709551615");
        // As Pigeonhole, 64 bits can be written; no message and no time is as long as the upper half of them.
        return new(TokenKind.Number, start, source[from.._at], overflow ? 0 : (long)UInt128.Min(value, long.MaxValue));
    }

    private Token Quoted(SourcePosition start)
    {
        _at++;
        StringBuilder value = new();
        while (_at < source.Length)
        {
            char c = source[_at++];
            switch (c)
            {
                case '"':
                    return new(TokenKind.QuotedString, start, value.ToString());
                case '\\' when _at < source.Length && source[_at] is not ('\r' or '\n' or '\0'):
                    value.Append(source[_at++]);
                    break;
                case '\\':
                    break;
                case '\r' or '\n':
                    LineEnd(c);
                    value.Append("\r\n");
                    break;
                case '\0':
                    diagnostics.Error(new(_line, _at - _lineStart), "a string must not hold a NUL character", "write ${hex:00} and require \"encoded-character\"");
                    break;
                default:
                    value.Append(c);
                    break;
            }
        }
        diagnostics.Error(start, "this string has no end", "add the closing double quote");
        return new(TokenKind.End, Here, "");
    }

    // multi-line = "text:" *(SP / HTAB) (hash-comment / CRLF) … "." CRLF
    private Token MultiLine(SourcePosition start)
    {
        while (_at < source.Length && source[_at] is ' ' or '\t') _at++;
        if (_at < source.Length && source[_at] == '#')
            while (_at < source.Length && source[_at] is not ('\r' or '\n')) _at++;
        if (_at >= source.Length || source[_at] is not ('\r' or '\n'))
        {
            diagnostics.Error(Here, "the text after 'text:' must begin on the next line");
            return new(TokenKind.Bad, start, "");
        }
        LineEnd(source[_at++]);
        StringBuilder value = new();
        while (_at < source.Length)
        {
            int from = _at;
            while (_at < source.Length && source[_at] is not ('\r' or '\n')) _at++;
            ReadOnlySpan<char> line = source.AsSpan(from, _at - from);
            bool ended = _at < source.Length;
            if (line.Contains('\0')) diagnostics.Error(new(_line, 1), "a string must not hold a NUL character");
            if (line is ".")
            {
                if (ended) LineEnd(source[_at++]);
                return new(TokenKind.MultiLine, start, value.ToString());
            }
            value.Append(line.StartsWith("..") ? line[1..] : line).Append("\r\n");
            if (ended) LineEnd(source[_at++]);
        }
        diagnostics.Error(start, "this text has no end", "end it with a line that holds a single '.'");
        return new(TokenKind.End, Here, "");
    }

    // Called with the first character of a line end already taken.
    private void LineEnd(char c)
    {
        if (c == '\r' && _at < source.Length && source[_at] == '\n') _at++;
        _line++;
        _lineStart = _at;
    }

    // False when something was wrong and reported.
    private bool SkipBlanks()
    {
        while (_at < source.Length)
        {
            char c = source[_at];
            if (c is ' ' or '\t') _at++;
            else if (c is '\r' or '\n')
            {
                _at++;
                LineEnd(c);
            }
            else if (c == '#')
                while (_at < source.Length && source[_at] is not ('\r' or '\n')) _at++;
            else if (c == '/')
            {
                if (!BracketComment()) return false;
            }
            else break;
        }
        return true;
    }

    private bool BracketComment()
    {
        SourcePosition start = Here;
        if (_at + 1 >= source.Length || source[_at + 1] != '*')
        {
            _at++;
            diagnostics.Error(start, "unexpected '/'", "comments begin with '#' or '/*'");
            return false;
        }
        _at += 2;
        while (_at < source.Length)
        {
            char c = source[_at++];
            if (c is '\r' or '\n') LineEnd(c);
            else if (c == '*' && _at < source.Length && source[_at] == '/')
            {
                _at++;
                return true;
            }
        }
        diagnostics.Error(start, "this comment has no end", "close it with '*/'");
        return true;
    }
}
