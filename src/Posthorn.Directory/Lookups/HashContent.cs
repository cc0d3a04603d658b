using System.Collections.Frozen;
using Posthorn.Directory.Aliases;

namespace Posthorn.Directory.Lookups;

/// <summary>A table of keys and values, as <c>postmap</c> reads it from its source. Case does not count.</summary>
internal sealed class HashContent : TableContent
{
    private readonly FrozenDictionary<string, string> _entries;

    private HashContent(Dictionary<string, string> entries, List<DirectoryProblem> problems) : base(problems) =>
        _entries = entries.ToFrozenDictionary(StringComparer.Ordinal);

    public override int Count => _entries.Count;

    public override LookupResult Find(string key) =>
        _entries.TryGetValue(key.ToLowerInvariant(), out string? value) ? new LookupResult.Found(value) : LookupResult.None;

    /// <summary>Key, white space, value. White space within quotation marks belongs to the key: a local part may hold it.</summary>
    public static HashContent Parse(string file, string text)
    {
        List<DirectoryProblem> problems = [];
        Dictionary<string, string> entries = new(StringComparer.Ordinal);
        foreach (LogicalLine line in LogicalLines.Read(file, text, problems))
        {
            int space = EndOfKey(line.Text, out bool isOpen);
            if (isOpen)
            {
                problems.Add(new(ProblemSeverity.Error, file, line.Number, $"a quotation mark in '{line.Text}' has no partner. Not used"));
                continue;
            }
            if (space < 0)
            {
                problems.Add(new(ProblemSeverity.Error, file, line.Number, $"'{line.Text}' has no value; expected 'key value'. Not used"));
                continue;
            }
            string key = line.Text[..space];
            if (key.EndsWith(':')) problems.Add(new(ProblemSeverity.Warning, file, line.Number, $"'{key}' ends with a colon: is this a file of aliases(5)? That is named as aliases:{file}"));
            Add(entries, key, line.Text[space..].Trim(), file, line.Number, problems);
        }
        return new(entries, problems);
    }

    // The first blank outside quotation marks; negative when there is none.
    private static int EndOfKey(string text, out bool isOpen)
    {
        isOpen = false;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\') i++;
            else if (text[i] == '"') isOpen = !isOpen;
            else if (!isOpen && text[i] is (' ' or '\t' or '\v' or '\f' or '\r')) return i;
        }
        return -1;
    }

    /// <summary>Name, colon, values. The value is the list as it is used, parted by comma and space.</summary>
    public static HashContent ParseAliases(string file, string text)
    {
        AliasTable table = LocalAliasParser.Parse(file, text);
        List<DirectoryProblem> problems = [.. table.Problems];
        Dictionary<string, string> entries = new(StringComparer.Ordinal);
        foreach (AliasEntry entry in table.Entries)
            Add(entries, entry.Key.User!, string.Join(", ", entry.Words), file, entry.Line, problems);
        return new(entries, problems);
    }

    private static void Add(Dictionary<string, string> entries, string key, string value, string file, int line, List<DirectoryProblem> problems)
    {
        if (!entries.TryAdd(key.ToLowerInvariant(), value)) problems.Add(new(ProblemSeverity.Warning, file, line, $"'{key}' is already there; the first counts"));
    }
}
