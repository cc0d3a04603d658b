namespace Posthorn.Store.Engine;

/// <summary>Keeps an account open for as long as it is held.</summary>
internal sealed class AccountLease(AccountCache cache, Account account) : IDisposable
{
    private int _released;

    internal Account Account { get; } = account;

    /// <summary>One more hold on the same account.</summary>
    internal AccountLease Again() => cache.Again(Account);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _released, 1) == 0) cache.Release(Account);
    }
}
