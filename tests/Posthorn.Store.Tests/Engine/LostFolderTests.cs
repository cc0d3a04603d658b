using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>A folder that a full disk let be made in part only may be gone after a power cut, with all that lies in it: mail that only its file has is not moved there.</summary>
public sealed class LostFolderTests : OnCutPower
{
    [Fact]
    public async Task What_was_moved_into_it_is_there_after_a_power_cut()
    {
        bool lost = false;
        for (int seed = 0; seed < 30; seed++)
        {
            (CrashVolume volume, MaildirHarness server, IMailStore store, MailboxId inbox, string catalogues) = await BeginAsync(seed);
            volume.Fault = (operation, path) => operation == "create" && path.EndsWith("/.Box/maildirfolder", StringComparison.Ordinal) ? VolumeError.NoSpace : null;
            Must(await store.CreateAsync(Name("Box"), SpecialUse.None, Cancel));
            Placement moved = Must(await store.MoveAsync(inbox, Uids(1), Name("Box"), Cancel));
            Assert.Equal(Text("one"), await store.ContentAsync(moved.Target, moved.Targets[0]));
            await server.AbandonCatalogues();
            volume.Fault = null;
            volume.Crash(seed);
            lost |= !volume.TryStat("/data/mail/ann/.Box", out _);
            server = Server(volume, catalogues, "boot 2");
            await server.StartAsync();
            store = await server.MustOpenAsync(Ann);
            Assert.Equal(Text("one"), await store.ContentAsync(moved.Target, moved.Targets[0]));
            await store.DisposeAsync();
            await server.DisposeAsync();
        }

        Assert.True(lost, "no power cut took the folder");
    }
}
