using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>A folder that is a link to another volume: no hard link and no rename leads there, and mail goes to and fro all the same.</summary>
public sealed class OtherVolumeTests : IDisposable
{
    private const string Memory = "/dev/shm";

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-here-").FullName;
    private readonly string _far = $"{Memory}/posthorn-far-{Guid.NewGuid():n}";
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);

    public void Dispose()
    {
        Directory.Delete(_directory, recursive: true);
        if (Directory.Exists(_far)) Directory.Delete(_far, recursive: true);
    }

    private int Files(string part) => Directory.Exists($"{_far}/{part}") ? Directory.GetFiles($"{_far}/{part}").Length : 0;

    [Fact]
    public async Task Mail_goes_to_and_from_a_folder_on_another_volume()
    {
        LinuxVolume volume = new();
        if (!volume.TryStat(Memory, out VolumeStat there) || !volume.TryStat(_directory, out VolumeStat here) || here.Device == there.Device) Assert.Skip("needs /dev/shm as a second volume");
        MailAccount ann = MaildirHarness.Account(_directory, "ann");
        MaildirHarness server = new(_directory, volume, _time);
        await server.StartAsync();
        await using (IMailStore store = await server.MustOpenAsync(ann))
        {
            MailboxId inbox = (await store.MustAppendAsync(server, "INBOX", Text("one"), Text("two"))).Mailbox;
            Must(await store.CreateAsync(Name("Far"), SpecialUse.None, Cancel));
            await server.Journal.CheckpointAsync(Cancel);
            Directory.CreateDirectory(_far);
            foreach (string part in (string[])["tmp", "new", "cur"]) Directory.CreateDirectory($"{_far}/{part}");
            foreach (string file in Directory.GetFiles(ann.MailRoot + "/.Far")) File.Copy(file, $"{_far}/{Path.GetFileName(file)}");
            Directory.Delete(ann.MailRoot + "/.Far", recursive: true);
            Directory.CreateSymbolicLink(ann.MailRoot + "/.Far", _far);

            Placement copied = Must(await store.CopyAsync(inbox, Uids(1), Name("Far"), Cancel));
            Placement moved = Must(await store.MoveAsync(inbox, Uids(2), Name("Far"), Cancel));
            Assert.Equal(2, Files("new"));
            Assert.Single(Directory.GetFiles(ann.MailRoot + "/new"));
            Assert.Equal(Text("one"), await store.ContentAsync(copied.Target, copied.Targets[0]));
            Assert.Equal(Text("two"), await store.ContentAsync(moved.Target, moved.Targets[0]));
            Must(await store.ChangeFlagsAsync(copied.Target, copied.Targets, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
            Must(await store.ExpungeAsync(copied.Target, null, Cancel));
            Placement back = Must(await store.MoveAsync(moved.Target, moved.Targets, Name("INBOX"), Cancel));
            await server.MustDeliverAsync(ann, Text("last"));
            await server.Journal.CheckpointAsync(Cancel);
            Assert.Equal(server.Journal.Settled, server.Journal.Checkpointed);
            Assert.Equal(0, Files("new") + Files("cur"));
            Assert.Single(Directory.GetFiles(ann.MailRoot + "/posthorn/expunged"));
            Assert.Equal(Text("two"), await store.ContentAsync(inbox, back.Targets[0]));
            _time.Advance(TimeSpan.FromMinutes(1));
            Assert.Equal(3, Must(await store.StatusAsync(Name("INBOX"), Cancel)).Messages);
            Assert.Equal(0, Must(await store.StatusAsync(Name("Far"), Cancel)).Messages);
        }

        await server.DisposeAsync();
    }
}
