using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Copies and moves that are recorded and cannot be made yet: the answer is the truth, so that no client repeats them (RFC 9051 section 6.4.7).</summary>
public sealed class CopyTroubleTests : OnCrashVolume
{
    private const string Root = "/data/mail/ann";
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private protected override JournalOptions JournalOptions => new() { Directory = "/data/journal", SegmentSize = 1 << 20, BackgroundWork = false };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task They_come_true_once_as_they_were_told(bool restart)
    {
        IMailStore store = await _server.MustOpenAsync(Ann);
        MailboxId inbox = (await store.MustAppendAsync(_server, "INBOX", Text("ours"))).Mailbox;
        using (IVolumeFile file = _volume.Open(Root + "/new/1.theirs", VolumeOpen.CreateNew)) file.Write(0, System.Text.Encoding.Latin1.GetBytes(Text("theirs")));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(2, Must(await store.StatusAsync(Name("INBOX"), Cancel)).Messages);

        // Nothing but its file has the bytes of another program's message: its copy cannot be put off, and what comes behind waits with it.
        _volume.Fault = (operation, _) => operation == "link" ? VolumeError.NoSpace : null;
        Placement copied = Must(await store.CopyAsync(inbox, Uids(2), Name("Archive"), Cancel));
        Placement moved = Must(await store.MoveAsync(inbox, Uids(1), Name("Archive"), Cancel));
        Assert.Equal(Uids(2), copied.Sources);
        Assert.Equal(Uids(1), copied.Targets);
        Assert.Equal(Uids(1), moved.Sources);
        Assert.Equal(Uids(2), moved.Targets);
        Assert.Equal(0, Must(await store.StatusAsync(Name("Archive"), Cancel)).Messages);
        _volume.Fault = null;
        if (restart)
        {
            await store.DisposeAsync();
            await _server.StopAsync(kill: true);
            await _server.StartAsync();
            store = await _server.MustOpenAsync(Ann);
        }
        else await _server.Journal.CheckpointAsync(Cancel);

        await using (IMailbox archive = await store.MustSelectAsync("Archive", readOnly: true))
        {
            Assert.Equal(Uids(1, 2), archive.Current.Rows().Select(row => row.Uid));
            Assert.Equal(Text("theirs"), await store.ContentAsync(copied.Target, new(1)));
            Assert.Equal(Text("ours"), await store.ContentAsync(copied.Target, new(2)));
        }

        Assert.Equal(1, Must(await store.StatusAsync(Name("INBOX"), Cancel)).Messages);
        await store.DisposeAsync();
    }
}
