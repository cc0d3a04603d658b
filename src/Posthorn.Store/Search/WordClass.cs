using System.Globalization;

namespace Posthorn.Store.Search;

/// <summary>What a character is to the word index.</summary>
internal enum WordClass
{
    /// <summary>Parts words: blanks, punctuation, symbols.</summary>
    None,
    /// <summary>Letters, digits and their marks: runs of them are words.</summary>
    Letter,
    /// <summary>Scripts that put no blanks between words, and halves of surrogate pairs: taken two by two.</summary>
    Pair,
}

/// <summary>Classes of characters. Each depends on the character alone, so that a text and a needle in it are cut alike.</summary>
internal static class WordClasses
{
    internal static WordClass Of(char c)
    {
        if (char.IsAscii(c)) return char.IsAsciiLetterOrDigit(c) ? WordClass.Letter : WordClass.None;
        if (char.IsSurrogate(c)) return WordClass.Pair;
        return char.GetUnicodeCategory(c) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter
                or UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
                or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => IsUnspaced(c) ? WordClass.Pair : WordClass.Letter,
            _ => WordClass.None,
        };
    }

    // Thai to Burmese, Khmer, and from the CJK radicals up without the Korean letters (syllables are taken apart by folding).
    private static bool IsUnspaced(char c) => c is >= '\u0E00' and <= '\u0EFF' or >= '\u1000' and <= '\u109F' or >= '\u1780' and <= '\u17FF' or >= '\u2E80' and not (>= '\uA960' and <= '\uA97F' or >= '\uAC00' and <= '\uD7FF');
}
