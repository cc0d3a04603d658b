using System.Text;

namespace Posthorn.Mime;

/// <summary>Turns raw header values into text: unfolds, decodes encoded words (RFC 2047), guesses what raw 8-bit bytes mean.</summary>
public static class EncodedWord
{
    // RFC 2047 section 2 says 75 for a whole word; charset names in the wild stay below 40.
    private const int MaxCharset = 64;

    /// <summary>Decodes an unstructured value. Broken words stay as they are; blanks between two words go.</summary>
    public static string Decode(ReadOnlySpan<byte> raw)
    {
        raw = Octets.Trim(raw);
        if (raw.IndexOfAny((byte)'\r', (byte)'\n') < 0) return Unfolded(raw);
        ByteScratch plain = new(stackalloc byte[512]);
        bool folded = false;
        foreach (byte b in raw)
        {
            // A tab that begins a folded line is a blank, as in the envelope structure: nobody searches for a tab.
            if (b is not ((byte)'\r' or (byte)'\n')) plain.Append(folded && b == '\t' ? (byte)' ' : b);
            folded = b is (byte)'\r' or (byte)'\n';
        }
        string result = Unfolded(plain.Written);
        plain.Dispose();
        return result;
    }

    private static string Unfolded(ReadOnlySpan<byte> text) => text.IndexOf("=?"u8) < 0 ? Charsets.Guess.GetString(text) : Words(text);

    private static string Words(ReadOnlySpan<byte> text)
    {
        StringBuilder output = new(text.Length);
        // Bytes of adjacent words of one charset are decoded together: some senders cut letters in two.
        ByteScratch pending = new(stackalloc byte[256]);
        ReadOnlySpan<byte> charset = default;
        int at = 0, plain = 0;
        bool afterWord = false;
        while (at < text.Length)
        {
            int next = text[at..].IndexOf("=?"u8);
            if (next < 0) break;
            at += next;
            if (!TryWord(text[at..], out ReadOnlySpan<byte> name, out bool base64, out ReadOnlySpan<byte> payload, out int length))
            {
                at += 2;
                continue;
            }
            ReadOnlySpan<byte> between = text[plain..at];
            bool joins = afterWord && between.IndexOfAnyExcept((byte)' ', (byte)'\t') < 0;
            if (!joins || !Octets.Is(charset, name)) Flush(ref pending, charset, output);
            if (!joins) output.Append(Charsets.Guess.GetString(between));
            charset = name;
            if (base64) Base64(payload, ref pending);
            else Q(payload, ref pending);
            at += length;
            plain = at;
            afterWord = true;
        }
        Flush(ref pending, charset, output);
        output.Append(Charsets.Guess.GetString(text[plain..]));
        pending.Dispose();
        return output.ToString();
    }

    // =?charset*language?B or Q?payload?=
    private static bool TryWord(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> charset, out bool base64, out ReadOnlySpan<byte> payload, out int length)
    {
        base64 = false;
        payload = default;
        length = 0;
        charset = text[2..];
        int question = charset[..Math.Min(charset.Length, MaxCharset)].IndexOf((byte)'?');
        if (question <= 0 || charset.Length < question + 3 || charset[question + 2] != '?') return false;
        byte kind = (byte)(charset[question + 1] | 0x20);
        base64 = kind == 'b';
        if (!base64 && kind != 'q') return false;
        payload = charset[(question + 3)..];
        charset = charset[..question];
        if (charset.IndexOfAny(Octets.Blank) >= 0) return false;
        int star = charset.IndexOf((byte)'*');
        if (star > 0) charset = charset[..star];
        int close = payload.IndexOf((byte)'?');
        if (close < 0 || close + 1 >= payload.Length || payload[close + 1] != '=') return false;
        payload = payload[..close];
        length = 2 + question + 3 + close + 2;
        return true;
    }

    private static void Flush(ref ByteScratch pending, ReadOnlySpan<byte> charset, StringBuilder output)
    {
        if (pending.Length > 0) output.Append(Charsets.Find(charset).GetString(pending.Written));
        pending.Clear();
    }

    private static void Q(ReadOnlySpan<byte> payload, ref ByteScratch output)
    {
        for (int i = 0; i < payload.Length; i++)
        {
            byte b = payload[i];
            if (b == '=' && i + 2 < payload.Length && Hex.TryByte(payload[i + 1], payload[i + 2], out byte value))
            {
                output.Append(value);
                i += 2;
            }
            else output.Append(b == '_' ? (byte)' ' : b);
        }
    }

    private static void Base64(ReadOnlySpan<byte> payload, ref ByteScratch output)
    {
        int bits = 0, value = 0;
        foreach (byte b in payload)
        {
            int six = Hex.Base64Value(b);
            if (six < 0)
            {
                // Padding ends a run; another may follow where two words were glued together.
                if (b == '=') bits = value = 0;
                continue;
            }
            value = (value << 6 | six) & 0xffffff;
            bits += 6;
            if (bits < 8) continue;
            bits -= 8;
            output.Append((byte)(value >> bits));
        }
    }
}
