using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>Lets the flag changes of each account come one after the other.</summary>
internal sealed class FlagTurns
{
    // Accounts share turns by hash: a bounded number of semaphores, and two accounts that meet only wait a little.
    private readonly SemaphoreSlim[] _turns = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];

    internal async ValueTask<IDisposable> TakeAsync(EmailAddress account, CancellationToken cancel)
    {
        SemaphoreSlim turn = _turns[(account.GetHashCode() & int.MaxValue) % _turns.Length];
        await turn.WaitAsync(cancel);
        return new Turn(turn);
    }

    private sealed class Turn(SemaphoreSlim turn) : IDisposable
    {
        public void Dispose() => turn.Release();
    }
}
