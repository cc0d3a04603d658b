using System.Diagnostics.CodeAnalysis;

namespace Posthorn.Transport.Queue;

/// <summary>Connections that have nothing to do and wait a moment for more mail to the same destination, so that it need not knock again.</summary>
/// <remarks>Each waits in the task that owns it; a delivery is handed to that task. The newest goes first, so that those which are too many grow old and close.</remarks>
internal sealed class IdleConnections(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Stack<TaskCompletionSource<Delivery?>>> _waiting = [];
    private int _count;
    private bool _closed;

    /// <summary>Connections that wait.</summary>
    public int Count
    {
        get { lock (_gate) return _count; }
    }

    /// <summary>Waits for a delivery to this destination; null when none came in time, or when so many wait already.</summary>
    public async Task<Delivery?> WaitAsync(string destination, TimeSpan patience, int most)
    {
        TaskCompletionSource<Delivery?> place = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_closed || patience <= TimeSpan.Zero || _count >= most) return null;
            if (!_waiting.TryGetValue(destination, out Stack<TaskCompletionSource<Delivery?>>? places)) _waiting.Add(destination, places = []);
            places.Push(place);
            _count++;
        }
        await using ITimer timer = time.CreateTimer(_ => Leave(destination, place), null, patience, Timeout.InfiniteTimeSpan);
        return await place.Task;
    }

    /// <summary>Gives a delivery to a connection that waits for it; false when there is none.</summary>
    public bool TryHand(Delivery delivery)
    {
        if (delivery.Foregone is not null || !TryTake(delivery.Destination.Key, out TaskCompletionSource<Delivery?>? place)) return false;
        place.SetResult(delivery);
        return true;
    }

    /// <summary>Nothing waits any more.</summary>
    public void Close()
    {
        TaskCompletionSource<Delivery?>[] all;
        lock (_gate)
        {
            all = [.. _waiting.Values.SelectMany(places => places)];
            _waiting.Clear();
            (_count, _closed) = (0, true);
        }
        foreach (TaskCompletionSource<Delivery?> place in all) place.SetResult(null);
    }

    private bool TryTake(string destination, [NotNullWhen(true)] out TaskCompletionSource<Delivery?>? place)
    {
        lock (_gate)
        {
            place = null;
            if (!_waiting.TryGetValue(destination, out Stack<TaskCompletionSource<Delivery?>>? places)) return false;
            place = places.Pop();
            _count--;
            if (places.Count == 0) _waiting.Remove(destination);
            return true;
        }
    }

    // Whoever has been taken out has been given something, or will be.
    private void Leave(string destination, TaskCompletionSource<Delivery?> place)
    {
        lock (_gate)
        {
            if (!_waiting.TryGetValue(destination, out Stack<TaskCompletionSource<Delivery?>>? places) || !places.Contains(place)) return;
            Stack<TaskCompletionSource<Delivery?>> rest = new(places.Where(other => other != place).Reverse());
            if (rest.Count == 0) _waiting.Remove(destination);
            else _waiting[destination] = rest;
            _count--;
        }
        place.SetResult(null);
    }
}
