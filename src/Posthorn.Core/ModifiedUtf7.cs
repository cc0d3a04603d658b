using System.Text;

namespace Posthorn.Core;

/// <summary>Modified UTF-7, in which Maildir folders and IMAP4rev1 write names (RFC 3501 section 5.1.3).</summary>
public static class ModifiedUtf7
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

    public static string Encode(string text)
    {
        StringBuilder result = new(text.Length + 8);
        int at = 0;
        while (at < text.Length)
        {
            char c = text[at];
            if (c is >= ' ' and <= '~')
            {
                result.Append(c);
                if (c == '&') result.Append('-');
                at++;
                continue;
            }

            result.Append('&');
            int bits = 0, count = 0;
            for (; at < text.Length && text[at] is < ' ' or > '~'; at++)
            {
                bits = bits << 16 | text[at];
                count += 16;
                for (; count >= 6; count -= 6) result.Append(Alphabet[bits >> (count - 6) & 63]);
                bits &= (1 << count) - 1;
            }

            if (count > 0) result.Append(Alphabet[bits << (6 - count) & 63]);
            result.Append('-');
        }

        return result.ToString();
    }

    /// <summary>Decodes a name. False when it is not well-formed: unknown characters, a shift without end, ASCII in base64, left-over bits, lone surrogates.</summary>
    public static bool TryDecode(string encoded, out string text)
    {
        text = "";
        StringBuilder result = new(encoded.Length);
        for (int at = 0; at < encoded.Length; at++)
        {
            char c = encoded[at];
            if (c is < ' ' or > '~') return false;
            if (c != '&')
            {
                result.Append(c);
                continue;
            }

            int end = encoded.IndexOf('-', at);
            if (end < 0) return false;
            if (end == at + 1) result.Append('&');
            else if (!TryShifted(encoded.AsSpan(at + 1, end - at - 1), result)) return false;
            at = end;
            // "&AAA-&AAB-" would be another spelling of one shifted run.
            if (end > 1 && encoded[end - 1] != '&' && end + 2 < encoded.Length && encoded[end + 1] == '&' && encoded[end + 2] != '-') return false;
        }

        text = result.ToString();
        return UnicodeText.IsWellFormed(text);
    }

    private static bool TryShifted(ReadOnlySpan<char> run, StringBuilder result)
    {
        int bits = 0, count = 0;
        foreach (char c in run)
        {
            int value = Alphabet.IndexOf(c, StringComparison.Ordinal);
            if (value < 0) return false;
            bits = bits << 6 | value;
            count += 6;
            if (count < 16) continue;
            count -= 16;
            char unit = (char)(bits >> count & 0xFFFF);
            if (unit is >= ' ' and <= '~') return false;
            result.Append(unit);
            bits &= (1 << count) - 1;
        }

        return count < 6 && bits == 0;
    }
}
