using System.Text;

namespace Posthorn.Sieve.Messages;

/// <summary>One mailbox of an address list. <see cref="IsValid"/> is false for text that is no address.</summary>
internal readonly record struct ParsedAddress(string LocalPart, string Domain, bool IsValid, string Raw)
{
    /// <summary>The whole address as text, without source route and comments.</summary>
    public string All => !IsValid ? Raw : Domain.Length == 0 ? LocalPart : $"{Quoted}@{Domain}";

    // The local part as it is written in an address.
    private string Quoted
    {
        get
        {
            foreach (char c in LocalPart)
                if (c < 128 && !char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-/=?^_`{|}~.".Contains(c, StringComparison.Ordinal))
                    return $"\"{LocalPart.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
            return LocalPart;
        }
    }
}

/// <summary>Reads the address lists of RFC 5322 section 3.4, groups and comments included; bad pieces become invalid entries.</summary>
internal ref struct AddressParser
{
    // More addresses in one field than any real message has.
    private const int MaxAddresses = 5_000;

    private readonly ReadOnlySpan<char> _text;
    private int _at;

    private AddressParser(ReadOnlySpan<char> text) => _text = text;

    public static List<ParsedAddress> Parse(string text)
    {
        List<ParsedAddress> found = [];
        AddressParser parser = new(text);
        while (parser._at < text.Length && found.Count < MaxAddresses)
            if (parser.Next(out ParsedAddress address)) found.Add(address);
        return found;
    }

    /// <summary>Reads exactly one <c>addr-spec</c> or <c>phrase &lt;addr-spec&gt;</c> (RFC 5228 section 2.4.2.3).</summary>
    public static ParsedAddress? ParseOne(string text)
    {
        if (text.AsSpan().IndexOfAny('\r', '\n') >= 0) return null;
        List<ParsedAddress> found = Parse(text);
        return found is [{ IsValid: true, Domain.Length: > 0 } one] && !text.Contains("<@", StringComparison.Ordinal) && !text.Contains(';', StringComparison.Ordinal) ? one : null;
    }

    // One element of the list, up to the ',' or ';' after it.
    private bool Next(out ParsedAddress address)
    {
        StringBuilder words = new();   // what stood before '<' or is the address itself
        string? angle = null;
        bool bad = false;
        bool quotedWhole = false;
        int start = _at;
        address = default;
        while (_at < _text.Length)
        {
            char c = _text[_at];
            switch (c)
            {
                case ',' or ';':
                    return Finish(ref address, start, words, angle, bad, quotedWhole, skip: 1);
                case ':' when angle is null:
                    // A group's name ends here; its members follow.
                    _at++;
                    words.Clear();
                    bad = quotedWhole = false;
                    start = _at;
                    break;
                case '(':
                    SkipComment();
                    break;
                case '"':
                    quotedWhole = true;
                    words.Append(Quoted());
                    break;
                case '<':
                    bad |= angle is not null;
                    angle = Angle(ref bad);
                    break;
                case '>':
                    bad = true;
                    _at++;
                    break;
                case ' ' or '\t' or '\r' or '\n':
                    if (words.Length > 0 && words[^1] != ' ') words.Append(' ');
                    _at++;
                    break;
                case '[':
                    words.Append(DomainLiteral());
                    break;
                default:
                    bad |= angle is not null;
                    words.Append(c);
                    _at++;
                    break;
            }
        }
        return Finish(ref address, start, words, angle, bad, quotedWhole, skip: 0);
    }

    private bool Finish(ref ParsedAddress address, int start, StringBuilder words, string? angle, bool bad, bool quoted, int skip)
    {
        string raw = _text[start.._at].Trim(" \t\r\n").ToString();
        _at += skip;
        if (angle is null && words.ToString().Trim().Length == 0 && !quoted) return false;
        string spec = angle ?? words.ToString().Trim();
        if (!bad && Spec(spec, out string local, out string domain)) address = new(local, domain, true, raw);
        else if (!bad && angle is { Length: 0 }) address = new("", "", true, "");
        else address = new("", "", false, raw);
        return true;
    }

    // addr-spec, with a local part alone allowed, as old senders write it; spaces around the dots and the @ go.
    private static bool Spec(string spec, out string local, out string domain)
    {
        local = domain = "";
        int at = spec.LastIndexOf('@');
        string left = at < 0 ? spec : spec[..at];
        string right = at < 0 ? "" : spec[(at + 1)..];
        left = left.Trim();
        right = right.Trim();
        if (left.Length == 0 || at >= 0 && right.Length == 0) return false;
        if (left[0] == '"')
        {
            if (left.Length < 2 || left[^1] != '"') return false;
            StringBuilder plain = new();
            for (int i = 1; i < left.Length - 1; i++)
            {
                if (left[i] == '\\' && i + 1 < left.Length - 1) i++;
                else if (left[i] == '"') return false;
                plain.Append(left[i]);
            }
            local = plain.ToString();
        }
        else
        {
            left = left.Replace(" .", ".", StringComparison.Ordinal).Replace(". ", ".", StringComparison.Ordinal);
            foreach (char c in left)
                if (c is <= ' ' or '\x7f' or '@' or '<' or '>' or '(' or ')' or '[' or ']' or ':' or '"' or '\\') return false;
            if (at < 0 && left.Contains(' ', StringComparison.Ordinal)) return false;
            local = left;
        }
        if (at < 0) return true;
        right = right.Replace(" .", ".", StringComparison.Ordinal).Replace(". ", ".", StringComparison.Ordinal);
        if (right[0] == '[')
        {
            domain = right;
            return right[^1] == ']';
        }
        char last = '.';
        foreach (char c in right)
        {
            if (c < 128 && !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '_')) return false;
            if (c == '.' && last == '.') return false;
            last = c;
        }
        domain = right.TrimEnd('.');
        return domain.Length > 0;
    }

    private void SkipComment()
    {
        int depth = 0;
        while (_at < _text.Length)
        {
            char c = _text[_at++];
            if (c == '\\') _at++;
            else if (c == '(') depth++;
            else if (c == ')' && --depth == 0) return;
        }
        _at = Math.Min(_at, _text.Length);
    }

    private string Quoted()
    {
        int start = _at++;
        while (_at < _text.Length)
        {
            char c = _text[_at++];
            if (c == '\\' && _at < _text.Length) _at++;
            else if (c == '"') break;
        }
        return _text[start.._at].ToString();
    }

    private string DomainLiteral()
    {
        int start = _at;
        while (_at < _text.Length && _text[_at] is not (']' or '>' or ',')) _at++;
        if (_at < _text.Length && _text[_at] == ']') _at++;
        return _text[start.._at].ToString();
    }

    // What stands between < and >, without a source route.
    private string Angle(ref bool bad)
    {
        _at++;
        StringBuilder spec = new();
        while (_at < _text.Length)
        {
            char c = _text[_at];
            if (c == '>')
            {
                _at++;
                string whole = spec.ToString().Trim();
                if (whole.StartsWith('@') && whole.IndexOf(':', StringComparison.Ordinal) is > 0 and int colon) whole = whole[(colon + 1)..];
                return whole;
            }
            if (c == '"') spec.Append(Quoted());
            else if (c == '(') SkipComment();
            else
            {
                spec.Append(c);
                _at++;
            }
        }
        bad = true;
        return spec.ToString();
    }
}
