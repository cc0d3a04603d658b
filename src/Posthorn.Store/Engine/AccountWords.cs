using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Store.Catalogue;

namespace Posthorn.Store.Engine;

/// <summary>The word index of one open account: opened when it is wanted, closed when it is not, thrown away when it is damaged. Mail never depends on it.</summary>
/// <remarks>Locking: <c>_gate</c> guards the index; the account's own locks are never taken under it.</remarks>
internal sealed class AccountWords(string path, EmailAddress who, TimeProvider time, ILogger log) : IDisposable
{
    private readonly Lock _gate = new();
    private WordIndex? _index;
    private long _used;
    private bool _closed;

    /// <summary>Whether contents came or went since the indexer was here.</summary>
    internal bool IsStale { get; set; } = true;

    /// <summary>When the indexer began to work off what is there; Unix milliseconds.</summary>
    internal long Indexed { get; set; }

    /// <summary>One indexer at a time.</summary>
    internal SemaphoreSlim Turn { get; } = new(1, 1);

    /// <summary>Whether messages that could not be indexed were tried once more.</summary>
    internal bool IsRetried { get; set; }

    internal bool IsOpen
    {
        get
        {
            lock (_gate) return _index is not null;
        }
    }

    /// <summary>Does something with the index. False when there is none, or it failed: then the mail itself must be read.</summary>
    /// <param name="make">Whether to make one.</param>
    /// <param name="use">What to do.</param>
    /// <param name="result">What came of it.</param>
    internal bool TryUse<T>(bool make, Func<WordIndex, T> use, out T? result)
    {
        result = default;
        lock (_gate)
        {
            if (_closed || !make && _index is null && !File.Exists(path)) return false;
            try
            {
                _index ??= new(path);
                _used = time.GetUtcNow().ToUnixTimeMilliseconds();
                result = use(_index);
                return true;
            }
            catch (CatalogueException problem)
            {
                log.WordIndexFailed(problem, who);
                Close();
                // What cannot be used is in nobody's way: it is made anew. A full disk is no reason for that.
                if (!problem.IsPassing) Discard();
                return false;
            }
        }
    }

    /// <summary>Throws the index away; it is made anew in the background.</summary>
    internal void Reset()
    {
        lock (_gate)
        {
            Close();
            Discard();
        }
    }

    /// <summary>Closes it when nobody used it for a while.</summary>
    internal void CloseIfIdle(long now, TimeSpan idle)
    {
        lock (_gate)
            if (now - _used > idle.TotalMilliseconds) Close();
    }

    public void Dispose()
    {
        lock (_gate)
        {
            Close();
            _closed = true;
        }
    }

    private void Close()
    {
        _index?.Dispose();
        _index = null;
    }

    private void Discard()
    {
        foreach (string suffix in (ReadOnlySpan<string>)["", "-wal", "-shm", "-journal"]) File.Delete(path + suffix);
        IsStale = true;
    }
}
