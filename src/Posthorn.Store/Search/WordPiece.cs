using Posthorn.Mime;

namespace Posthorn.Store.Search;

/// <summary>How a word of the index must hold a piece of a needle.</summary>
internal enum PieceMatch
{
    Is,
    Begins,
    Ends,
    Contains,
}

/// <summary>A piece of a needle: some word of a text that holds the needle matches it.</summary>
internal readonly record struct WordPiece(string Text, PieceMatch Match)
{
    /// <summary>The pieces of a needle, those that are quick to look up first; none when it has no letters.</summary>
    internal static List<WordPiece> Of(string needle)
    {
        List<WordPiece> pieces = [];
        string folded = TextMatcher.Fold(needle);
        for (int at = 0; at < folded.Length;)
        {
            WordClass kind = WordClasses.Of(folded[at]);
            int end = at + 1;
            while (end < folded.Length && WordClasses.Of(folded[end]) == kind) end++;
            if (kind == WordClass.Letter) pieces.Add(Run(folded.AsSpan(at, end - at), bounded: (at > 0, end < folded.Length)));
            else if (kind == WordClass.Pair) AddPairs(folded.AsSpan(at, end - at), pieces);
            at = end;
        }

        return [.. pieces.Distinct().OrderBy(piece => piece.Match).ThenByDescending(piece => piece.Text.Length)];
    }

    // Only at its ends may a needle begin or end inside a word.
    private static WordPiece Run(ReadOnlySpan<char> run, (bool Left, bool Right) bounded)
    {
        Span<char> text = stackalloc char[Math.Min(run.Length, WordBreaker.LongestPiece)];
        for (int i = 0; i < text.Length; i++) text[i] = char.IsAsciiLetterUpper(run[i]) ? (char)(run[i] | 0x20) : run[i];
        // A long run lies in windows, and only their insides can be told.
        if (run.Length > WordBreaker.LongestPiece) return new(text.ToString(), PieceMatch.Contains);
        return new(text.ToString(), bounded switch
        {
            (true, true) => PieceMatch.Is,
            (true, false) => PieceMatch.Begins,
            (false, true) => PieceMatch.Ends,
            _ => PieceMatch.Contains,
        });
    }

    private static void AddPairs(ReadOnlySpan<char> run, List<WordPiece> pieces)
    {
        if (run.Length == 1) pieces.Add(new(run.ToString(), PieceMatch.Begins));
        for (int i = 0; i + 1 < run.Length; i++) pieces.Add(new(run.Slice(i, 2).ToString(), PieceMatch.Is));
    }
}
