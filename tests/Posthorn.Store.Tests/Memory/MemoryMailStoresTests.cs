using Posthorn.Store.Contract;

namespace Posthorn.Store.Tests.Memory;

public sealed class MemoryMailStoresTests : MailStoreContract
{
    protected override IContractEngine Engine { get; } = new MemoryEngine();
}

public sealed class MemorySharingTests : SharingContract
{
    protected override IContractEngine Engine { get; } = new MemoryEngine();
}
