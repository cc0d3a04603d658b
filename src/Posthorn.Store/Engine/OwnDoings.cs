using System.Collections.Concurrent;
using System.Diagnostics;

namespace Posthorn.Store.Engine;

/// <summary>Remembers what was done for a while: two tables that take turns, so that neither adding nor forgetting ever walks over what is remembered.</summary>
/// <param name="memory">How long at least.</param>
/// <param name="mostKept">Doings in one table at most. Beyond it some are forgotten early, which costs a look at the directory.</param>
internal sealed class OwnDoings(TimeSpan memory, int mostKept)
{
    private sealed class Table(long since)
    {
        public int Count;

        public long Since { get; } = since;
        public ConcurrentDictionary<(string Directory, string Name, bool Gone), long> Doings { get; } = new();
    }

    private readonly Lock _turning = new();
    private volatile Table _now = new(Stopwatch.GetTimestamp());
    private volatile Table _before = new(0);

    /// <summary>How many are remembered.</summary>
    public int Count => _now.Doings.Count + _before.Doings.Count;

    public void Add((string Directory, string Name, bool Gone) doing, long now)
    {
        Table table = _now;
        if (Interlocked.Increment(ref table.Count) > mostKept || Stopwatch.GetElapsedTime(table.Since, now) > memory) table = Turn(table, now);
        table.Doings[doing] = now;
    }

    /// <summary>True when it was done not long ago.</summary>
    public bool Has((string Directory, string Name, bool Gone) doing, long now) =>
        (_now.Doings.TryGetValue(doing, out long at) || _before.Doings.TryGetValue(doing, out at)) && Stopwatch.GetElapsedTime(at, now) <= memory;

    private Table Turn(Table full, long now)
    {
        lock (_turning)
        {
            if (_now != full) return _now;
            _before = full;
            return _now = new(now);
        }
    }
}
