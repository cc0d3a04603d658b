using Posthorn.Core;
using Posthorn.Store.Contract;
using Posthorn.Testing.Stores;

namespace Posthorn.Store.Tests.Memory;

/// <summary>The store in memory.</summary>
internal sealed class MemoryEngine : IContractEngine
{
    public ValueTask<IMailStores> CreateAsync(TimeProvider time) => ValueTask.FromResult<IMailStores>(new MemoryMailStores(time));

    // Its mail lives as long as the object.
    public ValueTask<IMailStores> RestartAsync(IMailStores stores, bool kill, TimeProvider time) => ValueTask.FromResult(stores);

    public MailAccount Account(string name) =>
        new() { Address = EmailAddress.Parse(name + "@example.org"), MailRoot = "/mail/" + name, Home = "/home/" + name };

    public ValueTask CleanAsync() => ValueTask.CompletedTask;
}
