using Posthorn.Core;
using Posthorn.Directory.Aliases;

namespace Posthorn.Directory.Files;

/// <summary>The files that a directory's options name. Used under the directory's refresh lock only.</summary>
internal sealed class FileSet
{
    private readonly DirectoryOptions _options;
    private readonly Dictionary<string, LiveFile<PasswdTable>> _users = [];
    private readonly Dictionary<string, LiveFile<AliasTable>> _aliases = [];
    private readonly List<(LiveFile<PasswdTable> File, DomainName? Domain)> _userOrder = [];
    private readonly List<(LiveFile<AliasTable> File, IReadOnlyList<DomainName> Domains)> _aliasOrder = [];

    /// <param name="options">What names the files.</param>
    /// <param name="previous">The set before, whose files go on living where the new options name them too.</param>
    /// <param name="time">The clock.</param>
    public FileSet(DirectoryOptions options, FileSet? previous, TimeProvider time)
    {
        _options = options;
        if (options.PasswdFile is { } shared) AddUsers(shared, null);
        foreach (DomainOptions domain in options.Domains)
            if (domain.PasswdFile is { } own) AddUsers(own, domain.Name);

        foreach (string path in options.Aliases) AddAliases(path, []);
        foreach (string path in options.Domains.SelectMany(static d => d.Aliases).Distinct(StringComparer.Ordinal))
            if (!_aliases.ContainsKey(path)) AddAliases(path, [.. options.Domains.Where(d => d.Aliases.Contains(path, StringComparer.Ordinal)).Select(static d => d.Name)]);

        void AddUsers(string path, DomainName? domain)
        {
            // One file for several domains is one file: its bare names belong to the first that names it.
            if (_users.ContainsKey(path)) return;
            LiveFile<PasswdTable> file = previous?._users.GetValueOrDefault(path) ?? new(path, PasswdParser.Parse, options.Limits, time);
            _users.Add(path, file);
            _userOrder.Add((file, domain));
        }

        void AddAliases(string path, IReadOnlyList<DomainName> domains)
        {
            if (_aliases.ContainsKey(path)) return;
            LiveFile<AliasTable> file = previous?._aliases.GetValueOrDefault(path) ?? new(path, AliasParser.Parse, options.Limits, time);
            _aliases.Add(path, file);
            _aliasOrder.Add((file, domains));
        }
    }

    /// <summary>How often files were parsed.</summary>
    public int Reads => _users.Values.Sum(static f => f.Reads) + _aliases.Values.Sum(static f => f.Reads);

    /// <summary>Looks at all files; true when any changed.</summary>
    public bool Refresh()
    {
        bool changed = false;
        foreach (LiveFile<PasswdTable> file in _users.Values) changed |= file.Refresh();
        foreach (LiveFile<AliasTable> file in _aliases.Values) changed |= file.Refresh();
        return changed;
    }

    public DirectorySnapshot Build() => new SnapshotBuilder(_options).Build(
        [.. _userOrder.Select(static u => (u.File.Content, u.Domain))],
        [.. _aliasOrder.Select(static a => (a.File.Content, a.Domains))],
        _users.Values.Select(static f => f.Problem).Concat(_aliases.Values.Select(static f => f.Problem)).OfType<DirectoryProblem>(),
        _users.Values.Any(static f => f.Reads == 0) || _aliases.Values.Any(static f => f.Reads == 0));
}
