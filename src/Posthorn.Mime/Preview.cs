using System.Net;
using System.Text;

namespace Posthorn.Mime;

/// <summary>The first words of a message, for lists (RFC 8970).</summary>
public static class Preview
{
    /// <summary>The length that RFC 8970 section 3.3 recommends, in characters.</summary>
    public const int MaxCharacters = 200;

    // Text that is looked at: enough to get past style sheets and quotations, little enough to cost nothing.
    private const int MaxText = 64 * 1024;

    // Of plain text a few lines are enough nearly always; the rest is decoded only when they were not.
    private const int FirstText = 1024;

    /// <summary>At most 200 characters of the first part with text in it, markup and quoted lines left out, blanks joined; empty if there is none.</summary>
    public static string Make(ReadOnlyMemory<byte> message, MimeStructure structure, MimeLimits limits)
    {
        for (int i = 0; i < Math.Min(structure.Count, 100); i++)
        {
            MimePart part = new(structure, i);
            if (part.Kind != PartKind.Text) continue;
            PartContent content = PartContent.Read(part, message.Span, limits);
            if (content.Disposition == "attachment") continue;
            string preview = content.Subtype == "html" ? Shorten(HtmlText.Strip(Text(message, part, content, MaxText)), quotes: true, out _) : PlainPreview(message, part, content);
            if (preview.Length > 0) return preview;
        }
        return "";
    }

    private static string PlainPreview(ReadOnlyMemory<byte> message, MimePart part, PartContent content)
    {
        string preview;
        if (part.Body(message.Span).Length > FirstText)
        {
            preview = Shorten(Text(message, part, content, FirstText), quotes: false, out bool full);
            if (full) return preview;
        }
        string text = Text(message, part, content, MaxText);
        preview = Shorten(text, quotes: false, out _);
        return preview.Length > 0 ? preview : Shorten(text, quotes: true, out _);
    }

    private static string Text(ReadOnlyMemory<byte> message, MimePart part, PartContent content, int most)
    {
        Decoder decoder = (content.Charset is null ? Charsets.Guess : Charsets.Find(Encoding.Latin1.GetBytes(content.Charset))).GetDecoder();
        ReadOnlySpan<byte> body = part.Body(message.Span);
        bool whole = body.Length <= most;
        if (!whole) body = body[..most];
        System.Buffers.ArrayBufferWriter<byte> bytes = new(Math.Max(body.Length, 1)); // decoding never makes it longer
        new TransferDecoder(part.Encoding).Decode(body, whole, bytes);
        char[] chars = System.Buffers.ArrayPool<char>.Shared.Rent(decoder.GetCharCount(bytes.WrittenSpan, whole));
        string text = new(chars, 0, decoder.GetChars(bytes.WrittenSpan, chars, whole));
        System.Buffers.ArrayPool<char>.Shared.Return(chars);
        return text;
    }

    private static string Shorten(string text, bool quotes, out bool full)
    {
        full = true;
        StringBuilder output = new(MaxCharacters);
        Span<char> encoded = stackalloc char[2];
        int count = 0;
        bool gap = false;
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (!quotes && line.StartsWith('>')) continue;
            gap = true;
            foreach (Rune rune in line.EnumerateRunes())
            {
                if (Rune.IsWhiteSpace(rune) || Rune.IsControl(rune) || rune.Value is 0xFEFF or 0x200B or 0x200C or 0x034F or 0xAD)
                {
                    gap = true;
                    continue;
                }
                if (gap && count > 0)
                {
                    if (count + 1 >= MaxCharacters) return output.ToString();
                    output.Append(' ');
                    count++;
                }
                gap = false;
                output.Append(encoded[..rune.EncodeToUtf16(encoded)]);
                if (++count >= MaxCharacters) return output.ToString();
            }
        }
        full = false;
        return output.ToString();
    }
}

/// <summary>Takes the markup off HTML, roughly: enough for a preview.</summary>
internal static class HtmlText
{
    private static readonly string[] Hidden = ["style", "script", "head", "title"];

    private static readonly System.Buffers.SearchValues<char> BehindName = System.Buffers.SearchValues.Create(" >/\t\r\n");

    public static string Strip(string html)
    {
        StringBuilder text = new(html.Length);
        int at = 0;
        while (at < html.Length)
        {
            int open = html.IndexOf('<', at);
            if (open < 0) open = html.Length;
            text.Append(html, at, open - at);
            if (open >= html.Length) break;
            at = TagEnd(html, open);
            // Words on both sides of most tags are apart.
            text.Append(IsInline(html.AsSpan(open, at - open)) ? "" : " ");
        }
        return WebUtility.HtmlDecode(text.ToString());
    }

    private static int TagEnd(string html, int open)
    {
        if (string.CompareOrdinal(html, open, "<!--", 0, 4) == 0) return Behind(html, "-->", open + 4);
        foreach (string name in Hidden)
        {
            if (string.Compare(html, open + 1, name, 0, name.Length, StringComparison.OrdinalIgnoreCase) != 0) continue;
            int next = open + 1 + name.Length;
            if (next < html.Length && char.IsAsciiLetterOrDigit(html[next])) continue;
            // A hidden element that never ends hides the rest.
            int close = Behind(html, "</" + name, next);
            return close >= html.Length ? html.Length : Behind(html, ">", close);
        }
        return Behind(html, ">", open + 1);
    }

    private static int Behind(string html, string mark, int from)
    {
        int at = html.IndexOf(mark, Math.Min(from, html.Length), StringComparison.OrdinalIgnoreCase);
        return at < 0 ? html.Length : at + mark.Length;
    }

    private static bool IsInline(ReadOnlySpan<char> tag)
    {
        ReadOnlySpan<char> name = tag.TrimStart("</");
        int end = name.IndexOfAny(BehindName);
        if (end >= 0) name = name[..end];
        return name is "b" or "B" or "i" or "I" or "em" or "EM" or "strong" or "STRONG" or "span" or "SPAN" or "a" or "A" or "font" or "FONT" or "u" or "U";
    }
}
