using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Transport.Filtering;

/// <summary>Flags between scripts, which have words (RFC 5232 section 2), and the store.</summary>
internal static class FlagWords
{
    private static readonly (string Word, SystemFlags Flag)[] System =
        [("\\Seen", SystemFlags.Seen), ("\\Answered", SystemFlags.Answered), ("\\Flagged", SystemFlags.Flagged), ("\\Deleted", SystemFlags.Deleted), ("\\Draft", SystemFlags.Draft)];

    /// <summary>What a script's words mean; words that can be no flag mean nothing.</summary>
    public static (SystemFlags Flags, KeywordSet Keywords) Read(IReadOnlyList<string> words)
    {
        if (words.Count == 0) return (SystemFlags.None, KeywordSet.Empty);
        SystemFlags flags = SystemFlags.None;
        List<Keyword> keywords = [];
        foreach (string word in words)
        {
            if (Array.Find(System, one => one.Word.Equals(word, StringComparison.OrdinalIgnoreCase)) is { Word: not null } known) flags |= known.Flag;
            else if (word[0] != '\\' && Keyword.TryCreate(word, out Keyword keyword)) keywords.Add(keyword);
        }
        return (flags, KeywordSet.Of(keywords));
    }

    /// <summary>The words for what a message has.</summary>
    public static IReadOnlyList<string> Write(SystemFlags flags, KeywordSet keywords) =>
        [.. System.Where(one => (flags & one.Flag) != 0).Select(one => one.Word), .. keywords.Select(keyword => keyword.Name)];
}
