using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>A journal or a volume without room: what grows is refused, nothing half-written is seen, reading goes on, and all is well when there is room again.</summary>
public sealed class FullDiskTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-full-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly CrashVolume _volume;
    private MaildirHarness _server = null!;
    private IMailStore _store = null!;

    public FullDiskTests() => _volume = new(_time);

    private static MailAccount Ann => MaildirHarness.Account("/data", "ann");

    public ValueTask InitializeAsync()
    {
        _volume.MakeDirectory("/data");
        return ValueTask.CompletedTask;
    }

    private async ValueTask StartAsync(bool background)
    {
        _server = new("/data", _volume, _time, _directory)
        {
            JournalOptions = new() { Directory = "/data/journal", SegmentSize = 64 << 10, Segments = 3, BackgroundWork = background },
        };
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Ann);
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async ValueTask<Result<AppendReceipt>> AppendAsync(string text)
    {
        await using IMessageSink sink = await _server.SinkAsync(text);
        return await _store.AppendAsync(Name("INBOX"), [new(sink, SystemFlags.None, KeywordSet.Empty, _time.GetUtcNow())], Cancel);
    }

    private static string Long(int number) => Text("number " + number) + new string('x', 3000);

    private async ValueTask<string> StateAsync()
    {
        List<string> lines = [];
        foreach (MailboxInfo info in await _store.ListAsync(Cancel))
        {
            MailboxStatus status = Must(await _store.StatusAsync(info.Name, Cancel));
            lines.Add($"{info} {status.UidNext} {status.Messages} {status.Deleted} {status.HighestModSeq}");
        }

        return string.Join('\n', lines);
    }

    private async ValueTask<int> FillAsync()
    {
        for (int i = 1; ; i++)
        {
            Result<AppendReceipt> appended = await AppendAsync(Long(i));
            if (appended.IsOk) continue;
            Refused(RefusalKind.NoSpace, appended);
            return i - 1;
        }
    }

    [Fact]
    public async Task A_full_journal_refuses_every_change_and_shows_none_of_it()
    {
        await StartAsync(background: false);
        MailboxId inbox = (await _store.MustAppendAsync(_server, "INBOX", Text("first"))).Mailbox;
        Must(await _store.ChangeFlagsAsync(inbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        _volume.Fault = (operation, _) => operation == "syncfs" ? VolumeError.Io : null;
        int filled = await FillAsync();
        Assert.True(filled > 20, $"only {filled} found room");
        while ((await _store.SubscribeAsync(Name("Sub" + new string('x', 90)), true, Cancel)).IsOk) { } // the last gap of the ring
        string before = await StateAsync();
        Refused(RefusalKind.NoSpace, await _store.CopyAsync(inbox, Uids(1, 2), Name("Archive"), Cancel));
        Refused(RefusalKind.NoSpace, await _store.MoveAsync(inbox, Uids(1, 2), Name("Archive"), Cancel));
        Refused(RefusalKind.NoSpace, await _store.CreateAsync(Name("New"), SpecialUse.None, Cancel));
        Refused(RefusalKind.NoSpace, await _store.DeleteAsync(Name("Archive"), Cancel));
        Refused(RefusalKind.NoSpace, await _store.RenameAsync(Name("Archive"), Name("Else"), Cancel));
        Refused(RefusalKind.NoSpace, await _store.RenameAsync(Name("INBOX"), Name("Else"), Cancel));
        Refused(RefusalKind.NoSpace, await _store.SubscribeAsync(Name("Other" + new string('x', 90)), true, Cancel));
        Refused(RefusalKind.NoSpace, await _store.ExpungeAsync(inbox, null, Cancel));
        Refused(RefusalKind.NoSpace, await _store.ChangeFlagsAsync(inbox, Uids(2), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        Refused(RefusalKind.NoSpace, await AppendAsync(Text("refused")));
        await Assert.ThrowsAsync<Posthorn.Journal.JournalFullException>(async () => await _server.MustDeliverAsync(Ann, Text("refused")));
        Assert.Equal(before, await StateAsync());
        await using IMailbox open = await _store.MustSelectAsync("INBOX"); // reading goes on, the claim on \Recent is not worth a refusal
        Assert.Equal(Text("first"), await _store.ContentAsync(inbox, new(1)));

        _volume.Fault = null;
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(Uids(1), Must(await _store.ExpungeAsync(inbox, null, Cancel)));
        AppendReceipt later = await _store.MustAppendAsync(_server, "INBOX", Text("later"));
        Assert.Equal(Text("later"), await _store.ContentAsync(inbox, later.Messages[0].Uid));
        await _server.MustDeliverAsync(Ann, Text("delivered"));
        Assert.Equal(filled + 2, Must(await _store.StatusAsync(Name("INBOX"), Cancel)).Messages);
    }

    [Fact]
    public async Task A_burst_larger_than_the_journal_waits_for_its_checkpoints()
    {
        await StartAsync(background: true);
        for (int i = 0; i < 150; i++) Must(await AppendAsync(Long(i)));
        for (int i = 0; i < 150; i++) await _server.MustDeliverAsync(Ann, Long(i));
        Assert.Equal(300, Must(await _store.StatusAsync(Name("INBOX"), Cancel)).Messages);
        Assert.True(_server.Journal.Statistics.Checkpoints > 2);
    }

    [Fact]
    public async Task A_full_volume_refuses_what_grows_and_nothing_else()
    {
        await StartAsync(background: false);
        MailboxId inbox = (await _store.MustAppendAsync(_server, "INBOX", Text("one"), Text("two"))).Mailbox;
        _volume.Capacity = 1 << 20;
        _time.Advance(TimeSpan.FromMinutes(1));
        Refused(RefusalKind.NoSpace, await AppendAsync(Text("three")));
        Refused(RefusalKind.NoSpace, await _server.HasRoomAsync(Ann, 10, Cancel));
        Refused(RefusalKind.NoSpace, await _store.CreateAsync(Name("New"), SpecialUse.None, Cancel));
        Must(await _store.ChangeFlagsAsync(inbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await _store.MoveAsync(inbox, Uids(2), Name("Archive"), Cancel));
        Assert.Equal(Uids(1), Must(await _store.ExpungeAsync(inbox, null, Cancel)));
        _volume.Capacity = long.MaxValue;
        Must(await AppendAsync(Text("three")));
        Must(await _store.CreateAsync(Name("New"), SpecialUse.None, Cancel));
    }

    [Fact]
    public async Task What_is_recorded_and_cannot_be_applied_comes_true_when_the_disk_allows_it()
    {
        await StartAsync(background: false);
        MailboxId inbox = (await _store.MustAppendAsync(_server, "INBOX", Text("one"))).Mailbox;
        Deliver("1.first.theirs", Text("theirs"));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(2, Must(await _store.StatusAsync(Name("INBOX"), Cancel)).Messages);
        _volume.Fault = (operation, _) => operation is "mkdir" or "link" ? VolumeError.NoSpace : null;
        string before = await StateAsync();
        Placement copied = Must(await _store.CopyAsync(inbox, Uids(1, 2), Name("Archive"), Cancel)); // durable, so that a NO would have it done twice
        Assert.Equal(Uids(1, 2), copied.Targets);
        AppendReceipt behind = await _store.MustAppendAsync(_server, "INBOX", Text("behind it"));
        Assert.Equal(new Uid(3), behind.Messages[0].Uid);
        Refused(RefusalKind.Unavailable, await _store.CreateAsync(Name("New"), SpecialUse.None, Cancel));
        Assert.Equal(before, await StateAsync());
        Assert.Equal(Text("one"), await _store.ContentAsync(inbox, new(1)));
        await Assert.ThrowsAnyAsync<IOException>(async () => await _server.Journal.CheckpointAsync(Cancel));
        _volume.Fault = null;
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(0, Must(await _store.StatusAsync(Name("New"), Cancel)).Messages);
        Assert.Equal(2, Must(await _store.StatusAsync(Name("Archive"), Cancel)).Messages);
        Assert.Equal(Text("theirs"), await _store.ContentAsync(copied.Target, new(2)));
        Assert.Equal(Text("behind it"), await _store.ContentAsync(inbox, new(3)));
    }

    private void Deliver(string name, string text)
    {
        using (IVolumeFile file = _volume.Open("/data/mail/ann/tmp/" + name, VolumeOpen.CreateNew)) file.Write(0, System.Text.Encoding.Latin1.GetBytes(text));
        _volume.Rename("/data/mail/ann/tmp/" + name, "/data/mail/ann/new/" + name);
    }
}
