using System.Diagnostics.CodeAnalysis;

namespace Posthorn.Transport.Queue;

/// <summary>A queue with a lane for each origin, served in turn: a mass mailing of one sender delays nobody else.</summary>
internal sealed class FairQueue<T>
{
    private readonly Dictionary<string, Queue<T>> _lanes = [];
    private readonly Queue<string> _turns = [];

    public int Count { get; private set; }

    public void Enqueue(string origin, T item)
    {
        if (!_lanes.TryGetValue(origin, out Queue<T>? lane))
        {
            _lanes.Add(origin, lane = []);
            _turns.Enqueue(origin);
        }
        lane.Enqueue(item);
        Count++;
    }

    public bool TryDequeue([MaybeNullWhen(false)] out T item)
    {
        item = default;
        if (!_turns.TryDequeue(out string? origin)) return false;
        Queue<T> lane = _lanes[origin];
        item = lane.Dequeue();
        Count--;
        if (lane.Count > 0) _turns.Enqueue(origin);
        else _lanes.Remove(origin);
        return true;
    }
}
