using Posthorn.Core;
using Posthorn.Directory.Aliases;
using Posthorn.Directory.Lookups;

namespace Posthorn.Directory.Files;

/// <summary>The files that a directory's options name. Used under the directory's refresh lock only.</summary>
internal sealed class FileSet
{
    private readonly DirectoryOptions _options;
    private readonly Dictionary<string, LiveFile<PasswdTable>> _users = [];
    private readonly Dictionary<string, LiveFile<AliasTable>> _aliases = [];
    private readonly Dictionary<string, LiveFile<AliasTable>> _includes = [];
    private readonly Dictionary<string, LiveFile<TableContent>> _patterns = [];
    private readonly List<(LiveFile<TableContent> File, IReadOnlyList<DomainName> Domains)> _patternOrder = [];
    private readonly TimeProvider _time;
    private readonly List<(LiveFile<PasswdTable> File, DomainName? Domain)> _userOrder = [];
    private readonly List<(LiveFile<AliasTable> File, IReadOnlyList<DomainName> Domains)> _aliasOrder = [];

    /// <param name="options">What names the files.</param>
    /// <param name="previous">The set before, whose files go on living where the new options name them too.</param>
    /// <param name="time">The clock.</param>
    public FileSet(DirectoryOptions options, FileSet? previous, TimeProvider time)
    {
        (_options, _time) = (options, time);
        if (previous is not null) _includes = previous._includes;
        if (options.PasswdFile is { } shared) AddUsers(shared, null);
        foreach (DomainOptions domain in options.Domains)
            if (domain.PasswdFile is { } own) AddUsers(own, domain.Name);

        foreach (string path in options.Aliases) AddAliases(path, []);
        foreach (string path in options.Domains.SelectMany(static d => d.Aliases).Distinct(StringComparer.Ordinal))
            if (!_aliases.ContainsKey(path) && !_patterns.ContainsKey(path)) AddAliases(path, [.. options.Domains.Where(d => d.Aliases.Contains(path, StringComparer.Ordinal)).Select(static d => d.Name)]);

        void AddUsers(string path, DomainName? domain)
        {
            // One file for several domains is one file: its bare names belong to the first that names it.
            if (_users.ContainsKey(path)) return;
            LiveFile<PasswdTable> file = previous?._users.GetValueOrDefault(path) ?? new(path, PasswdParser.Parse, options.Limits, time);
            _users.Add(path, file);
            _userOrder.Add((file, domain));
        }

        void AddAliases(string text, IReadOnlyList<DomainName> domains)
        {
            if (_aliases.ContainsKey(text) || _patterns.ContainsKey(text)) return;
            LookupSource.TryParse(text, LookupType.Hash, out LookupSource source);
            if (source.Type is LookupType.Regexp or LookupType.Pcre)
            {
                LiveFile<TableContent> table = previous?._patterns.GetValueOrDefault(text)
                    ?? new(source.Path, (path, content) => TableContent.Parse(source.Type, path, content, new LookupOptions().PatternTime), options.Limits, time);
                _patterns.Add(text, table);
                _patternOrder.Add((table, domains));
                return;
            }
            LiveFile<AliasTable> file = previous?._aliases.GetValueOrDefault(text) ?? new(source.Path, source.Type == LookupType.Aliases ? LocalAliasParser.Parse : AliasParser.Parse, options.Limits, time);
            _aliases.Add(text, file);
            _aliasOrder.Add((file, domains));
        }
    }

    /// <summary>How often files were parsed.</summary>
    public int Reads => _users.Values.Sum(static f => f.Reads) + _aliases.Values.Sum(static f => f.Reads) + _patterns.Values.Sum(static f => f.Reads) + _includes.Values.Sum(static f => f.Reads);

    /// <summary>Looks at all files; true when any changed.</summary>
    public bool Refresh()
    {
        bool changed = false;
        foreach (LiveFile<PasswdTable> file in _users.Values) changed |= file.Refresh();
        foreach (LiveFile<AliasTable> file in _aliases.Values) changed |= file.Refresh();
        foreach (LiveFile<TableContent> file in _patterns.Values) changed |= file.Refresh();
        return changed | RefreshIncludes();
    }

    // Lists may include lists; each is read once, and no more than so many.
    private bool RefreshIncludes()
    {
        bool changed = false;
        HashSet<string> wanted = [];
        Queue<AliasTable> tables = new(_aliases.Values.Select(static f => f.Content));
        while (tables.TryDequeue(out AliasTable? table))
        {
            foreach (string path in table.Entries.SelectMany(static e => e.Includes))
            {
                if (wanted.Count >= _options.Limits.MaxIncludes || !wanted.Add(path)) continue;
                if (!_includes.TryGetValue(path, out LiveFile<AliasTable>? file)) _includes.Add(path, file = new(path, LocalAliasParser.ParseInclude, _options.Limits, _time));
                changed |= file.Refresh();
                tables.Enqueue(file.Content);
            }
        }
        foreach (string path in _includes.Keys.Where(path => !wanted.Contains(path)).ToList()) _includes.Remove(path);
        return changed;
    }

    // An entry with what its includes say; a list that includes itself says nothing more.
    private AliasTable WithIncludes(AliasTable table)
    {
        if (table.Entries.All(static e => e.Includes.Count == 0)) return table;
        return table with { Entries = [.. table.Entries.Select(entry => entry.Includes.Count == 0 ? entry : entry with { Targets = [.. entry.Targets, .. Included(entry, [])] })] };
    }

    private IEnumerable<AliasName> Included(AliasEntry entry, HashSet<string> seen)
    {
        foreach (string path in entry.Includes)
        {
            if (!seen.Add(path) || !_includes.TryGetValue(path, out LiveFile<AliasTable>? file)) continue;
            foreach (AliasEntry list in file.Content.Entries)
                foreach (AliasName name in list.Targets.Concat(Included(list, seen))) yield return name;
        }
    }

    public DirectorySnapshot Build() => new SnapshotBuilder(_options) { Patterns = [.. _patternOrder.Select(static p => new AliasPatterns(p.File.Path, p.File.Content, p.Domains))] }.Build(
        [.. _userOrder.Select(static u => (u.File.Content, u.Domain))],
        [.. _aliasOrder.Select(a => (WithIncludes(a.File.Content), a.Domains))],
        Problems(),
        _users.Values.Any(static f => f.Reads == 0) || _aliases.Values.Any(static f => f.Reads == 0) || _patterns.Values.Any(static f => f.Reads == 0) || _includes.Values.Any(static f => f.Reads == 0));

    private IEnumerable<DirectoryProblem> Problems() =>
    [
        .. _users.Values.Select(static f => f.Problem).Concat(_aliases.Values.Select(static f => f.Problem)).Concat(_includes.Values.Select(static f => f.Problem)).Concat(_patterns.Values.Select(static f => f.Problem)).OfType<DirectoryProblem>(),
        .. _includes.Values.SelectMany(static f => f.Content.Problems), .. _patterns.Values.SelectMany(static f => f.Content.Problems),
    ];
}
