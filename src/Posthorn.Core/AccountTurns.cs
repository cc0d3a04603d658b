namespace Posthorn.Core;

/// <summary>Lets what is done for one account come one after the other. Each account has a turn of its own, for as long as anybody wants it: one whose work hangs keeps no other waiting.</summary>
/// <remarks>Locking: <c>_gate</c> guards the table; nothing is awaited under it.</remarks>
public sealed class AccountTurns
{
    private readonly Lock _gate = new();
    private readonly Dictionary<EmailAddress, Turn> _turns = [];

    /// <summary>Waits for the turn; dispose it to give it on. Null when it did not come in time.</summary>
    /// <param name="account">Whose.</param>
    /// <param name="wait">The longest time to wait; <see cref="Timeout.InfiniteTimeSpan"/> for ever.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<IDisposable?> EnterAsync(EmailAddress account, TimeSpan wait, CancellationToken cancel)
    {
        Turn turn;
        lock (_gate)
        {
            if (!_turns.TryGetValue(account, out Turn? known)) _turns.Add(account, known = new(this, account));
            turn = known;
            turn.Users++;
        }
        try
        {
            if (await turn.Semaphore.WaitAsync(wait, cancel)) return turn.Hold();
        }
        catch
        {
            Leave(turn);
            throw;
        }
        Leave(turn);
        return null;
    }

    private void Leave(Turn turn)
    {
        lock (_gate)
        {
            if (--turn.Users > 0) return;
            _turns.Remove(turn.Account);
        }
        turn.Semaphore.Dispose();
    }

    private sealed class Turn(AccountTurns turns, EmailAddress account)
    {
        public EmailAddress Account => account;
        public SemaphoreSlim Semaphore { get; } = new(1, 1);
        public int Users { get; set; }

        public IDisposable Hold() => new Holding(this);

        private sealed class Holding(Turn turn) : IDisposable
        {
            private Turn? _turn = turn;

            public void Dispose()
            {
                if (Interlocked.Exchange(ref _turn, null) is not { } held) return;
                held.Semaphore.Release();
                held.Turns.Leave(held);
            }
        }

        private AccountTurns Turns => turns;
    }
}
