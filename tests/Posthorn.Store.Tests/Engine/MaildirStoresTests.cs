using Posthorn.Store.Contract;

namespace Posthorn.Store.Tests.Engine;

public sealed class MaildirStoresTests : MailStoreContract
{
    protected override IContractEngine Engine { get; } = new MaildirEngine();
}

public sealed class MaildirSharingTests : SharingContract
{
    protected override IContractEngine Engine { get; } = new MaildirEngine();
}
