using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;

namespace Posthorn.Store.Contract;

/// <summary>An engine under the contract's tests.</summary>
public interface IContractEngine
{
    /// <summary>A fresh engine without any mail, which gives a new account its special mailboxes.</summary>
    ValueTask<IMailStores> CreateAsync(TimeProvider time);

    /// <summary>The engine ends and starts anew on the same mail; with <paramref name="kill"/> it ends without a farewell. Account stores opened before are dead.</summary>
    ValueTask<IMailStores> RestartAsync(IMailStores stores, bool kill, TimeProvider time);

    /// <summary>An account of this name.</summary>
    MailAccount Account(string name);

    /// <summary>Removes what is left on the disk.</summary>
    ValueTask CleanAsync();
}

/// <summary>What the parts of the contract share: one engine for each test, and what the test has open.</summary>
public abstract class StoreContract : IAsyncLifetime
{
    private readonly List<IAsyncDisposable> _open = [];

    protected FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));

    protected IMailStores Stores { get; private set; } = null!;

    protected abstract IContractEngine Engine { get; }

    public async ValueTask InitializeAsync() => Stores = await Engine.CreateAsync(Time);

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable open in Enumerable.Reverse(_open)) await open.DisposeAsync();
        await Stores.DisposeAsync();
        await Engine.CleanAsync();
        GC.SuppressFinalize(this);
    }

    protected MailAccount Account(string name) => Engine.Account(name);

    protected async ValueTask<IMailStore> OpenAsync(string name) => Keep(await Stores.MustOpenAsync(Account(name)));

    protected async ValueTask<IMailbox> SelectAsync(IMailStore store, string name, bool readOnly = false) => Keep(await store.MustSelectAsync(name, readOnly));

    protected async ValueTask<IMailStore> RestartAsync(string name, bool kill)
    {
        if (!kill) foreach (IAsyncDisposable open in Enumerable.Reverse(_open)) await open.DisposeAsync();
        _open.Clear();
        Stores = await Engine.RestartAsync(Stores, kill, Time);
        return await OpenAsync(name);
    }

    protected T Keep<T>(T open)
        where T : IAsyncDisposable
    {
        _open.Add(open);
        return open;
    }
}
