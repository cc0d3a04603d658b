using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>A folder that a full disk let be made in part only may be gone after a power cut, with all that lies in it: mail that only its file has is not moved there.</summary>
public sealed class LostFolderTests : IDisposable
{
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-folders-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task What_was_moved_into_it_is_there_after_a_power_cut()
    {
        bool lost = false;
        for (int seed = 0; seed < 30; seed++)
        {
            CrashVolume volume = new(_time);
            volume.MakeDirectory("/data");
            volume.SyncVolume("/data");
            string catalogues = $"{_directory}/{seed}";
            MaildirHarness server = new("/data", volume, _time, catalogues) { JournalOptions = new() { Directory = "/data/journal", SegmentSize = 256 << 10, BackgroundWork = false }, BootId = "boot 1" };
            await server.StartAsync();
            IMailStore store = await server.MustOpenAsync(Ann);
            MailboxId inbox = (await store.MustAppendAsync(server, "INBOX", Text("one"))).Mailbox;
            await server.Journal.CheckpointAsync(Cancel);
            volume.Fault = (operation, path) => operation == "create" && path.EndsWith("/.Box/maildirfolder", StringComparison.Ordinal) ? VolumeError.NoSpace : null;
            Must(await store.CreateAsync(Name("Box"), SpecialUse.None, Cancel));
            Placement moved = Must(await store.MoveAsync(inbox, Uids(1), Name("Box"), Cancel));
            Assert.Equal(Text("one"), await store.ContentAsync(moved.Target, moved.Targets[0]));
            await server.AbandonCatalogues();
            volume.Fault = null;
            volume.Crash(seed);
            lost |= !volume.TryStat("/data/mail/ann/.Box", out _);
            server.BootId = "boot 2";
            await server.StartAsync();
            store = await server.MustOpenAsync(Ann);
            Assert.Equal(Text("one"), await store.ContentAsync(moved.Target, moved.Targets[0]));
            await store.DisposeAsync();
            await server.DisposeAsync();
        }

        Assert.True(lost, "no power cut took the folder");
    }
}
