using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;

namespace Posthorn.Store.Tests.Engine;

public sealed class MaildirStoresTests : MailStoreContract
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-store-").FullName;
    private readonly LinuxVolume _volume = new();

    protected override async ValueTask<IMailStores> CreateAsync()
    {
        MaildirHarness harness = new(_directory, _volume, Time);
        await harness.StartAsync();
        return harness;
    }

    protected override async ValueTask<IMailStores> RestartAsync(IMailStores stores, bool kill)
    {
        await ((MaildirHarness)stores).StopAsync(kill);
        return await CreateAsync();
    }

    protected override MailAccount Account(string name) => MaildirHarness.Account(_directory, name);

    protected override ValueTask CleanAsync()
    {
        Directory.Delete(_directory, recursive: true);
        return ValueTask.CompletedTask;
    }
}
