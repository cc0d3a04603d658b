using Posthorn.Core;
using Posthorn.Directory.Aliases;
using Posthorn.Directory.Files;

namespace Posthorn.Directory;

/// <summary>Edits an alias file in the format of virtual(5) for <c>posthorn alias</c>: one entry at a time, all else kept.</summary>
public sealed class AliasFile(string path, TimeProvider time)
{
    /// <summary>The entries, in order: a name and its targets as they are written.</summary>
    public IReadOnlyList<(string Name, IReadOnlyList<string> Targets)> List() => File.Exists(path)
        ? [.. AliasParser.Parse(path, File.ReadAllText(path)).Entries.Select(static e => (e.Key.ToString(), (IReadOnlyList<string>)[.. e.Targets.Select(static t => t.ToString())]))]
        : [];

    /// <summary>Adds an entry at the end.</summary>
    /// <param name="name"><c>user@domain</c>, <c>user</c> or <c>@domain</c>.</param>
    /// <param name="targets">At least one address.</param>
    /// <param name="cancel">Ends the wait for the lock.</param>
    public ValueTask<Result<Done>> AddAsync(string name, IReadOnlyList<string> targets, CancellationToken cancel) =>
        FileEditor.EditAsync(path, time, lines =>
        {
            string line = $"{name} {string.Join(", ", targets)}";
            AliasTable read = AliasParser.Parse(path, line);
            if (line.AsSpan().ContainsAny("\r\n\0") || read.Problems.Count > 0 || read.Entries is not [{ } entry] || entry.Targets.Count != targets.Count)
                return new Refusal(RefusalKind.BadName, read.Problems.Count > 0 ? read.Problems[0].Text : $"'{line}' is not a name and its targets");
            if (Find(lines, entry.Key) >= 0) return new Refusal(RefusalKind.AlreadyExists, $"{name} is already there");
            lines.Add(line);
            return Done.It;
        }, cancel);

    /// <summary>Removes an entry with the lines that continue it; comments between them stay.</summary>
    public ValueTask<Result<Done>> RemoveAsync(string name, CancellationToken cancel) =>
        FileEditor.EditAsync(path, time, lines =>
        {
            int index = name.Length > 0 && AliasParser.ParseName(name, out _) is { } key ? Find(lines, key) : -1;
            if (index < 0) return new Refusal(RefusalKind.NoSuchAccount, $"There is no alias {name} in the file");
            lines.RemoveAt(index);
            while (index < lines.Count && (IsIgnored(lines[index]) || lines[index][0] is ' ' or '\t'))
            {
                if (IsIgnored(lines[index])) index++;
                else lines.RemoveAt(index);
            }
            return Done.It;
        }, cancel);

    // The physical line where the entry begins.
    private int Find(List<string> lines, AliasName key)
    {
        foreach (AliasEntry entry in AliasParser.Parse(path, string.Join('\n', lines)).Entries)
            if (entry.Key.Domain == key.Domain && string.Equals(entry.Key.User, key.User, StringComparison.OrdinalIgnoreCase)) return entry.Line - 1;
        return -1;
    }

    private static bool IsIgnored(string line) => string.IsNullOrWhiteSpace(line) || line.TrimStart()[0] == '#';
}
