using System.Collections.Concurrent;

namespace Posthorn.Testing;

/// <summary>What a scripted peer does at each point. Several acts at one point are used one for each time; the last one stays.</summary>
internal sealed class Script<TPoint, TAct>(IEqualityComparer<TPoint>? comparer = null)
    where TPoint : notnull
    where TAct : class
{
    private readonly ConcurrentDictionary<TPoint, ConcurrentQueue<TAct>> _acts = new(comparer ?? EqualityComparer<TPoint>.Default);

    internal void Add(TPoint point, ReadOnlySpan<TAct> acts)
    {
        ConcurrentQueue<TAct> queue = _acts.GetOrAdd(point, _ => new());
        foreach (TAct act in acts) queue.Enqueue(act);
    }

    /// <summary>The next act at a point; null for the usual answer.</summary>
    internal TAct? Next(TPoint point)
    {
        if (!_acts.TryGetValue(point, out ConcurrentQueue<TAct>? queue)) return null;
        if (queue.Count == 1) return queue.TryPeek(out TAct? last) ? last : null;
        return queue.TryDequeue(out TAct? next) ? next : null;
    }
}
