using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Numerics;

namespace Posthorn.Mime;

/// <summary>Small questions about bytes of mail.</summary>
internal static class Octets
{
    /// <summary>Space, tab and the line ends that folding leaves in a raw value.</summary>
    public static readonly SearchValues<byte> Blank = SearchValues.Create(" \t\r\n"u8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsBlank(byte b) => b is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n';

    public static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> text)
    {
        int start = 0, end = text.Length;
        while (start < end && IsBlank(text[start])) start++;
        while (end > start && IsBlank(text[end - 1])) end--;
        return text[start..end];
    }

    public static bool Is(ReadOnlySpan<byte> text, ReadOnlySpan<byte> word) => System.Text.Ascii.EqualsIgnoreCase(text, word);

    /// <summary>Where the line that holds <paramref name="start"/> ends: behind its LF, or at the end of the text.</summary>
    public static int NextLine(ReadOnlySpan<byte> text, int start)
    {
        int feed = text[start..].IndexOf((byte)'\n');
        return feed < 0 ? text.Length : start + feed + 1;
    }

    /// <summary>The line without CRLF or LF.</summary>
    public static ReadOnlySpan<byte> WithoutLineEnd(ReadOnlySpan<byte> line)
    {
        if (line.Length > 0 && line[^1] == '\n')
        {
            line = line[..^1];
            if (line.Length > 0 && line[^1] == '\r') line = line[..^1];
        }
        return line;
    }

    /// <summary>Counts line feeds, and those of them that no CR precedes. <paramref name="before"/> is the byte before the text, or 0.</summary>
    public static (int Feeds, int Bare) CountFeeds(ReadOnlySpan<byte> text, byte before)
    {
        if (text.IsEmpty) return default;
        int feeds = 0, bare = 0;
        if (text[0] == '\n')
        {
            feeds = 1;
            if (before != '\r') bare = 1;
        }
        int i = 1;
        if (Vector256.IsHardwareAccelerated)
        {
            ref byte first = ref MemoryMarshal.GetReference(text);
            Vector256<byte> feed = Vector256.Create((byte)'\n'), back = Vector256.Create((byte)'\r');
            for (; i <= text.Length - Vector256<byte>.Count; i += Vector256<byte>.Count)
            {
                Vector256<byte> ends = Vector256.Equals(Vector256.LoadUnsafe(ref first, (nuint)i), feed);
                uint mask = ends.ExtractMostSignificantBits();
                if (mask == 0) continue;
                Vector256<byte> pairs = Vector256.Equals(Vector256.LoadUnsafe(ref first, (nuint)(i - 1)), back);
                feeds += BitOperations.PopCount(mask);
                bare += BitOperations.PopCount(mask & ~pairs.ExtractMostSignificantBits());
            }
        }
        for (; i < text.Length; i++)
        {
            if (text[i] != '\n') continue;
            feeds++;
            if (text[i - 1] != '\r') bare++;
        }
        return (feeds, bare);
    }
}
