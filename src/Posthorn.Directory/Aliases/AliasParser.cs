using System.Text;
using Posthorn.Core;
using Posthorn.Directory.Lookups;

namespace Posthorn.Directory.Aliases;

/// <summary>Reads the text format of Postfix's virtual(5).</summary>
internal static class AliasParser
{
    public static AliasTable Parse(string file, string text)
    {
        List<AliasEntry> entries = [];
        List<DirectoryProblem> problems = [];
        foreach (LogicalLine line in LogicalLines.Read(file, text, problems))
            if (ParseEntry(file, line.Number, line.Text, problems) is { } entry) entries.Add(entry);
        return new(file, entries, problems);
    }

    /// <summary>Reads one name; null and what is wrong where it is none.</summary>
    public static AliasName? ParseName(string text, out string error)
    {
        error = "";
        if (text.Length == 0)
        {
            error = "an address is empty";
            return null;
        }
        if (text.Length > 2 && text[0] == '<' && text[^1] == '>') text = text[1..^1];
        if (text[0] is '|' or '/' or ':' || text.StartsWith("\"|", StringComparison.Ordinal))
        {
            error = $"'{text}' is a command, file or list, which belongs in aliases(5); here only addresses are allowed";
            return null;
        }
        int at = text.LastIndexOf('@');
        if (text[0] == '"' && at < text.LastIndexOf('"')) at = -1; // an @ inside quotes
        DomainName? domain = null;
        if (at >= 0)
        {
            if (!DomainName.TryCreate(text.AsSpan(at + 1), out DomainName name))
            {
                error = $"'{text[(at + 1)..]}' in '{text}' is not a domain name";
                return null;
            }
            domain = name;
            text = text[..at];
            if (text.Length == 0) return new(null, domain);
        }
        // With a domain of no meaning, the address parser judges the local part.
        if (EmailAddress.TryParse($"{text}@invalid", out EmailAddress address)) return new(address.LocalPart, domain);
        error = $"'{text}' is not the local part of an address";
        return null;
    }

    /// <summary>Reads the right side of an entry that a pattern gives; null where nothing in it can be used.</summary>
    public static AliasEntry? ParseTargets(string file, string text)
    {
        List<AliasName> targets = [.. Words("key " + text, file, 0, []).Skip(1).Select(static word => ParseName(word, out _)).OfType<AliasName>()];
        return targets.Count == 0 ? null : new(file, 0, default, targets);
    }

    private static AliasEntry? ParseEntry(string file, int line, string text, List<DirectoryProblem> problems)
    {
        List<string> words = Words(text, file, line, problems);
        if (words.Count == 0) return null;
        if (words[0].EndsWith(':') || words[0].Contains(":,", StringComparison.Ordinal))
        {
            problems.Add(new(ProblemSeverity.Error, file, line, $"'{words[0]}' ends with a colon: that is the format of aliases(5); name the file as aliases:{file}, or write 'name target' without it. Not used"));
            return null;
        }
        if (ParseName(words[0], out string wrong) is not { } key)
        {
            problems.Add(new(ProblemSeverity.Error, file, line, $"{wrong}; the line is not used"));
            return null;
        }
        if (words.Count == 1)
        {
            problems.Add(new(ProblemSeverity.Error, file, line, $"'{words[0]}' has no target; expected 'name target, target…'. Not used"));
            return null;
        }
        List<AliasName> targets = [];
        for (int i = 1; i < words.Count; i++)
        {
            if (ParseName(words[i], out string error) is { } target) targets.Add(target);
            else problems.Add(new(ProblemSeverity.Error, file, line, $"{error}; this target is not used"));
        }
        return targets.Count == 0 ? null : new(file, line, key, targets);
    }

    // Words parted by white space and, after the first, by commas; quotes hold a word together.
    private static List<string> Words(string text, string file, int line, List<DirectoryProblem> problems)
    {
        List<string> words = [];
        StringBuilder word = new();
        bool quoted = false;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (quoted && c == '\\' && i + 1 < text.Length)
            {
                word.Append(c).Append(text[++i]);
                continue;
            }
            if (c == '"') quoted = !quoted;
            if (!quoted && (c is ' ' or '\t' || c == ',' && words.Count > 0))
            {
                if (word.Length > 0) words.Add(word.ToString());
                word.Clear();
                continue;
            }
            word.Append(c);
        }
        if (word.Length > 0) words.Add(word.ToString());
        if (!quoted) return words;
        problems.Add(new(ProblemSeverity.Error, file, line, "a quotation mark has no partner; the line is not used"));
        return [];
    }
}
