using System.Text;
using CsCheck;
using Posthorn.Mime;
using Posthorn.Store.Catalogue;
using Posthorn.Store.Search;

namespace Posthorn.Store.Tests.Search;

/// <summary>What the index promises: a text that holds a needle has a word for each piece of the needle.</summary>
public sealed class WordPieceTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-words-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    /// <summary>Letters of several scripts and cases, digits, marks, punctuation, blanks, halves of pairs: few of each, so that needles meet texts.</summary>
    internal static readonly Gen<string> Texts = Gen.OneOf(
        Const("a", "b", "B", "ab", "aB1", "-", ".", "_", "'", " ", "  ", "\r\n", "\t", "ä", "Ä", "a\u0308", "ß", "ẞ", "ﬁ", "ſ", "İ", "ı", "é", "e\u0301", "Ω", "ω", "ж", "日本", "語", "を", "が", "か\u3099",
            "한국", "ไทย", "😀", "𠀋", "①", "ｱ", "\ud83d", "\u200d", "\0", "=", "&", "𝐛"),
        Gen.Int[1, 90].Select(n => new string('x', n) + "y"),
        Gen.Int[1, 40].Select(n => string.Concat(Enumerable.Range(0, n).Select(i => (char)('a' + (i % 7))))))
        .Array[0, 24].Select(string.Concat);

    private static Gen<string> Const(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);

    [Fact]
    public void A_text_that_holds_a_needle_has_its_words() => Gen.Select(Texts, Gen.Int[0, 60], Gen.Int[1, 50]).Sample((text, start, length) =>
    {
        string folded = TextMatcher.Fold(text);
        if (folded.Length == 0) return;
        start = Math.Min(start, folded.Length - 1);
        string needle = folded.Substring(start, Math.Min(length, folded.Length - start));
        if (new TextMatcher(needle).IsIn(text)) Holds(text, needle);
    }, iter: 20_000);

    [Fact]
    public void A_needle_may_come_in_another_case() => Gen.Select(Texts, Texts).Sample((text, needle) =>
    {
        if (new TextMatcher(needle).IsIn(text)) Holds(text, needle);
    }, iter: 20_000);

    // Cut at any place into pieces: the words are those of the whole.
    [Fact]
    public void Words_do_not_depend_on_how_a_text_comes() => Gen.Select(Texts, Gen.Int[0, 200]).Sample((text, cut) =>
    {
        string folded = TextMatcher.Fold(text);
        cut = Math.Min(cut, folded.Length);
        Assert.Equal(WordsOf(folded).Order(StringComparer.Ordinal), WordsOf(folded[..cut], folded[cut..]).Order(StringComparer.Ordinal));
    }, iter: 5_000);

    [Theory]
    [InlineData("invoice", "invoice:Contains")]
    [InlineData(" invoice", "invoice:Begins")]
    [InlineData("invoice.", "invoice:Ends")]
    [InlineData("the invoice of", "invoice:Is of:Begins the:Ends")]
    [InlineData("日本語", "日本:Is 本語:Is")]
    [InlineData("日", "日:Begins")]
    [InlineData("--", "")]
    [InlineData("", "")]
    public void Needles_are_cut_into_pieces(string needle, string pieces) =>
        Assert.Equal(pieces, string.Join(' ', WordPiece.Of(needle).Select(piece => $"{piece.Text}:{piece.Match}")));

    [Fact]
    public void The_database_answers_as_the_words_do()
    {
        using WordIndex index = new(_directory + "/words.db");
        index.Settle("g", 0);
        List<string> texts = [];
        long next = 0;
        Gen.Select(Texts, Texts, Gen.Int[0, 40], Gen.Int[1, 30]).Sample((head, body, start, length) =>
        {
            MessageWords words = new([.. WordsOf(TextMatcher.Fold(head))], [.. WordsOf(TextMatcher.Fold(body))], []);
            index.Add([new(++next, new("E" + next), words)], next);
            texts.Add(body);
            string from = texts[(start * 7919) % texts.Count];
            if (from.Length == 0) return;
            start = Math.Min(start, from.Length - 1);
            string needle = from.Substring(start, Math.Min(length, from.Length - start));
            List<WordPiece> pieces = WordPiece.Of(needle);
            if (pieces.Count == 0 || index.Find(pieces, TextScope.Body) is not { } hits) return;
            TextMatcher matcher = new(needle);
            for (int i = 0; i < texts.Count; i++)
                if (matcher.IsIn(texts[i])) Assert.True(hits.Contents.Contains(i + 1), $"'{Escape(needle)}' in '{Escape(texts[i])}'");
        }, iter: 400, threads: 1);
        Assert.Equal(next, index.UpTo);
        Assert.Empty(index.Verify());
    }

    [Fact]
    public void A_text_with_too_many_words_is_not_kept()
    {
        WordBreaker breaker = new(3);
        breaker.Feed("one two three two one");
        breaker.End();
        Assert.False(breaker.IsTooMuch);
        breaker.Feed(" four");
        breaker.End();
        Assert.True(breaker.IsTooMuch);
        Assert.Equal(3, breaker.Words.Count);
        breaker.Clear();
        Assert.False(breaker.IsTooMuch);
        Assert.Empty(breaker.Words);
    }

    private static void Holds(string text, string needle)
    {
        IReadOnlyCollection<string> words = WordsOf(TextMatcher.Fold(text));
        foreach (WordPiece piece in WordPiece.Of(needle))
            Assert.True(words.Any(word => Fits(word, piece)), $"{piece.Match} '{Escape(piece.Text)}' of needle '{Escape(needle)}' in '{Escape(text)}'");
    }

    private static bool Fits(string word, WordPiece piece) => piece.Match switch
    {
        PieceMatch.Is => word == piece.Text,
        PieceMatch.Begins => word.StartsWith(piece.Text, StringComparison.Ordinal),
        PieceMatch.Ends => word.EndsWith(piece.Text, StringComparison.Ordinal),
        _ => word.Contains(piece.Text, StringComparison.Ordinal),
    };

    private static List<string> WordsOf(params string[] pieces)
    {
        WordBreaker breaker = new(int.MaxValue);
        foreach (string piece in pieces) breaker.Feed(piece);
        breaker.End();
        return [.. breaker.Words];
    }

    private static string Escape(string text)
    {
        StringBuilder all = new();
        foreach (char c in text) all.Append(c is > ' ' and < '\x7f' ? c.ToString() : $"\\u{(int)c:x4}");
        return all.ToString();
    }
}
