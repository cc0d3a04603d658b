using System.Globalization;
using System.Text;

namespace Posthorn.Core;

/// <summary>The encodings of DSN parameters: xtext (RFC 3461 section 4) and utf-8-addr-xtext (RFC 6533 section 3).</summary>
public static class Xtext
{
    /// <summary>Reads xtext: printable ASCII where <c>+</c> and two upper-case hexadecimal digits stand for one octet.</summary>
    /// <returns>False when it is not xtext or the octets are not printable ASCII and spaces.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> text, out string decoded)
    {
        decoded = "";
        StringBuilder plain = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            byte octet = text[i];
            if (octet is < (byte)'!' or > (byte)'~' or (byte)'=') return false;
            if (octet == '+')
            {
                if (i + 2 >= text.Length || !IsUpperHex(text[i + 1]) || !IsUpperHex(text[i + 2])) return false;
                octet = (byte)(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2]));
                if (octet is < (byte)' ' or > (byte)'~') return false;
                i += 2;
            }
            plain.Append((char)octet);
        }
        decoded = plain.ToString();
        return true;
    }

    /// <summary>Reads utf-8-addr-xtext or utf-8-addr-unitext: UTF-8 where <c>\x{HEX}</c> stands for one character.</summary>
    public static bool TryDecodeUtf8(ReadOnlySpan<byte> text, out string decoded)
    {
        decoded = "";
        StringBuilder plain = new(text.Length);
        while (text.Length > 0)
        {
            if (text[0] == '\\')
            {
                if (!TryEmbedded(text, out Rune rune, out int length)) return false;
                plain.Append(rune.ToString());
                text = text[length..];
                continue;
            }
            if (Rune.DecodeFromUtf8(text, out Rune plainRune, out int used) != System.Buffers.OperationStatus.Done) return false;
            if (plainRune.Value is <= ' ' or '=' or 0x7F or (>= 0x80 and < 0xA0)) return false;
            plain.Append(plainRune.ToString());
            text = text[used..];
        }
        decoded = plain.ToString();
        return true;
    }

    /// <summary>Writes printable ASCII as xtext.</summary>
    public static string Encode(string text)
    {
        StringBuilder coded = new(text.Length + 8);
        foreach (byte octet in Encoding.UTF8.GetBytes(text))
        {
            if (octet is >= (byte)'!' and <= (byte)'~' and not ((byte)'+' or (byte)'=')) coded.Append((char)octet);
            else coded.Append(CultureInfo.InvariantCulture, $"+{octet:X2}");
        }
        return coded.ToString();
    }

    /// <summary>Writes text as utf-8-addr-xtext, which is ASCII.</summary>
    public static string EncodeUtf8(string text)
    {
        StringBuilder coded = new(text.Length + 8);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value is > ' ' and < 0x7F and not ('+' or '=' or '\\')) coded.Append((char)rune.Value);
            else coded.Append(CultureInfo.InvariantCulture, $"\\x{{{rune.Value:X2}}}");
        }
        return coded.ToString();
    }

    // EmbeddedUnicodeChar = "\x{" HEXPOINT "}"
    private static bool TryEmbedded(ReadOnlySpan<byte> text, out Rune rune, out int length)
    {
        rune = default;
        length = 0;
        if (!text.StartsWith("\\x{"u8)) return false;
        int end = text.IndexOf((byte)'}');
        if (end is < 5 or > 9) return false;
        uint value = 0;
        foreach (byte digit in text[3..end])
        {
            if (!IsUpperHex(digit)) return false;
            value = value * 16 + (uint)HexValue(digit);
        }
        length = end + 1;
        return value >= ' ' && value != 0x7F && value is not (>= 0x80 and < 0xA0) && Rune.TryCreate(value, out rune);
    }

    private static bool IsUpperHex(byte octet) => octet is (>= (byte)'0' and <= (byte)'9') or (>= (byte)'A' and <= (byte)'F');

    private static int HexValue(byte octet) => octet <= '9' ? octet - '0' : octet - 'A' + 10;
}
