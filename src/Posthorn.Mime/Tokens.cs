using System.Buffers;

namespace Posthorn.Mime;

/// <summary>The lexical pieces that structured fields share: blanks, comments, quoted strings, tokens (RFC 2045 section 5.1, RFC 5322 section 3.2).</summary>
internal static class Tokens
{
    private static readonly SearchValues<byte> NotToken = SearchValues.Create(
        [.. Enumerable.Range(0, 33).Select(b => (byte)b), 127, .. "()<>@,;:\\\"/[]?="u8]);

    /// <summary>The first place at or behind <paramref name="at"/> that is neither blank nor inside a comment.</summary>
    public static int SkipBlankAndComments(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length)
        {
            if (Octets.IsBlank(text[at])) at++;
            else if (text[at] == '(') at = CommentEnd(text, at);
            else break;
        }
        return at;
    }

    /// <summary>Behind the comment that opens at <paramref name="at"/>; an open one reaches to the end. Counts, does not recurse.</summary>
    public static int CommentEnd(ReadOnlySpan<byte> text, int at)
    {
        int depth = 0;
        while (at < text.Length)
        {
            int next = text[at..].IndexOfAny((byte)'(', (byte)')', (byte)'\\');
            if (next < 0) return text.Length;
            at += next;
            byte b = text[at++];
            if (b == '\\') at = Math.Min(at + 1, text.Length);
            else if (b == '(') depth++;
            else if (--depth <= 0) return at;
        }
        return at;
    }

    /// <summary>Behind the quoted string that opens at <paramref name="at"/>; an open one reaches to the end.</summary>
    public static int QuotedEnd(ReadOnlySpan<byte> text, int at)
    {
        at++;
        while (at < text.Length)
        {
            int next = text[at..].IndexOfAny((byte)'"', (byte)'\\');
            if (next < 0) return text.Length;
            at += next;
            if (text[at] == '"') return at + 1;
            at = Math.Min(at + 2, text.Length);
        }
        return at;
    }

    /// <summary>The inside of what <see cref="QuotedEnd"/> measured.</summary>
    public static ReadOnlySpan<byte> Inside(ReadOnlySpan<byte> quoted)
    {
        ReadOnlySpan<byte> inner = quoted[1..];
        // The last quote closes only if it is not escaped; QuotedEnd went to the end of the text otherwise.
        return inner.Length > 0 && inner[^1] == '"' && !EndsEscaped(inner) ? inner[..^1] : inner;
    }

    /// <summary>The end of a MIME token that starts at <paramref name="at"/>.</summary>
    public static int End(ReadOnlySpan<byte> text, int at)
    {
        int length = text[at..].IndexOfAny(NotToken);
        return length < 0 ? text.Length : at + length;
    }

    /// <summary>token of RFC 2045 section 5.1, with 8-bit bytes let through.</summary>
    public static bool IsToken(byte b) => !NotToken.Contains(b);

    private static bool EndsEscaped(ReadOnlySpan<byte> inner)
    {
        int back = 0;
        for (int i = inner.Length - 2; i >= 0 && inner[i] == '\\'; i--) back++;
        return (back & 1) == 1;
    }

    /// <summary>Writes the inside of a quoted string or comment without escapes and folds.</summary>
    public static void Unescape(scoped ReadOnlySpan<byte> inner, ref ByteScratch output)
    {
        int at = 0;
        while (at < inner.Length)
        {
            int next = inner[at..].IndexOfAny((byte)'\\', (byte)'\r', (byte)'\n');
            if (next < 0) break;
            output.Append(inner.Slice(at, next));
            at += next;
            if (inner[at] == '\\' && at + 1 < inner.Length) output.Append(inner[++at]);
            at++;
        }
        if (at < inner.Length) output.Append(inner[at..]);
    }
}
