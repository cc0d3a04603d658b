using System.Runtime.InteropServices;
using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>Lets the flag changes of each account come one after the other.</summary>
/// <remarks>Each account has a turn of its own, for as long as anybody wants it: one whose volume hangs keeps nobody else waiting.</remarks>
internal sealed class FlagTurns
{
    private readonly Lock _gate = new();
    private readonly Dictionary<EmailAddress, Turn> _turns = [];

    internal async ValueTask<IDisposable> TakeAsync(EmailAddress account, CancellationToken cancel)
    {
        Turn turn;
        lock (_gate)
        {
            turn = CollectionsMarshal.GetValueRefOrAddDefault(_turns, account, out _) ??= new(this, account);
            turn.Users++;
        }

        try
        {
            await turn.Free.WaitAsync(cancel);
            return turn;
        }
        catch
        {
            Leave(turn);
            throw;
        }
    }

    private void Leave(Turn turn)
    {
        lock (_gate)
            if (--turn.Users == 0) _turns.Remove(turn.Account);
    }

    private sealed class Turn(FlagTurns turns, EmailAddress account) : IDisposable
    {
        internal SemaphoreSlim Free { get; } = new(1, 1);

        internal EmailAddress Account { get; } = account;

        internal int Users { get; set; }

        public void Dispose()
        {
            Free.Release();
            turns.Leave(this);
        }
    }
}
