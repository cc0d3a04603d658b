using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;

namespace Posthorn.Store.Tests.Engine;

/// <summary>The Maildir engine in a directory of its own.</summary>
internal sealed class MaildirEngine(FileLineEndings lineEndings = FileLineEndings.Crlf) : IContractEngine
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-store-").FullName;
    private readonly LinuxVolume _volume = new();

    public async ValueTask<IMailStores> CreateAsync(TimeProvider time)
    {
        MaildirHarness harness = new(_directory, _volume, time) { Change = options => options with { LineEndings = lineEndings } };
        await harness.StartAsync();
        return harness;
    }

    public async ValueTask<IMailStores> RestartAsync(IMailStores stores, bool kill, TimeProvider time)
    {
        await ((MaildirHarness)stores).StopAsync(kill);
        return await CreateAsync(time);
    }

    public MailAccount Account(string name) => MaildirHarness.Account(_directory, name);

    public ValueTask CleanAsync()
    {
        Directory.Delete(_directory, recursive: true);
        return ValueTask.CompletedTask;
    }
}
