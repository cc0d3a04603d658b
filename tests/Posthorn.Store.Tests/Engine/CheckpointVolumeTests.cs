using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Which volumes a checkpoint syncs: all on which something of the records that it passes was written.</summary>
public sealed class CheckpointVolumeTests : OnCrashVolume
{
    private static readonly MailAccount Bob = MaildirHarness.Account("/other", "bob");

    private protected override MaildirStoreOptions Change(MaildirStoreOptions options) => options with { ApplyAfter = TimeSpan.Zero };

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await _server.MustDeliverAsync(Bob, Text("first"));
        await _server.Journal.CheckpointAsync(Cancel);
    }

    private void CloseIdle()
    {
        _time.Advance(TimeSpan.FromMinutes(3));
        long started = TimeProvider.System.GetTimestamp();
        while (_server.Stores.OpenAccounts.Count > 0)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(60), "it stays open");
            Thread.Yield();
        }
    }

    // Closed in the middle of a checkpoint, after its volume was synced: what it wrote then is not safe yet, and the next checkpoint syncs its volume once more.
    [Fact]
    public async Task What_is_written_behind_the_sync_is_synced_by_the_next_checkpoint()
    {
        string above = "";
        foreach (string part in (_directory + "/accounts").Split('/', StringSplitOptions.RemoveEmptyEntries))
            if (!_volume.TryStat(above += "/" + part, out _)) _volume.MakeDirectory(above);
        int syncs = 0;
        _volume.Before = (operation, path) =>
        {
            if (operation != "syncfs") return;
            if (path.StartsWith("/other", StringComparison.Ordinal)) syncs++;
            else if (syncs == 1) CloseIdle(); // the volume of the catalogues comes last
        };
        await using (IMailStore store = await _server.MustOpenAsync(Bob)) await store.MustAppendAsync(_server, "INBOX", Text("second"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(1, syncs);
        for (int i = 0; i < 2; i++) // with the second all of what is closed is safe
        {
            await _server.MustDeliverAsync(MaildirHarness.Account("/data", "ann"), Text("another volume's"));
            await _server.Journal.CheckpointAsync(Cancel);
            Assert.Equal(2, syncs);
        }
    }
}
