using System.Diagnostics.CodeAnalysis;

namespace Posthorn.Transport.Queue;

/// <summary>A queue with a lane for each origin, served in turn: a mass mailing of one sender delays nobody else.</summary>
internal sealed class FairQueue<T>
{
    private readonly Dictionary<string, Lane> _lanes = [];

    // A lane that was emptied out of its turn stays until its turn comes.
    private readonly Queue<Lane> _turns = [];

    private sealed class Lane(string origin)
    {
        public string Origin { get; } = origin;
        public Queue<T> Items { get; } = [];
    }

    public int Count { get; private set; }

    /// <summary>Whose turn it is; null when nothing waits.</summary>
    public string? Next
    {
        get
        {
            PassOverEmpty();
            return _turns.TryPeek(out Lane? lane) ? lane.Origin : null;
        }
    }

    /// <summary>Adds an item; true when it is the only one of its origin.</summary>
    public bool Enqueue(string origin, T item)
    {
        bool isFirst = !_lanes.TryGetValue(origin, out Lane? lane);
        if (lane is null)
        {
            _lanes.Add(origin, lane = new(origin));
            _turns.Enqueue(lane);
        }
        lane.Items.Enqueue(item);
        Count++;
        return isFirst;
    }

    public bool TryDequeue([MaybeNullWhen(false)] out T item) => TryDequeue(static _ => true, out item);

    /// <summary>The next item of an origin that may have a turn.</summary>
    public bool TryDequeue(Predicate<string> mayHaveTurn, [MaybeNullWhen(false)] out T item)
    {
        for (int left = _turns.Count; left > 0; left--)
        {
            Lane lane = _turns.Dequeue();
            if (lane.Items.Count == 0) continue;
            if (!mayHaveTurn(lane.Origin))
            {
                _turns.Enqueue(lane);
                continue;
            }
            item = Take(lane);
            if (lane.Items.Count > 0) _turns.Enqueue(lane);
            return true;
        }
        item = default;
        return false;
    }

    /// <summary>The next item of one origin, out of its turn.</summary>
    public bool TryDequeueOf(string origin, [MaybeNullWhen(false)] out T item)
    {
        item = default;
        if (!_lanes.TryGetValue(origin, out Lane? lane)) return false;
        item = Take(lane);
        PassOverEmpty();
        return true;
    }

    private T Take(Lane lane)
    {
        Count--;
        T item = lane.Items.Dequeue();
        if (lane.Items.Count == 0) _lanes.Remove(lane.Origin);
        return item;
    }

    private void PassOverEmpty()
    {
        while (_turns.TryPeek(out Lane? lane) && lane.Items.Count == 0) _turns.Dequeue();
    }
}
