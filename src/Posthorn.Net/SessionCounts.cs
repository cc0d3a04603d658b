using System.Collections.Concurrent;

namespace Posthorn.Net;

/// <summary>Counts the sessions of each account, or of whatever else may have only so many at once.</summary>
/// <remarks>Locking: the table is concurrent; a count that reaches 0 leaves it.</remarks>
public sealed class SessionCounts<T>
    where T : notnull
{
    private readonly ConcurrentDictionary<T, int> _counts = new();

    /// <summary>Counts one more; false when there are as many as there may be.</summary>
    public bool TryEnter(T whose, int limit)
    {
        if (_counts.AddOrUpdate(whose, 1, static (_, n) => n + 1) <= limit) return true;
        Leave(whose);
        return false;
    }

    /// <summary>One has ended.</summary>
    public void Leave(T whose)
    {
        if (_counts.AddOrUpdate(whose, 0, static (_, n) => n - 1) == 0) _counts.TryRemove(new(whose, 0));
    }
}
