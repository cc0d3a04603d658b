using System.Buffers.Text;
using System.Text;

namespace Posthorn.Imap.Wire;

/// <summary>Mailbox names of IMAP4rev1 clients: modified UTF-7 (RFC 3501 section 5.1.3).</summary>
internal static class ModifiedUtf7
{
    /// <summary>Reads a name. False for what no encoder makes: bad base64, printable ASCII in base64, shifts that touch, lone surrogates.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> name, out string text)
    {
        text = "";
        if (Ascii.IsValid(name) && !name.Contains((byte)'&'))
        {
            text = Encoding.ASCII.GetString(name);
            return true;
        }
        // Many clients send plain UTF-8 without being asked; no modified UTF-7 name has the eighth bit set.
        if (!Ascii.IsValid(name)) return TryUtf8(name, out text);
        StringBuilder decoded = new(name.Length);
        for (int i = 0; i < name.Length; i++)
        {
            if (name[i] != '&')
            {
                decoded.Append((char)name[i]);
                continue;
            }
            int end = name[i..].IndexOf((byte)'-');
            if (end < 0) return false;
            ReadOnlySpan<byte> shifted = name.Slice(i + 1, end - 1);
            if (shifted.IsEmpty) decoded.Append('&');
            else if (!TryShifted(shifted, decoded)) return false;
            i += end;
            if (!shifted.IsEmpty && name[(i + 1)..] is [(byte)'&', var next, ..] && next != '-') return false; // two shifts where one would do
        }
        text = decoded.ToString();
        return IsWellFormed(text);
    }

    public static string Encode(string text)
    {
        if (Ascii.IsValid(text) && !text.Contains('&', StringComparison.Ordinal)) return text;
        StringBuilder encoded = new(text.Length + 16);
        for (int i = 0; i < text.Length;)
        {
            char c = text[i];
            if (IsPrintable(c))
            {
                encoded.Append(c);
                if (c == '&') encoded.Append('-');
                i++;
                continue;
            }
            int end = i;
            while (end < text.Length && !IsPrintable(text[end])) end++;
            byte[] wide = Encoding.BigEndianUnicode.GetBytes(text[i..end]);
            encoded.Append('&').Append(Convert.ToBase64String(wide).TrimEnd('=').Replace('/', ',')).Append('-');
            i = end;
        }
        return encoded.ToString();
    }

    private static bool IsPrintable(char c) => c is >= ' ' and <= '~';

    private static bool TryUtf8(ReadOnlySpan<byte> name, out string text)
    {
        text = System.Text.Unicode.Utf8.IsValid(name) ? Encoding.UTF8.GetString(name) : "";
        return text.Length > 0;
    }

    private static bool TryShifted(ReadOnlySpan<byte> shifted, StringBuilder decoded)
    {
        int padded = (shifted.Length + 3) / 4 * 4;
        if (padded - shifted.Length == 3) return false;
        byte[] base64 = new byte[padded];
        for (int i = 0; i < padded; i++)
        {
            byte b = i < shifted.Length ? shifted[i] : (byte)'=';
            if (b == '/') return false;
            base64[i] = b == ',' ? (byte)'/' : b;
        }
        byte[] wide = new byte[padded / 4 * 3];
        if (Base64.DecodeFromUtf8(base64, wide, out _, out int length) != System.Buffers.OperationStatus.Done || length % 2 != 0 || length == 0) return false;
        foreach (char c in Encoding.BigEndianUnicode.GetString(wide, 0, length))
        {
            if (IsPrintable(c)) return false;
            decoded.Append(c);
        }
        return true;
    }

    private static bool IsWellFormed(string text)
    {
        foreach (Rune rune in text.EnumerateRunes())
            if (rune == Rune.ReplacementChar) return false;
        return true;
    }
}
