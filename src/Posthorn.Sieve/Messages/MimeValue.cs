using System.Globalization;
using System.Text;

namespace Posthorn.Sieve.Messages;

/// <summary>The value of Content-Type or Content-Disposition: a word or two, and parameters (RFC 2045 section 5.1, RFC 2183, RFC 2231).</summary>
internal sealed class MimeValue
{
    // Above what real mail has; CVE-2024-23184 and its kin came from unbounded parameters.
    private const int MaxParameters = 200;

    private readonly List<(string Name, string Value)> _parameters = [];

    public string Type { get; private init; } = "";

    public string Subtype { get; private init; } = "";

    public static MimeValue? Parse(string text)
    {
        int at = 0;
        SkipBlanks(text, ref at);
        string type = Token(text, ref at);
        if (type.Length == 0) return null;
        string subtype = "";
        SkipBlanks(text, ref at);
        if (at < text.Length && text[at] == '/')
        {
            at++;
            SkipBlanks(text, ref at);
            subtype = Token(text, ref at);
        }
        MimeValue value = new() { Type = type, Subtype = subtype };
        value.ReadParameters(text, at);
        return value;
    }

    /// <summary>The value of a parameter, its pieces joined and decoded.</summary>
    public string? Parameter(string name)
    {
        foreach ((string key, string value) in _parameters)
            if (key.Equals(name, StringComparison.OrdinalIgnoreCase)) return value;
        return Continued(name);
    }

    // name*0, name*1* and so on, or name* alone (RFC 2231 sections 3 and 4).
    private string? Continued(string name)
    {
        StringBuilder raw = new();
        string? charset = null;
        bool any = false;
        for (int i = -1; i < _parameters.Count; i++)
        {
            string key = i < 0 ? name : string.Create(CultureInfo.InvariantCulture, $"{name}*{i}");
            string? plain = i < 0 ? null : Exact(key);
            string? encoded = Exact(key + "*");
            if (plain is null && encoded is null)
            {
                if (i < 0) continue;
                break;
            }
            any = true;
            if (encoded is null)
            {
                foreach (byte b in SieveText.ToUtf8(plain)) raw.Append((char)b);
                continue;
            }
            if (i <= 0 && encoded.Split('\'', 3) is [{ } set, _, { } rest]) (charset, encoded) = (set, rest);
            Percent(encoded, raw);
            if (i < 0) break;
        }
        if (!any) return null;
        byte[] octets = Encoding.Latin1.GetBytes(raw.ToString());
        if (charset is { Length: > 0 } && !charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase))
        {
            try { return Encoding.GetEncoding(charset).GetString(octets); }
            catch (ArgumentException) { return SieveText.FromUtf8(octets); }
        }
        return SieveText.FromUtf8(octets);
    }

    private string? Exact(string key)
    {
        foreach ((string name, string value) in _parameters)
            if (name.Equals(key, StringComparison.OrdinalIgnoreCase)) return value;
        return null;
    }

    private static void Percent(string text, StringBuilder raw)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length && byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte b))
            {
                raw.Append((char)b);
                i += 2;
            }
            else if (text[i] < 256) raw.Append(text[i]);
        }
    }

    private void ReadParameters(string text, int at)
    {
        while (at < text.Length && _parameters.Count < MaxParameters)
        {
            int semicolon = text.IndexOf(';', at);
            if (semicolon < 0) return;
            at = semicolon + 1;
            SkipBlanks(text, ref at);
            string name = Token(text, ref at);
            SkipBlanks(text, ref at);
            if (name.Length == 0 || at >= text.Length || text[at] != '=') continue;
            at++;
            SkipBlanks(text, ref at);
            _parameters.Add((name, at < text.Length && text[at] == '"' ? Quoted(text, ref at) : Loose(text, ref at)));
        }
    }

    private static string Quoted(string text, ref int at)
    {
        StringBuilder value = new();
        at++;
        while (at < text.Length && text[at] != '"')
        {
            if (text[at] == '\\' && at + 1 < text.Length) at++;
            value.Append(text[at++]);
        }
        if (at < text.Length) at++;
        return value.ToString();
    }

    // Senders leave out quotes around names with spaces.
    private static string Loose(string text, ref int at)
    {
        int start = at;
        while (at < text.Length && text[at] != ';') at++;
        return text[start..at].Trim();
    }

    private static string Token(string text, ref int at)
    {
        int start = at;
        while (at < text.Length && text[at] > ' ' && !"()<>@,;:\\\"/[]?=".Contains(text[at], StringComparison.Ordinal)) at++;
        return text[start..at];
    }

    private static void SkipBlanks(string text, ref int at)
    {
        while (at < text.Length)
        {
            if (text[at] == '(')
            {
                int depth = 0;
                do
                {
                    if (text[at] == '(') depth++;
                    else if (text[at] == ')') depth--;
                    at++;
                }
                while (depth > 0 && at < text.Length);
            }
            else if (text[at] <= ' ') at++;
            else return;
        }
    }
}
