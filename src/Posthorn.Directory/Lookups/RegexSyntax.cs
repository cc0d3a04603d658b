using System.Text;
using System.Text.RegularExpressions;

namespace Posthorn.Directory.Lookups;

/// <summary>Makes .NET's regular expressions of POSIX's (with GNU's escapes, as Postfix has them on Linux) and Perl's.</summary>
internal static class RegexSyntax
{
    private const RegexOptions Base = RegexOptions.CultureInvariant | RegexOptions.IgnoreCase;

    /// <summary>regexp_table(5): extended and without regard to case, unless a flag switches that over.</summary>
    public static Regex? FromPosix(string pattern, string flags, TimeSpan patternTime, out string fault)
    {
        RegexOptions options = Base | RegexOptions.Singleline;
        bool extended = true;
        fault = "";
        foreach (char flag in flags)
        {
            switch (flag)
            {
                case 'i': options ^= RegexOptions.IgnoreCase; break;
                case 'm': options ^= RegexOptions.Multiline | RegexOptions.Singleline; break;
                case 'x': extended = !extended; break;
                default: fault = $"'{flag}' is no flag of a regexp table; known are i, m, x"; return null;
            }
        }
        return Make(Translate(pattern, extended ? Dialect.Extended : Dialect.Basic), options, patternTime);
    }

    /// <summary>pcre_table(5).</summary>
    public static Regex? FromPerl(string pattern, string flags, TimeSpan patternTime, out string fault)
    {
        RegexOptions options = Base | RegexOptions.Singleline;
        bool anchored = false;
        fault = "";
        foreach (char flag in flags)
        {
            switch (flag)
            {
                case 'i': options ^= RegexOptions.IgnoreCase; break;
                case 'm': options ^= RegexOptions.Multiline; break;
                case 's': options ^= RegexOptions.Singleline; break;
                case 'x': options ^= RegexOptions.IgnorePatternWhitespace; break;
                case 'A': anchored = !anchored; break;
                case 'E' or 'X': break; // keys have no line end at which they could differ; the other means nothing since PCRE2
                case 'U': fault = "the flag U (short matches first) is not supported; write *? and +? in the pattern"; return null;
                default: fault = $"'{flag}' is no flag of a pcre table; known are i, m, s, x, A, E, X"; return null;
            }
        }
        string translated = Translate(pattern, Dialect.Perl);
        return Make(anchored ? $@"\A(?:{translated})" : translated, options, patternTime);
    }

    private static Regex Make(string pattern, RegexOptions options, TimeSpan patternTime)
    {
        // What runs in time linear in a key of bounded length needs no deadline, which a busy machine would miss for it.
        try { return new(pattern, options | RegexOptions.NonBacktracking); }
        catch (NotSupportedException) { return new(pattern, options, patternTime); }
    }

    private enum Dialect { Extended, Basic, Perl }

