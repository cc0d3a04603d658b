using Microsoft.Extensions.Logging;

namespace Posthorn.Serving;

/// <summary>What is looked after now and then, one after the other. What goes wrong with one is logged, and keeps neither the others nor the end of the server waiting.</summary>
internal sealed class Housekeeping : IAsyncDisposable
{
    private readonly IReadOnlyList<Func<CancellationToken, Task>> _chores;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly ITimer _timer;
    private Task _round = Task.CompletedTask;

    /// <param name="time">The clock.</param>
    /// <param name="every">From round to round; a round that is still under way then is not disturbed.</param>
    /// <param name="log">Where it is told what went wrong.</param>
    /// <param name="chores">What there is to do.</param>
    public Housekeeping(TimeProvider time, TimeSpan every, ILogger log, params IReadOnlyList<Func<CancellationToken, Task>> chores)
    {
        (_chores, _log) = (chores, log);
        _timer = time.CreateTimer(_ => Begin(), null, every, every);
    }

    /// <summary>Ends what is under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        await _stop.CancelAsync();
        await _round;
        _stop.Dispose();
    }

    private void Begin()
    {
        if (_round.IsCompleted) _round = GoRoundAsync();
    }

    private async Task GoRoundAsync()
    {
        foreach (Func<CancellationToken, Task> chore in _chores)
        {
            try { await chore(_stop.Token); }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested) { return; }
#pragma warning disable CA1031 // Nobody else waits for it: what is not caught here is never heard of, and would end the end of the server.
            catch (Exception e)
#pragma warning restore CA1031
            {
                _log.ChoreFailed(e, e.Message);
            }
        }
    }
}
