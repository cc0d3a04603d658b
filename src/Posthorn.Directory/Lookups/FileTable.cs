using Microsoft.Extensions.Logging;
using Posthorn.Directory.Files;

namespace Posthorn.Directory.Lookups;

/// <summary>A text map that is read again when it changes. A reading with mistakes does not replace a good one.</summary>
/// <remarks>Locking: <c>_refresh</c> guards the file; readers take the content without a lock, and whoever finds a look due while another takes it goes on with the old one.</remarks>
internal sealed class FileTable : ILookupTable
{
    private readonly LookupSource _source;
    private readonly LookupOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Lock _refresh = new();
    private readonly LiveFile<TableContent> _file;
    private volatile TableContent _content;
    private volatile IReadOnlyList<DirectoryProblem> _problems = [];
    private volatile bool _wasRead;
    private long _lastCheck;

    public FileTable(string name, LookupSource source, LookupOptions options, TimeProvider time, ILogger log)
    {
        (Name, _source, _options, _time, _log) = (name, source, options, time, log);
        _file = new(source.Path, (path, text) => TableContent.Parse(source.Type, path, text, options.PatternTime), options.Limits, time);
        _content = _file.Content;
        lock (_refresh) Look();
    }

    public string Name { get; }

    public LookupSource Source => _source;

    public bool TakesWholeKeysOnly => _content.TakesWholeKeysOnly;

    /// <summary>What is wrong with the file now.</summary>
    public IReadOnlyList<DirectoryProblem> Problems
    {
        get
        {
            Now();
            return _problems;
        }
    }

    public int Count => Now().Count;

    public ValueTask<LookupResult> FindAsync(string key, CancellationToken cancel) => ValueTask.FromResult(Find(key, isAddress: false));

    public ValueTask<LookupResult> FindAddressAsync(string address, CancellationToken cancel) => ValueTask.FromResult(Find(address, isAddress: true));

    private LookupResult Find(string key, bool isAddress)
    {
        TableContent content = Now();
        if (!_wasRead) return new LookupResult.Unavailable($"{_source.Path} could not be read since the start");
        return isAddress ? content.FindAddress(key) : content.Find(key);
    }

    private TableContent Now()
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _lastCheck)) < _options.Limits.FileCheckInterval || !_refresh.TryEnter()) return _content;
        try { Look(); }
        finally { _refresh.Exit(); }
        return _content;
    }

    private void Look()
    {
        bool changed = _file.Refresh();
        Volatile.Write(ref _lastCheck, _time.GetTimestamp());
        if (!changed) return;
        TableContent fresh = _file.Content;
        // Mistakes in a changed file: most likely somebody is at it, and half a table can open or close what the whole would not.
        bool keepsOld = fresh.IsBroken && _wasRead && fresh != _content;
        List<DirectoryProblem> problems = [.. _file.Problem is { } whole ? [whole] : Array.Empty<DirectoryProblem>(), .. fresh.Problems];
        if (keepsOld) problems.Add(new(ProblemSeverity.Error, _source.Path, 0, "the file has mistakes; the table that was last read without them stays in use"));
        else _content = fresh;
        _wasRead |= _file.Reads > 0 || _file.Problem is null;
        _problems = problems;
        foreach (DirectoryProblem problem in problems)
        {
            if (problem.Severity == ProblemSeverity.Error) _log.Error(problem);
            else _log.Warning(problem);
        }
        _log.TableLoaded(Name, _content.Count, problems.Count);
    }
}
