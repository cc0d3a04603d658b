using System.Buffers;
using System.Text;

namespace Posthorn.Core;

/// <summary>What a text must be for others to take it as Unicode.</summary>
public static class UnicodeText
{
    /// <summary>Whether it holds whole characters only: no half of a surrogate pair.</summary>
    public static bool IsWellFormed(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(text, out _, out int used) != OperationStatus.Done) return false;
            text = text[used..];
        }

        return true;
    }

    /// <summary>Whether it can be normalised and compares as it was meant: well-formed, without U+FFFE, which is no character, and U+FFFD, which stands for what could not be read.</summary>
    public static bool CanBeFolded(string text)
    {
        foreach (Rune rune in text.EnumerateRunes())
            if (rune == Rune.ReplacementChar || rune.Value == 0xFFFE) return false;
        return true;
    }
}
