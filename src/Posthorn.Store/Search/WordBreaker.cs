namespace Posthorn.Store.Search;

/// <summary>Gathers the different words of a text that is folded as the matcher folds it. Takes the text in pieces.</summary>
/// <remarks>
/// What the index promises: when a text holds a needle, it holds a word that contains, begins, ends or is each piece of the needle (<see cref="WordPiece"/>).
/// So a run of letters that is longer than <see cref="Window"/> is taken in windows that overlap by half: every part of it up to <see cref="LongestPiece"/> lies in one of them.
/// A run of a script without blanks gives each pair of neighbours, and its last character alone.
/// </remarks>
internal sealed class WordBreaker
{
    internal const int Window = 64;
    internal const int LongestPiece = Window / 2;

    private readonly HashSet<string> _words = new(StringComparer.Ordinal);
    private readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> _byText;
    private readonly char[] _run = new char[Window];
    private readonly int _most;
    private int _length;
    private char _before;

    /// <param name="most">Different words of one text at most.</param>
    internal WordBreaker(int most)
    {
        _most = most;
        _byText = _words.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The words so far.</summary>
    internal IReadOnlyCollection<string> Words => _words;

    /// <summary>Whether there were more different words than are kept.</summary>
    internal bool IsTooMuch { get; private set; }

    internal void Clear()
    {
        _words.Clear();
        IsTooMuch = false;
        End();
    }

    /// <summary>Takes the next piece of a text.</summary>
    internal void Feed(ReadOnlySpan<char> folded)
    {
        foreach (char c in folded)
        {
            switch (WordClasses.Of(c))
            {
                case WordClass.Letter:
                    EndPairs();
                    _run[_length++] = char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c;
                    if (_length == Window) Slide();
                    break;
                case WordClass.Pair:
                    EndRun();
                    if (_before != 0) Keep([_before, c]);
                    _before = c;
                    break;
                default:
                    End();
                    break;
            }
        }
    }

    /// <summary>The text ends here; the next one has nothing to do with it.</summary>
    internal void End()
    {
        EndRun();
        EndPairs();
    }

    private void Slide()
    {
        Keep(_run);
        _run.AsSpan(LongestPiece).CopyTo(_run);
        _length = Window - LongestPiece;
    }

    private void EndRun()
    {
        if (_length > 0) Keep(_run.AsSpan(0, _length));
        _length = 0;
    }

    private void EndPairs()
    {
        if (_before != 0) Keep([_before]);
        _before = '\0';
    }

    private void Keep(ReadOnlySpan<char> word)
    {
        if (_words.Count < _most) _byText.Add(word);
        else if (!_byText.Contains(word)) IsTooMuch = true;
    }
}
