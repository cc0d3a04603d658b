using Microsoft.Extensions.Time.Testing;

namespace Posthorn.Testing.Time;

/// <summary>A clock that stands until a test moves it, and that says when somebody has begun to wait for it.</summary>
/// <remarks>A test that moved the clock before the server had set its timer would wait for ever, and one that moved it again and again could pass other limits too.</remarks>
public sealed class WatchedTime(DateTimeOffset start) : FakeTimeProvider(start)
{
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the next timer has been set. Asked for before the act that leads to the timer.</summary>
    public Task NextTimerAsync() => Volatile.Read(ref _next).Task;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ITimer timer = base.CreateTimer(callback, state, dueTime, period);
        Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        return timer;
    }
}
