using System.Globalization;
using System.Text;

namespace Posthorn.Sieve.Checking;

/// <summary>What stands inside strings: encoded characters (RFC 5228 section 2.4.2.4) and variables (RFC 5229 section 3).</summary>
internal static class StringScanner
{
    /// <summary>Replaces <c>${hex:…}</c> and <c>${unicode:…}</c>; <paramref name="error"/> for a code point that is none.</summary>
    public static string Decode(string text, out string? error)
    {
        error = null;
        if (!text.Contains("${", StringComparison.Ordinal)) return text;
        StringBuilder decoded = new();
        int at = 0;
        while (at < text.Length)
        {
            int start = text.IndexOf("${", at, StringComparison.Ordinal);
            if (start < 0) break;
            decoded.Append(text, at, start - at);
            int end = TryOne(text, start, decoded, ref error);
            if (end < 0)
            {
                decoded.Append('$');
                end = start + 1;
            }
            at = end;
        }
        decoded.Append(text, at, text.Length - at);
        return SieveText.Normalize(decoded.ToString());
    }

    // The end of the sequence at start, or -1 when it is none and stays as it is.
    private static int TryOne(string text, int start, StringBuilder into, ref string? error)
    {
        int close = text.IndexOf('}', start);
        if (close < 0) return -1;
        ReadOnlySpan<char> inner = text.AsSpan(start + 2, close - start - 2);
        bool hex = inner.StartsWith("hex:", StringComparison.OrdinalIgnoreCase);
        if (!hex && !inner.StartsWith("unicode:", StringComparison.OrdinalIgnoreCase)) return -1;
        StringBuilder found = new();
        int count = 0;
        string? bad = null;
        foreach (string word in inner[(hex ? 4 : 8)..].ToString().Split((char[])[' ', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            foreach (char c in word)
                if (!char.IsAsciiHexDigit(c)) return -1;
            if (hex)
            {
                if (word.Length > 2) return -1;
                byte octet = byte.Parse(word, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
                found.Append(octet < 128 ? (char)octet : (char)('\uDC00' + octet));
            }
            else
            {
                string digits = word.TrimStart('0');
                int code = digits.Length > 6 ? int.MaxValue : digits.Length == 0 ? 0 : int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
                if (Rune.IsValid(code)) found.Append(new Rune(code).ToString());
                else
                {
                    bad = $"{word} is no Unicode character";
                    found.Append('?'); // so that nothing else is wrong for want of a character
                }
            }
            count++;
        }
        if (count == 0) return -1;
        error ??= bad;
        into.Append(found);
        return close + 1;
    }

    /// <summary>One reference to a variable inside a string.</summary>
    public readonly record struct Reference(int Start, int End, string Name);

    /// <summary>The references <c>${name}</c> of a string, in order (RFC 5229 section 3).</summary>
    public static List<Reference> References(string text)
    {
        List<Reference> found = [];
        int at = 0;
        while ((at = text.IndexOf("${", at, StringComparison.Ordinal)) >= 0)
        {
            int end = at + 2;
            while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] is '_' or '.')) end++;
            if (end < text.Length && text[end] == '}' && IsName(text.AsSpan(at + 2, end - at - 2)))
            {
                found.Add(new(at, end + 1, text[(at + 2)..end]));
                at = end + 1;
            }
            else at++;
        }
        return found;
    }

    // [identifier "." *(variable-name ".")] variable-name
    private static bool IsName(ReadOnlySpan<char> name)
    {
        bool first = true;
        int dots = name.Count('.');
        foreach (Range range in name.Split('.'))
        {
            ReadOnlySpan<char> piece = name[range];
            if (piece.IsEmpty) return false;
            if (!IsIdentifier(piece) && (!IsDigits(piece) || first && dots > 0)) return false;
            first = false;
        }
        return true;
    }

    public static bool IsIdentifier(ReadOnlySpan<char> name)
    {
        if (name.IsEmpty || char.IsAsciiDigit(name[0])) return false;
        foreach (char c in name)
            if (!char.IsAsciiLetterOrDigit(c) && c != '_') return false;
        return true;
    }

    public static bool IsDigits(ReadOnlySpan<char> name) => !name.IsEmpty && name.IndexOfAnyExceptInRange('0', '9') < 0;
}
