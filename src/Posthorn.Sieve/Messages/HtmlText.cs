using System.Globalization;
using System.Text;

namespace Posthorn.Sieve.Messages;

/// <summary>The text of HTML without its markup, roughly, for searching (RFC 5173 section 5.3, RFC 5703 section 7). Linear, and content with any input.</summary>
internal static class HtmlText
{
    // The longest name of a character that is looked up: &thetasym;
    private const int MaxEntity = 10;

    public static bool IsHtml(ISievePart part) => part is { Type: "text", Subtype: "html" } or { Type: "application", Subtype: "xhtml+xml" };

    /// <summary>A part's text; of HTML only what a reader sees.</summary>
    public static string OfPart(ISievePart part, string text) => IsHtml(part) ? Strip(text) : text;

    public static string Strip(string html)
    {
        StringBuilder text = new(html.Length);
        for (int i = 0; i < html.Length;)
        {
            switch (html[i])
            {
                case '<' when StartsTag(html, i): i = SkipTag(html, i, text); break;
                case '&': i = Entity(html, i, text); break;
                default: text.Append(html[i++]); break;
            }
        }
        return text.ToString();
    }

    // "a < b" is no tag.
    private static bool StartsTag(string html, int at) => at + 1 < html.Length && (char.IsAsciiLetter(html[at + 1]) || html[at + 1] is '/' or '!' or '?');

    private static int SkipTag(string html, int at, StringBuilder text)
    {
        if (string.CompareOrdinal(html, at, "<!--", 0, 4) == 0)
        {
            int close = html.IndexOf("-->", at + 4, StringComparison.Ordinal);
            return close < 0 ? html.Length : close + 3;
        }
        int end = at + 1;
        for (char quote = '\0'; end < html.Length && (quote != '\0' || html[end] != '>'); end++)
        {
            if (quote != '\0') quote = html[end] == quote ? '\0' : quote;
            else if (html[end] is '"' or '\'') quote = html[end];
        }
        string name = Name(html, at + 1);
        end = Math.Min(end + 1, html.Length);
        if (name is not ("script" or "style"))
        {
            if (name is "br" or "p" or "div" or "tr" or "li" or "td") text.Append(' ');
            return end;
        }
        int over = html.IndexOf("</" + name, end, StringComparison.OrdinalIgnoreCase);
        return over < 0 ? html.Length : over;
    }

    private static string Name(string html, int at)
    {
        int end = at;
        while (end < html.Length && end - at < 12 && char.IsAsciiLetterOrDigit(html[end])) end++;
        return html[at..end].ToLowerInvariant();
    }

    private static int Entity(string html, int at, StringBuilder text)
    {
        int length = html.AsSpan(at, Math.Min(MaxEntity + 2, html.Length - at)).IndexOf(';');
        string? meaning = length < 0 ? null : Meaning(html.Substring(at + 1, length - 1));
        text.Append(meaning ?? "&");
        return meaning is null ? at + 1 : at + length + 1;
    }

    private static string? Meaning(string name)
    {
        if (name.StartsWith('#'))
        {
            bool hex = name.Length > 2 && name[1] is 'x' or 'X';
            return int.TryParse(name.AsSpan(hex ? 2 : 1), hex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out int code) && Rune.IsValid(code)
                ? new Rune(code).ToString()
                : null;
        }
        return name switch { "lt" => "<", "gt" => ">", "amp" => "&", "quot" => "\"", "apos" => "'", "nbsp" => " ", _ => null };
    }
}
