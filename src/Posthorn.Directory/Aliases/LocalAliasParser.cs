using System.Text;
using Posthorn.Core;
using Posthorn.Directory.Lookups;

namespace Posthorn.Directory.Aliases;

/// <summary>Reads the text format of aliases(5), as sendmail and Postfix's local(8) have it: <c>name: value, value…</c></summary>
/// <remarks>
/// A value is an address, <c>:include:/file</c>, <c>/file</c> or <c>|command</c>. The last two are read and refused: Posthorn runs no commands and writes to no files for an alias.
/// </remarks>
internal static class LocalAliasParser
{
    /// <summary>The length at which a value is no longer read; longer ones are mistakes.</summary>
    private const int MaxWord = 4096;

    public static AliasTable Parse(string file, string text)
    {
        List<AliasEntry> entries = [];
        List<DirectoryProblem> problems = [];
        foreach (LogicalLine line in LogicalLines.Read(file, text, problems))
        {
            if (Words(line.Text, out string? key) is not { } words || key is null)
            {
                Complain(line.Number, $"expected 'name: value, value…', found '{Shorten(line.Text)}'; not used");
                continue;
            }
            if (key.Length == 0 || key.Contains('@', StringComparison.Ordinal) || !EmailAddress.TryCreate(key, DomainName.Create("invalid"), out EmailAddress name))
            {
                Complain(line.Number, $"'{Shorten(key)}' is not a local name; in aliases(5) names have no domain. Not used");
                continue;
            }
            if (words.Count == 0) Complain(line.Number, $"'{key}' has no value; expected 'name: value, value…'. Not used");
            else entries.Add(Entry(file, line.Number, new(name.LocalPart, null), words, problems));
        }
        return new(file, entries, problems);

        void Complain(int number, string what) => problems.Add(new(ProblemSeverity.Error, file, number, what));
    }

    /// <summary>Reads a file of <c>:include:</c>: values alone, one or more a line.</summary>
    public static AliasTable ParseInclude(string file, string text)
    {
        List<DirectoryProblem> problems = [];
        List<string> words = [];
        foreach (LogicalLine line in LogicalLines.Read(file, text, problems))
        {
            if (Words("x:" + line.Text, out _) is { } more) words.AddRange(more);
            else problems.Add(new(ProblemSeverity.Error, file, line.Number, $"'{Shorten(line.Text)}' is no list of addresses; not used"));
        }
        return new(file, [Entry(file, 1, new("include", null), words, problems)], problems);
    }

    private static AliasEntry Entry(string file, int line, AliasName key, List<string> words, List<DirectoryProblem> problems)
    {
        List<AliasName> targets = [];
        List<string> includes = [];
        foreach (string word in words)
        {
            if (word.StartsWith(":include:", StringComparison.OrdinalIgnoreCase))
            {
                string path = word[9..].Trim().Trim('"');
                if (Path.IsPathRooted(path)) includes.Add(path);
                else Complain(ProblemSeverity.Error, $"'{Shorten(word)}' needs an absolute path; this value is not used");
            }
            // A command or a file is what the file rightly says and not what we do: the rest of the file counts.
            else if (word.StartsWith('|')) Complain(ProblemSeverity.Warning, $"'{Shorten(word)}' is a command. Posthorn runs no commands for aliases: this value is not used; a Sieve script with 'pipe' or 'execute' can do such work");
            else if (word.StartsWith('/')) Complain(ProblemSeverity.Warning, $"'{Shorten(word)}' is a file. Posthorn writes mail into accounts only: this value is not used; name an account, or a Sieve script with 'fileinto'");
            else if (AliasParser.ParseName(word.TrimStart('\\'), out string error) is { User: not null } target) targets.Add(target);
            else Complain(ProblemSeverity.Error, $"{(error.Length > 0 ? error : $"'{Shorten(word)}' is not an address")}; this value is not used");
        }
        return new(file, line, key, targets) { Includes = includes, Words = words };

        void Complain(ProblemSeverity severity, string what) => problems.Add(new(severity, file, line, what));
    }

    // Null where a quotation mark has no partner or there is no colon. Words are parted by commas; a quoted word may stand for all of a value.
    private static List<string>? Words(string text, out string? key)
    {
        key = null;
        List<string> words = [];
        StringBuilder word = new();
        bool quoted = false;
        int comment = 0;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == '\\' && i + 1 < text.Length && (quoted || comment > 0))
            {
                if (comment == 0) word.Append(c).Append(text[++i]);
                continue;
            }
            if (comment == 0 && c == '"') quoted = !quoted;
            if (!quoted && key is not null && c == '(') comment++;
            if (comment > 0)
            {
                if (c == ')') comment--;
            }
            else if (!quoted && c == ':' && key is null)
            {
                key = Unquote(word.ToString().Trim());
                word.Clear();
            }
            else if (!quoted && c == ',' && key is not null) Finish();
            else if (word.Length <= MaxWord) word.Append(c);
        }
        if (quoted) return null;
        Finish();
        return words;

        void Finish()
        {
            string value = word.ToString().Trim();
            word.Clear();
            if (value.Length > 0) words.Add(value.StartsWith("\"|", StringComparison.Ordinal) || value.StartsWith("\"/", StringComparison.Ordinal) || value.StartsWith("\":", StringComparison.Ordinal) ? Unquote(value) : value);
        }
    }

    private static string Unquote(string text)
    {
        if (text.Length < 2 || text[0] != '"' || text[^1] != '"') return text;
        StringBuilder plain = new();
        for (int i = 1; i < text.Length - 1; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length - 1) i++;
            plain.Append(text[i]);
        }
        return plain.ToString();
    }

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..60] + "…";
}
