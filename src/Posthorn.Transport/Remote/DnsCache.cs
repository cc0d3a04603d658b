using System.Collections.Concurrent;
using DnsClient;

namespace Posthorn.Transport.Remote;

/// <summary>Answers of the DNS, as small as we use them, kept for as long as their records say. Two tables take turns, so that no number of foreign names fills memory.</summary>
/// <param name="time">The clock.</param>
/// <param name="most">Answers at most; beyond it those that nobody asked for lately go.</param>
internal sealed class DnsCache(TimeProvider time, int most)
{
    private sealed record Kept(object Answer, DateTimeOffset Until);

    private readonly Lock _turning = new();
    private volatile ConcurrentDictionary<(string Name, QueryType Type), Kept> _now = new();
    private volatile ConcurrentDictionary<(string Name, QueryType Type), Kept> _before = new();

    public int Count => _now.Count + _before.Count;

    /// <summary>The answer to a question that was asked before; null when it was not, or is too old.</summary>
    public T? Find<T>(string name, QueryType type)
        where T : class
    {
        (string, QueryType) question = (name.ToLowerInvariant(), type);
        bool recent = _now.TryGetValue(question, out Kept? kept);
        if (!recent && !_before.TryGetValue(question, out kept)) return null;
        if (kept!.Until <= time.GetUtcNow()) return null;
        if (!recent) Keep(question, kept);
        return (T)kept.Answer;
    }

    public void Add(string name, QueryType type, object answer, TimeSpan life)
    {
        if (life > TimeSpan.Zero) Keep((name.ToLowerInvariant(), type), new(answer, time.GetUtcNow() + life));
    }

    private void Keep((string, QueryType) question, Kept kept)
    {
        if (_now.Count >= most / 2)
        {
            lock (_turning)
                if (_now.Count >= most / 2) (_before, _now) = (_now, new());
        }
        _now[question] = kept;
    }
}
