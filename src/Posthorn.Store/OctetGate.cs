namespace Posthorn.Store;

/// <summary>Bounds the octets of messages that are in memory as a whole, over all sessions. Who finds no room waits for his turn, in the order of coming.</summary>
/// <remarks>
/// Hold it only for work that ends by itself, never while a client is waited for. A message that is larger than the bound has its turn when nothing else is held.
/// Locking: a lock of its own, which is the last of all.
/// </remarks>
/// <param name="most">The bound.</param>
public sealed class OctetGate(long most)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Waiter> _waiting = [];
    private long _held;

    /// <summary>How many wait for their turn.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate) return _waiting.Count;
        }
    }

    /// <summary>Completes when so many octets may be held; dispose the result to give them back.</summary>
    public ValueTask<OctetHold> TakeAsync(long octets, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        octets = Math.Min(octets, most);
        Waiter waiter;
        lock (_gate)
        {
            if (_waiting.Count == 0 && _held + octets <= most)
            {
                _held += octets;
                return ValueTask.FromResult(new OctetHold(this, octets));
            }

            _waiting.AddLast(waiter = new(octets));
        }

        return WaitAsync(waiter, cancel);
    }

    internal void GiveBack(long octets)
    {
        lock (_gate)
        {
            _held -= octets;
            Admit();
        }
    }

    private async ValueTask<OctetHold> WaitAsync(Waiter waiter, CancellationToken cancel)
    {
        try
        {
            await waiter.Turn.Task.WaitAsync(cancel);
            return new(this, waiter.Octets);
        }
        catch (OperationCanceledException)
        {
            lock (_gate)
            {
                if (!_waiting.Remove(waiter)) _held -= waiter.Octets; // its turn had come meanwhile
                Admit();
            }

            throw;
        }
    }

    private void Admit()
    {
        while (_waiting.First is { Value: var next } && _held + next.Octets <= most)
        {
            _waiting.RemoveFirst();
            _held += next.Octets;
            next.Turn.SetResult();
        }
    }

    private sealed class Waiter(long octets)
    {
        public long Octets => octets;

        public TaskCompletionSource Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>Octets that are held of an <see cref="OctetGate"/>.</summary>
public readonly struct OctetHold : IDisposable, IEquatable<OctetHold>
{
    private readonly OctetGate? _gate;
    private readonly long _octets;

    internal OctetHold(OctetGate gate, long octets) => (_gate, _octets) = (gate, octets);

    /// <summary>Gives them back; once.</summary>
    public void Dispose() => _gate?.GiveBack(_octets);

    public bool Equals(OctetHold other) => ReferenceEquals(_gate, other._gate) && _octets == other._octets;
    public override bool Equals(object? obj) => obj is OctetHold other && Equals(other);
    public override int GetHashCode() => HashCode.Combine(_gate, _octets);
    public static bool operator ==(OctetHold left, OctetHold right) => left.Equals(right);
    public static bool operator !=(OctetHold left, OctetHold right) => !left.Equals(right);
}
