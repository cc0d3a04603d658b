using Posthorn.Core;
using Posthorn.Store.Contract;
using Posthorn.Testing.Stores;

namespace Posthorn.Store.Tests.Memory;

public sealed class MemoryMailStoresTests : MailStoreContract
{
    protected override ValueTask<IMailStores> CreateAsync() => ValueTask.FromResult<IMailStores>(new MemoryMailStores(Time));

    // Its mail lives as long as the object.
    protected override ValueTask<IMailStores> RestartAsync(IMailStores stores, bool kill) => ValueTask.FromResult(stores);

    protected override MailAccount Account(string name) =>
        new() { Address = EmailAddress.Parse(name + "@example.org"), MailRoot = "/mail/" + name, Home = "/home/" + name };
}
