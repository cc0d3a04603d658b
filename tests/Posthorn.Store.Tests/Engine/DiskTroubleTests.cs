using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>A mail volume that became read-only, that may not be written, or that lacks parts: what is accepted is safe, reading goes on, and all is well when it is mended.</summary>
public sealed class DiskTroubleTests : OnCrashVolume
{
    private static readonly MailAccount Bob = MaildirHarness.Account("/other", "bob");

    private IMailStore _store = null!;
    private MailboxId _inbox;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _store = await _server.MustOpenAsync(Bob);
        _inbox = (await _store.MustAppendAsync(_server, "INBOX", Text("one"), Text("two"))).Mailbox;
        await _server.Journal.CheckpointAsync(Cancel);
    }

    public override async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await base.DisposeAsync();
    }

    [Theory]
    [InlineData(VolumeError.ReadOnly)]
    [InlineData(VolumeError.Permission)]
    [InlineData(VolumeError.Io)]
    [InlineData(VolumeError.TooManyFiles)]
    public async Task Mail_that_cannot_be_written_is_safe_and_readable(VolumeError error)
    {
        _volume.Fault = (operation, path) => operation != "read" && path.StartsWith("/other", StringComparison.Ordinal) ? error : null;
        await _server.MustDeliverAsync(Bob, Text("three"));
        Must(await _store.ChangeFlagsAsync(_inbox, Uids(1), new(FlagOperation.Add, SystemFlags.Seen | SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Assert.Equal([Text("one"), Text("two"), Text("three")], await ReadAsync());
        Must(await _store.CopyAsync(_inbox, Uids(2, 3), Name("Archive"), Cancel));
        Assert.Equal(Uids(1), Must(await _store.ExpungeAsync(_inbox, null, Cancel)));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal([Text("two"), Text("three")], await ReadAsync());

        _volume.Fault = null;
        await _server.MustDeliverAsync(Bob, Text("four"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal([Text("two"), Text("three"), Text("four")], await ReadAsync());
        Assert.Empty(_volume.List("/data/journal/held", times: false));
        Assert.Equal(3, _volume.List("/other/mail/bob/new", times: false).Count + _volume.List("/other/mail/bob/cur", times: false).Count);
        Assert.Equal(2, Must(await _store.StatusAsync(Name("Archive"), Cancel)).Messages);
    }

    // The record is durable, so the move has happened: the message is read from where its file still lies, and its file is no delivery.
    [Theory]
    [InlineData(VolumeError.ReadOnly, false)]
    [InlineData(VolumeError.Io, false)]
    [InlineData(VolumeError.Permission, true)]
    public async Task Mail_that_cannot_be_moved_or_removed_is_where_it_was_told(VolumeError error, bool restart)
    {
        Must(await _store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
        MailboxId work = (await _store.MustAppendAsync(_server, "Work", Text("w1"), Text("w2"), Text("w3"))).Mailbox;
        Must(await _store.ChangeFlagsAsync(work, Uids(2), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        await _server.Journal.CheckpointAsync(Cancel); // nobody but the files has their bytes
        _volume.Fault = (operation, path) => operation != "read" && path.StartsWith("/other", StringComparison.Ordinal) ? error : null;
        Placement moved = Must(await _store.MoveAsync(work, Uids(1, 2), Name("Archive"), Cancel));
        Must(await _store.ChangeFlagsAsync(work, Uids(3), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        await using (IMailbox open = await _store.MustSelectAsync("Work", readOnly: true))
        {
            Must(await _store.ExpungeAsync(work, null, Cancel));
            Assert.Equal(Text("w3"), await _store.ContentAsync(work, new(3))); // the session has not been told yet
        }

        for (int look = 0; look < 3; look++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            Assert.Equal(0, Must(await _store.StatusAsync(Name("Work"), Cancel)).Messages);
            Assert.Equal(2, Must(await _store.StatusAsync(Name("Archive"), Cancel)).Messages);
            Assert.Equal(Text("w1"), await _store.ContentAsync(moved.Target, moved.Targets[0]));
            Assert.Equal(Text("w2"), await _store.ContentAsync(moved.Target, moved.Targets[1]));
        }

        if (restart)
        {
            await _store.DisposeAsync();
            await _server.DisposeAsync();
            await _server.StartAsync();
            _store = await _server.MustOpenAsync(Bob);
            Assert.Equal(Text("w1"), await _store.ContentAsync(moved.Target, moved.Targets[0]));
        }

        _volume.Fault = null;
        Must(await _store.RenameAsync(Name("Work"), Name("Play"), Cancel));
        Assert.Equal(Text("w1"), await _store.ContentAsync(moved.Target, moved.Targets[0]));
        Must(await _store.DeleteAsync(Name("Play"), Cancel));
        await _server.MustDeliverAsync(Bob, Text("four"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(Text("w1"), await _store.ContentAsync(moved.Target, moved.Targets[0]));
        Assert.Equal(Text("w2"), await _store.ContentAsync(moved.Target, moved.Targets[1]));
        Assert.Equal(2, Must(await _store.StatusAsync(Name("Archive"), Cancel)).Messages);
        Assert.Equal(2, ((string[])["cur", "new"]).Sum(part => _volume.List("/other/mail/bob/.Archive/" + part, times: false).Count));
    }

    [Fact]
    public async Task A_journal_that_became_read_only_refuses_changes_and_lets_read()
    {
        _volume.Fault = (operation, path) => operation != "read" && path.StartsWith("/data", StringComparison.Ordinal) ? VolumeError.ReadOnly : null;
        await Assert.ThrowsAnyAsync<IOException>(async () => await _server.MustDeliverAsync(Bob, Text("three")));
        Assert.Equal([Text("one"), Text("two")], await ReadAsync());
        await using IMailbox box = await _store.MustSelectAsync("INBOX", readOnly: true);
        Assert.Equal(2, box.Current.Count);
        _volume.Fault = null;
    }

    // Whether the change at hand happened is unknown until the next start: no answer, and its session ends. Later ones are refused with a clear text, and reading goes on.
    [Fact]
    public async Task A_journal_that_has_stopped_says_so()
    {
        _volume.Fault = (operation, path) => operation != "read" && path.StartsWith("/data/journal", StringComparison.Ordinal) ? VolumeError.Io : null;
        MailUnavailableException unknown = await Assert.ThrowsAsync<MailUnavailableException>(async () => await _store.CreateAsync(Name("New"), SpecialUse.None, Cancel));
        Assert.True(unknown.MustReconnect);
        _volume.Fault = null; // too late: the system takes for written what is not
        Result<MailboxInfo> stopped = await _store.CreateAsync(Name("Other"), SpecialUse.None, Cancel);
        Refused(RefusalKind.Unavailable, stopped);
        Assert.Contains("restarted", stopped.Refusal!.Text, StringComparison.Ordinal);
        Refused(RefusalKind.Unavailable, await _store.MoveAsync(_inbox, Uids(1), Name("Archive"), Cancel));
        await using (IMessageSink sink = await _server.SinkAsync(Text("three")))
        {
            Refused(RefusalKind.Unavailable, await _store.AppendAsync(Name("INBOX"), [new(sink, SystemFlags.None, KeywordSet.Empty, DateTimeOffset.UnixEpoch)], Cancel));
            await Assert.ThrowsAnyAsync<IOException>(async () => await _server.DeliverAsync(sink, new DeliveryOrder { Deliveries = [new(Bob, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, default)] }, Cancel)); // 451
        }

        Assert.Equal([Text("one"), Text("two")], await ReadAsync());
        await _store.DisposeAsync();
        await _server.AbandonCatalogues();
        _volume.Crash(3);
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Bob);
        Assert.Equal([Text("one"), Text("two")], await ReadAsync());
        Must(await _store.MoveAsync(_inbox, Uids(1), Name("Archive"), Cancel));
    }

    [Fact]
    public async Task A_missing_cur_is_no_mass_removal()
    {
        Must(await _store.ChangeFlagsAsync(_inbox, Uids(1, 2), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        await _server.MustDeliverAsync(Bob, Text("three"));
        await _server.Journal.CheckpointAsync(Cancel);
        _volume.Rename("/other/mail/bob/cur", "/other/away");
        for (int look = 0; look < 4; look++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            Assert.Equal(3, Must(await _store.StatusAsync(Name("INBOX"), Cancel)).Messages);
        }

        Assert.Equal(Text("three"), await _store.ContentAsync(_inbox, new(3)));
        await _server.MustDeliverAsync(Bob, Text("four"));
        Must(await _store.ChangeFlagsAsync(_inbox, Uids(4), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        await _server.Journal.CheckpointAsync(Cancel); // its records are held, nobody waits for it
        _volume.Rename("/other/away", "/other/mail/bob/cur");
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal([Text("one"), Text("two"), Text("three"), Text("four")], await ReadAsync());
    }

    private async ValueTask<string[]> ReadAsync()
    {
        await using IMailbox box = await _store.MustSelectAsync("INBOX", readOnly: true);
        List<string> texts = [];
        foreach (MessageRow row in box.Current.Rows()) texts.Add(await _store.ContentAsync(_inbox, row.Uid));
        return [.. texts];
    }
}
