using System.Text;

namespace Posthorn.Mime;

/// <summary>A subject without "Re:", "Fwd:" and their like, for SORT and THREAD (RFC 5256 section 2.1).</summary>
/// <param name="Text">The base subject; compared with i;unicode-casemap.</param>
/// <param name="IsReplyOrForward">True if a mark of a reply or a forward was removed (RFC 5256 section 3, REFERENCES).</param>
public readonly record struct BaseSubject(string Text, bool IsReplyOrForward)
{
    /// <summary>Takes a raw Subject value.</summary>
    public static BaseSubject Of(ReadOnlySpan<byte> raw, MimeLimits limits) =>
        OfText(EncodedWord.Decode(raw[..Math.Min(raw.Length, limits.MaxValueBytes)]));

    /// <summary>Takes a decoded subject.</summary>
    public static BaseSubject OfText(string subject)
    {
        ReadOnlySpan<char> text = Spaced(subject);
        bool marked = false;
        while (true)
        {
            text = Trailers(text, ref marked);
            text = Leaders(text, ref marked);
            // Step 6: [fwd: … ] is unwrapped and all begins again.
            if (text.Length < 6 || !text.StartsWith("[fwd:", StringComparison.OrdinalIgnoreCase) || text[^1] != ']') break;
            text = text[5..^1];
            marked = true;
        }
        return new(text.ToString(), marked);
    }

    // Step 1: tabs and folds to blanks, runs of blanks to one.
    private static string Spaced(string subject)
    {
        StringBuilder text = new(subject.Length);
        foreach (char c in subject)
        {
            if (c is not (' ' or '\t' or '\r' or '\n')) text.Append(c);
            else if (text.Length == 0 || text[^1] != ' ') text.Append(' ');
        }
        return text.ToString();
    }

    // Step 2.
    private static ReadOnlySpan<char> Trailers(ReadOnlySpan<char> text, scoped ref bool marked)
    {
        while (true)
        {
            text = text.TrimEnd(' ');
            if (!text.EndsWith("(fwd)", StringComparison.OrdinalIgnoreCase)) return text;
            text = text[..^5];
            marked = true;
        }
    }

    // Steps 3 to 5. Blobs are walked once: if no "re:" follows them, step 4 removes them one by one while something is left.
    private static ReadOnlySpan<char> Leaders(ReadOnlySpan<char> text, scoped ref bool marked)
    {
        while (true)
        {
            text = text.TrimStart(' ');
            int behind = 0, last = 0;
            for (int blob = Blob(text); blob > 0; blob = Blob(text[behind..]))
            {
                last = behind;
                behind += blob;
            }
            int reply = Reply(text[behind..]);
            if (reply == 0) return text[(behind < text.Length ? behind : last)..];
            text = text[(behind + reply)..];
            marked = true;
        }
    }

    // subj-blob = "[" *BLOBCHAR "]" *WSP; its length or 0.
    private static int Blob(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text[0] != '[') return 0;
        int end = text[1..].IndexOfAny('[', ']');
        if (end < 0 || text[end + 1] != ']') return 0;
        end += 2;
        while (end < text.Length && text[end] == ' ') end++;
        return end;
    }

    // subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"; its length or 0.
    private static int Reply(ReadOnlySpan<char> text)
    {
        int at = text.StartsWith("re", StringComparison.OrdinalIgnoreCase) ? 2
            : text.StartsWith("fwd", StringComparison.OrdinalIgnoreCase) ? 3
            : text.StartsWith("fw", StringComparison.OrdinalIgnoreCase) ? 2 : 0;
        if (at == 0) return 0;
        while (at < text.Length && text[at] == ' ') at++;
        at += Blob(text[at..]);
        return at < text.Length && text[at] == ':' ? at + 1 : 0;
    }
}
