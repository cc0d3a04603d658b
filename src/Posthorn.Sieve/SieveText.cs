using System.Buffers;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Sieve;

/// <summary>Turns octets into strings and back without loss. Sieve strings are octets, nearly always UTF-8 (RFC 5228 section 2.1).</summary>
/// <remarks>An octet that is not part of well-formed UTF-8 becomes one lone surrogate U+DC80..U+DCFF, and that octet again on the way out.</remarks>
public static class SieveText
{
    private const char EscapeBase = '\uDC00';

    /// <summary>Reads octets as UTF-8; stray octets are kept as escapes.</summary>
    public static string FromUtf8(ReadOnlySpan<byte> octets)
    {
        if (Ascii.IsValid(octets)) return Encoding.ASCII.GetString(octets);
        StringBuilder text = new(octets.Length);
        Span<char> pair = stackalloc char[2];
        while (!octets.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(octets, out Rune rune, out int used) == OperationStatus.Done)
            {
                text.Append(pair[..rune.EncodeToUtf16(pair)]);
                octets = octets[used..];
                continue;
            }
            // Each octet of the bad sequence is escaped by itself, so that joining pieces can make it good again.
            text.Append((char)(EscapeBase + octets[0]));
            octets = octets[1..];
        }
        return text.ToString();
    }

    /// <summary>The octets that <see cref="FromUtf8"/> read.</summary>
    public static byte[] ToUtf8(ReadOnlySpan<char> text)
    {
        if (Ascii.IsValid(text))
        {
            byte[] ascii = new byte[text.Length];
            Encoding.ASCII.GetBytes(text, ascii);
            return ascii;
        }
        ArrayBufferWriter<byte> octets = new(text.Length * 2);
        while (!text.IsEmpty)
        {
            if (IsEscape(text[0]))
            {
                octets.GetSpan(1)[0] = (byte)(text[0] - EscapeBase);
                octets.Advance(1);
                text = text[1..];
                continue;
            }
            Rune.DecodeFromUtf16(text, out Rune rune, out int used); // gives U+FFFD for another lone surrogate
            octets.Advance(rune.EncodeToUtf8(octets.GetSpan(4)));
            text = text[used..];
        }
        return octets.WrittenSpan.ToArray();
    }

    /// <summary>Joins escapes that now form whole characters; the same string when there are none.</summary>
    public static string Normalize(string text)
    {
        foreach (char c in text)
            if (IsEscape(c)) return FromUtf8(ToUtf8(text));
        return text;
    }

    /// <summary>True when the text holds whole characters only, so that it can be sent as UTF-8.</summary>
    public static bool IsWellFormed(ReadOnlySpan<char> text) => UnicodeText.IsWellFormed(text);

    /// <summary>The number of octets of the text as UTF-8.</summary>
    public static int OctetCount(string text) => Ascii.IsValid(text) ? text.Length : ToUtf8(text).Length;

    /// <summary>Cuts to at most <paramref name="octets"/> octets, between characters.</summary>
    public static string Truncate(string text, int octets)
    {
        if (text.Length * 3L <= octets) return text;
        int used = 0;
        int i = 0;
        while (i < text.Length)
        {
            int size = IsEscape(text[i]) ? 1 : Rune.TryGetRuneAt(text, i, out Rune rune) ? rune.Utf8SequenceLength : 3;
            if (used + size > octets) return text[..i];
            used += size;
            i += char.IsHighSurrogate(text[i]) && size == 4 ? 2 : 1;
        }
        return text;
    }

    /// <summary>The octets as a string of one character each, for matching by octets.</summary>
    internal static string ToOctetString(string text) => Encoding.Latin1.GetString(ToUtf8(text));

    /// <summary>Undoes <see cref="ToOctetString"/>.</summary>
    internal static string FromOctetString(ReadOnlySpan<char> octets)
    {
        byte[] bytes = new byte[octets.Length];
        Encoding.Latin1.GetBytes(octets, bytes);
        return FromUtf8(bytes);
    }

    internal static bool IsEscape(char c) => c is >= '\uDC80' and <= '\uDCFF';
}
