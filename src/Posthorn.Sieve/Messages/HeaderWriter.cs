using System.Text;

namespace Posthorn.Sieve.Messages;

/// <summary>Writes header fields: folded, with encoded words where there is more than ASCII (RFC 5322 section 2.2.3, RFC 2047).</summary>
internal static class HeaderWriter
{
    private const int LineLength = 76;

    /// <summary>A whole field with its line end.</summary>
    public static byte[] Field(string name, string value, ReadOnlySpan<byte> newLine)
    {
        value = OneLine(value.Trim(' ', '\t', '\r', '\n'));
        string folded = Fold(name.Length + 2, System.Text.Ascii.IsValid(value) ? Plain(value) : Encoded(value), Encoding.ASCII.GetString(newLine));
        return SieveText.ToUtf8($"{name}: {folded}{Encoding.ASCII.GetString(newLine)}");
    }

    /// <summary>A value for a header that is put together elsewhere, in encoded words where it must be.</summary>
    public static string Value(string value) =>
        System.Text.Ascii.IsValid(value) ? value : string.Join(' ', Encoded(value));

    // A line end inside the value, with the blanks that fold after it, becomes one blank.
    private static string OneLine(string value)
    {
        if (value.AsSpan().IndexOfAny('\r', '\n') < 0) return value;
        StringBuilder line = new(value.Length);
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] is not ('\r' or '\n'))
            {
                line.Append(value[i]);
                continue;
            }
            while (i + 1 < value.Length && value[i + 1] is (' ' or '\t' or '\r' or '\n')) i++;
            line.Append(' ');
        }
        return line.ToString();
    }

    // The words between blanks can stand on lines of their own.
    private static List<string> Plain(string value) => [.. value.Split(' ')];

    private static List<string> Encoded(string value)
    {
        // 45 octets make a word of 75 characters with =?UTF-8?B? and ?= around them.
        const int Octets = 45;
        List<string> words = [];
        ArraySegment<byte> all = SieveText.ToUtf8(SieveText.IsWellFormed(value) ? value : SieveText.Normalize(value));
        while (all.Count > 0)
        {
            int take = Math.Min(Octets, all.Count);
            while (take < all.Count && take > 1 && (all[take] & 0xC0) == 0x80) take--;
            words.Add($"=?UTF-8?B?{Convert.ToBase64String(all.AsSpan(0, take))}?=");
            all = all[take..];
        }
        return words;
    }

    private static string Fold(int used, List<string> words, string newLine)
    {
        StringBuilder text = new();
        foreach (string word in words)
        {
            if (text.Length > 0)
            {
                if (used + 1 + word.Length > LineLength && word.Length > 0)
                {
                    text.Append(newLine);
                    used = 0;
                }
                text.Append(' ');
                used++;
            }
            text.Append(word);
            used += word.Length;
        }
        return text.ToString();
    }
}
