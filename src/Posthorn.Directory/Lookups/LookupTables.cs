using System.Collections.Frozen;
using Microsoft.Extensions.Logging;

namespace Posthorn.Directory.Lookups;

/// <summary>The tables that the configuration names. Whoever holds one of them sees changes of its file; a reload of the configuration is followed by whoever asks for it by name.</summary>
public sealed class LookupTables
{
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private volatile FrozenDictionary<string, FileTable> _tables;

    public LookupTables(LookupOptions options, TimeProvider time, ILogger log)
    {
        (_time, _log) = (time, log);
        _tables = Make(options, FrozenDictionary<string, FileTable>.Empty);
    }

    /// <summary>All that is wrong with the files now.</summary>
    public IReadOnlyList<DirectoryProblem> Problems => [.. _tables.Values.SelectMany(static t => t.Problems).Distinct()];

    /// <summary>The names of all tables.</summary>
    public IReadOnlyCollection<string> Names => _tables.Keys;

    /// <summary>The table of this name, or of this text <c>type:/path</c>; null when the configuration names none such.</summary>
    public ILookupTable? Find(string name) => _tables.GetValueOrDefault(name);

    /// <summary>The tables of these names, in this order; those that the configuration does not name are left out (it was refused for that).</summary>
    public IReadOnlyList<ILookupTable> Find(IReadOnlyList<string> names) => names.Count == 0 ? [] : [.. names.Select(Find).OfType<ILookupTable>()];

    /// <summary>Swaps to other tables. Files that both name keep their last good content.</summary>
    public void Reload(LookupOptions options) => _tables = Make(options, _tables);

    private FrozenDictionary<string, FileTable> Make(LookupOptions options, FrozenDictionary<string, FileTable> old) =>
        options.Tables.ToFrozenDictionary(static t => t.Key,
            t => old.TryGetValue(t.Key, out FileTable? same) && same.Source == t.Value ? same : new FileTable(t.Key, t.Value, options, _time, _log), StringComparer.Ordinal);
}
