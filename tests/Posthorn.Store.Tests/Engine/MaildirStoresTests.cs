using Posthorn.Store.Contract;
using Posthorn.Store.Engine;

namespace Posthorn.Store.Tests.Engine;

public sealed class MaildirStoresTests : MailStoreContract
{
    protected override IContractEngine Engine { get; } = new MaildirEngine();
}

public sealed class MaildirSharingTests : SharingContract
{
    protected override IContractEngine Engine { get; } = new MaildirEngine();
}

public sealed class MaildirWithLfTests : MailStoreContract
{
    protected override IContractEngine Engine { get; } = new MaildirEngine(FileLineEndings.Lf);
}

public sealed class MaildirSharingWithLfTests : SharingContract
{
    protected override IContractEngine Engine { get; } = new MaildirEngine(FileLineEndings.Lf);
}
