using System.Globalization;
using Posthorn.Core;

namespace Posthorn.Store.Maildir;

/// <summary>A folder's <c>dovecot-keywords</c>: which keyword each of the letters a to z stands for.</summary>
internal static class KeywordFile
{
    internal const string FileName = "dovecot-keywords";

    internal static SortedDictionary<int, string> Read(MaildirTree tree, string folder)
    {
        SortedDictionary<int, string> letters = [];
        foreach (string line in (tree.ReadText($"{folder}/{FileName}") ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0 && int.TryParse(line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out int number)) letters[number] = line[(space + 1)..].TrimEnd('\r');
        }

        return letters;
    }

    /// <summary>The keywords of the small letters in a file's name.</summary>
    internal static KeywordSet KeywordsOf(ReadOnlySpan<char> flags, SortedDictionary<int, string> letters)
    {
        List<Keyword> keywords = [];
        foreach (char letter in flags)
            if (char.IsAsciiLetterLower(letter) && letters.TryGetValue(letter - 'a', out string? name) && Keyword.TryCreate(name, out Keyword keyword)) keywords.Add(keyword);
        return KeywordSet.Of(keywords);
    }
}

/// <summary>The names that we give to files: <c>time.J(record)_(n).host,S=,W=</c>.</summary>
internal static class OwnName
{
    /// <summary>The record and the n within it; null for somebody else's name.</summary>
    internal static (long Record, int Part)? Parse(string baseName)
    {
        int at = baseName.IndexOf(".J", StringComparison.Ordinal);
        int bar = at < 0 ? -1 : baseName.IndexOf('_', at);
        int dot = bar < 0 ? -1 : baseName.IndexOf('.', bar);
        if (dot < 0) return null;
        return long.TryParse(baseName.AsSpan(at + 2, bar - at - 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long record)
            && int.TryParse(baseName.AsSpan(bar + 1, dot - bar - 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int part) ? (record, part) : null;
    }
}