    private static string Translate(string pattern, Dialect dialect)
    {
        StringBuilder to = new();
        bool first = true; // where an operator would have nothing before it
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            bool wasFirst = first;
            first = false;
            if (c == '[') Bracket(pattern, ref i, to, dialect);
            else if (c == '\\' && i + 1 < pattern.Length)
            {
                if (pattern.AsSpan(i).StartsWith(@"\Q", StringComparison.Ordinal) && dialect == Dialect.Perl)
                {
                    int end = pattern.IndexOf(@"\E", i, StringComparison.Ordinal);
                    to.Append(Regex.Escape(end < 0 ? pattern[(i + 2)..] : pattern[(i + 2)..end]));
                    i = end < 0 ? pattern.Length : end + 1;
                    continue;
                }
                first = Escaped(pattern[++i], to, dialect);
            }
            else if (dialect == Dialect.Basic) first = BasicCharacter(c, wasFirst, i == pattern.Length - 1, pattern, i, to);
            else if (dialect == Dialect.Perl && c == '(' && pattern.AsSpan(i).StartsWith("(?P<", StringComparison.Ordinal))
            {
                to.Append("(?<");
                i += 3;
            }
            else if (dialect == Dialect.Extended && c == '{' && pattern.AsSpan(i).StartsWith("{,", StringComparison.Ordinal))
            {
                to.Append("{0,");
                i++;
            }
            else if (dialect == Dialect.Extended && c == '(' && i + 1 < pattern.Length && pattern[i + 1] == '?') throw new ArgumentException("a '?' has nothing before it that it could repeat");
            else if (dialect == Dialect.Extended && c is '*' or '+' or '?' && i > 0 && pattern[i - 1] is '*' or '+' or '?')
            {
                // In POSIX a repetition can be repeated; in .NET the second sign would mean something else. ** is *, +? and the like are *.
                if (to.Length > 0 && !(to[^1] == c)) to[^1] = '*';
            }
            else to.Append(c);
        }
        return to.ToString();
    }

    // Basic expressions: operators are the escaped ones.
    private static bool BasicCharacter(char c, bool wasFirst, bool isLast, string pattern, int i, StringBuilder to)
    {
        bool closes = pattern.AsSpan(i + 1).StartsWith(@"\)", StringComparison.Ordinal) || pattern.AsSpan(i + 1).StartsWith(@"\|", StringComparison.Ordinal);
        switch (c)
        {
            case '*' when wasFirst: to.Append(@"\*"); return false;
            case '^' when wasFirst: to.Append('^'); return true;
            case '^': to.Append(@"\^"); return false;
            case '$' when !isLast && !closes: to.Append(@"\$"); return false;
            case '+' or '?' or '|' or '(' or ')' or '{' or '}': to.Append('\\').Append(c); return false;
            default: to.Append(c); return false;
        }
    }

    // True when what follows has nothing before it.
    private static bool Escaped(char c, StringBuilder to, Dialect dialect)
    {
        if (Class(c) is { } set && (dialect == Dialect.Perl || c is not ('d' or 'D')))
        {
            to.Append(char.IsUpper(c) ? $"[^{set}]" : $"[{set}]");
            return false;
        }
        if (dialect == Dialect.Perl)
        {
            to.Append(c switch { 'h' => @"[ \t]", 'H' => @"[^ \t]", 'N' => "[^\n]", _ => $"\\{c}" });
            return false;
        }
        if (dialect == Dialect.Basic && c is '(' or ')' or '{' or '}' or '+' or '?' or '|')
        {
            to.Append(c);
            return c is '(' or '|';
        }
        string text = c switch
        {
            '<' => @"\b(?=[A-Za-z0-9_])", '>' => @"\b(?<=[A-Za-z0-9_])", 'b' or 'B' => $"\\{c}", '`' => @"\A", '\'' => @"\z",
            >= '1' and <= '9' => $"\\{c}",
            _ => Regex.Escape(c.ToString()) is var escaped && c is ']' or '}' or '/' or '"' or '-' ? $"\\{c}" : escaped,
        };
        to.Append(text);
        return false;
    }

    // In POSIX and, without UTF, in Perl these mean ASCII alone.
    private static string? Class(char c) => char.ToLowerInvariant(c) switch
    {
        'w' => "A-Za-z0-9_",
        's' => @" \t\n\r\f\v",
        'd' => "0-9",
        _ => null,
    };

    private static void Bracket(string pattern, ref int i, StringBuilder to, Dialect dialect)
    {
        int at = i + 1;
        to.Append('[');
        if (at < pattern.Length && pattern[at] == '^')
        {
            to.Append('^');
            at++;
        }
        bool isFirst = true;
        for (; at < pattern.Length && (pattern[at] != ']' || isFirst); at++, isFirst = false)
        {
            char c = pattern[at];
            if (c == '[' && at + 1 < pattern.Length && pattern[at + 1] is ':' or '.' or '=')
            {
                int end = pattern.IndexOf($"{pattern[at + 1]}]", at + 2, StringComparison.Ordinal);
                if (end < 0) throw new ArgumentException("a character class has no end");
                string name = pattern[(at + 2)..end];
                to.Append(pattern[at + 1] == ':' ? Named(name) : Literal(name is [var only] ? only : throw new ArgumentException($"[{pattern[at + 1]}{name}{pattern[at + 1]}] is not supported")));
                at = end + 1;
            }
            else if (c == '\\' && dialect == Dialect.Perl && at + 1 < pattern.Length)
            {
                char escaped = pattern[++at];
                to.Append(char.IsLower(escaped) && Class(escaped) is { } set ? set : escaped == 'h' ? @" \t" : $"\\{escaped}");
            }
            else if (c == '-') to.Append(pattern[at - 1] is '[' or '^' || at + 1 < pattern.Length && pattern[at + 1] == ']' ? @"\-" : "-");
            else to.Append(Literal(c));
        }
        if (at >= pattern.Length) throw new ArgumentException("a [ has no ]");
        to.Append(']');
        i = at;
    }

    private static string Literal(char c) => c is '\\' or '[' or ']' or '^' or '-' ? $"\\{c}" : c.ToString();

    private static string Named(string name) => name switch
    {
        "alpha" => "A-Za-z",
        "digit" => "0-9",
        "alnum" => "A-Za-z0-9",
        "upper" => "A-Z",
        "lower" => "a-z",
        "space" => @" \t\n\r\f\v",
        "blank" => @" \t",
        "punct" => @"!-/:-@\[-`{-~",
        "xdigit" => "0-9A-Fa-f",
        "cntrl" => @"\x00-\x1f\x7f",
        "print" => @"\x20-\x7e",
        "graph" => @"\x21-\x7e",
        "word" => "A-Za-z0-9_",
        _ => throw new ArgumentException($"[:{name}:] is no character class"),
    };
}
