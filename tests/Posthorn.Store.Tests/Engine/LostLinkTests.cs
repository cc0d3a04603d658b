using Posthorn.Core;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>A power cut takes the link of a COPY and leaves the renames of the MOVEs that came after it, and the catalogue is lost as well: the copy is made from wherever its source lies now.</summary>
public sealed class LostLinkTests : OnCutPower
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    public async Task The_copy_is_found_however_often_its_source_moved_on(int moves, bool keepCatalogue)
    {
        string[] names = ["Trash", "Junk", "Sent"];
        for (int seed = 0; ; seed++)
        {
            Assert.True(seed < 3000, "no seed leaves the disk as the test wants it");
            Scene scene = await BeginAsync(seed);
            (CrashVolume volume, MaildirHarness server, IMailStore store, MailboxId at, string catalogues) = scene;
            Placement copy = Must(await store.CopyAsync(at, Uids(1), Name("Archive"), Cancel));
            for (int i = 0; i < moves; i++) at = Must(await store.MoveAsync(at, Uids(1), Name(names[i]), Cancel)).Target;
            await server.AbandonCatalogues();
            volume.Crash(seed);
            string last = names[moves - 1];
            if (Count(volume, "Archive") > 0 || Count(volume, last) == 0)
            {
                scene.LoseCatalogues();
                continue;
            }

            if (!keepCatalogue) scene.LoseCatalogues();
            server = Server(volume, catalogues, "boot 2");
            await server.StartAsync();
            await using (IMailStore after = await server.MustOpenAsync(Ann))
            {
                Assert.Equal(Text("one"), await after.ContentAsync(copy.Target, copy.Targets[0]));
                Assert.Equal(Text("one"), await after.ContentAsync(at, new(1)));
            }

            await server.DisposeAsync();
            return;
        }
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    public async Task The_copy_is_found_when_its_source_was_removed_where_it_came_to(int moves, bool keepCatalogue)
    {
        string[] names = ["INBOX", "Trash", "Junk"];
        for (int seed = 0; ; seed++)
        {
            Assert.True(seed < 3000, "no seed leaves the disk as the test wants it");
            Scene scene = await BeginAsync(seed);
            (CrashVolume volume, MaildirHarness server, IMailStore store, MailboxId at, string catalogues) = scene;
            Placement copy = Must(await store.CopyAsync(at, Uids(1), Name("Archive"), Cancel));
            for (int i = 1; i <= moves; i++) at = Must(await store.MoveAsync(at, Uids(1), Name(names[i]), Cancel)).Target;
            Must(await store.ChangeFlagsAsync(at, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
            Assert.Equal(Uids(1), Must(await store.ExpungeAsync(at, null, Cancel)));
            Assert.Single(Must(await server.Stores.ListExpungedAsync(Ann, Cancel))); // what follows behind the answer is done for whoever looks
            await server.AbandonCatalogues();
            volume.Crash(seed);
            if (Count(volume, "Archive") > 0 || volume.List("/data/mail/ann/posthorn/expunged", times: false).Count == 0)
            {
                scene.LoseCatalogues();
                continue;
            }

            if (!keepCatalogue) scene.LoseCatalogues();
            server = Server(volume, catalogues, "boot 2");
            await server.StartAsync();
            await using (IMailStore after = await server.MustOpenAsync(Ann))
            {
                for (int look = 0; look < 2; look++)
                {
                    foreach (string name in names) Assert.Equal(0, Must(await after.StatusAsync(Name(name), Cancel)).Messages);
                    Assert.Equal(1, Must(await after.StatusAsync(Name("Archive"), Cancel)).Messages);
                    Assert.Equal(Text("one"), await after.ContentAsync(copy.Target, copy.Targets[0]));
                    _time.Advance(TimeSpan.FromMinutes(1));
                }
            }

            await server.DisposeAsync();
            return;
        }
    }

    private static int Count(CrashVolume volume, string name) =>
        ((string[])["new", "cur"]).Sum(part => volume.TryStat($"/data/mail/ann/.{name}/{part}", out _) ? volume.List($"/data/mail/ann/.{name}/{part}", times: false).Count : 0);
}
