namespace Posthorn.Store.Engine;

/// <summary>Background work by volume, one piece at a time on each: a volume that hangs keeps its own accounts waiting and nobody else's.</summary>
/// <remarks>Locking: a lock of its own, never held while anything works.</remarks>
internal sealed class VolumeLanes
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, Task> _lanes = [];

    /// <summary>Begins a piece of work for a volume; false while the last one is still at it.</summary>
    internal bool TryBegin(ulong device, Func<Task> work)
    {
        lock (_gate)
        {
            if (_lanes.TryGetValue(device, out Task? last) && !last.IsCompleted) return false;
            _lanes[device] = Task.Run(work, CancellationToken.None);
            return true;
        }
    }

    /// <summary>Completes when all that was begun is done.</summary>
    internal Task WhenAllAsync()
    {
        lock (_gate) return Task.WhenAll(_lanes.Values);
    }
}
