namespace Posthorn.Imap.Session;

/// <summary>Wakes idle sessions now and then with one timer for all of them, spread evenly over the interval.</summary>
/// <remarks>Locking: a slot is exchanged atomically; nothing else is shared.</remarks>
internal sealed class Heartbeat : IDisposable
{
    /// <summary>At 10,000 idle sessions each beat wakes some 600.</summary>
    private const int Slots = 16;

    private readonly TaskCompletionSource[] _slots = new TaskCompletionSource[Slots];
    private readonly ITimer _timer;
    private int _next;

    public Heartbeat(TimeProvider time, TimeSpan interval)
    {
        for (int i = 0; i < Slots; i++) _slots[i] = New();
        TimeSpan step = interval / Slots;
        _timer = time.CreateTimer(_ => Beat(), null, step, step);
    }

    /// <summary>Completes at the next beat of the slot that a number falls in.</summary>
    public Task NextAsync(int number) => Volatile.Read(ref _slots[(uint)number % Slots]).Task;

    public void Dispose() => _timer.Dispose();

    private void Beat()
    {
        int slot = (int)((uint)Interlocked.Increment(ref _next) % Slots);
        Interlocked.Exchange(ref _slots[slot], New()).SetResult();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
