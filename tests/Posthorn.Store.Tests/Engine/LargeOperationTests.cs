using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Commands that speak of more messages than one record of the journal can name.</summary>
public sealed class LargeOperationTests : IAsyncLifetime
{
    private const int Many = 600;

    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-many-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly CrashVolume _volume;
    private MaildirHarness _server = null!;
    private IMailStore _store = null!;
    private MailboxId _inbox;

    public LargeOperationTests() => _volume = new(_time);

    public async ValueTask InitializeAsync()
    {
        _volume.MakeDirectory("/data");
        _server = new("/data", _volume, _time, _directory) { JournalOptions = new() { Directory = "/data/journal", SegmentSize = 1 << 20, StepsLimit = 16 << 10, BackgroundWork = false } };
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Ann);
        string[] texts = [.. Enumerable.Range(0, Many).Select(i => Text($"number {i}"))];
        foreach (string[] some in texts.Chunk(50))
        {
            _inbox = (await _store.MustAppendAsync(_server, "INBOX", some)).Mailbox;
            await _server.Journal.CheckpointAsync(Cancel);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static Uid[] All => [.. Enumerable.Range(1, Many).Select(uid => new Uid((uint)uid))];

    private async ValueTask<int> CountAsync(string name) => Must(await _store.StatusAsync(Name(name), Cancel)).Messages;

    [Fact]
    public async Task They_are_carried_out_in_parts_that_each_fit()
    {
        Placement copied = Must(await _store.CopyAsync(_inbox, All, Name("Archive"), Cancel));
        Assert.Equal(All, copied.Sources);
        Assert.Equal(All, copied.Targets);
        await _server.Journal.CheckpointAsync(Cancel);
        Placement moved = Must(await _store.MoveAsync(_inbox, All, Name("Trash"), Cancel));
        Assert.Equal(All, moved.Sources);
        Assert.Equal((0, Many, Many), (await CountAsync("INBOX"), await CountAsync("Archive"), await CountAsync("Trash")));
        await _server.Journal.CheckpointAsync(Cancel);
        Must(await _store.ChangeFlagsAsync(moved.Target, All, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Assert.Equal(All, Must(await _store.ExpungeAsync(moved.Target, null, Cancel)));
        Assert.Equal(0, await CountAsync("Trash"));
        Assert.Equal(All, await _store.ExpungedUidsAsync(moved.Target, new(0)));
    }

    // RFC 9051 section 6.3.6: all messages of INBOX go to a new mailbox.
    [Fact]
    public async Task The_inbox_is_renamed()
    {
        Must(await _store.RenameAsync(MailboxName.Inbox, Name("Old"), Cancel));
        Assert.Equal((0, Many), (await CountAsync("INBOX"), await CountAsync("Old")));
        await using IMailbox old = await _store.MustSelectAsync("Old", readOnly: true);
        Assert.Equal(All, old.Current.Rows().Select(row => row.Uid));
        Assert.Equal(Text($"number {Many - 1}"), await _store.ContentAsync(old.Info.Id!.Value, All[^1]));
    }

    // Its client has had the OK before the record of that part was written.
    [Fact]
    public async Task What_loses_its_deleted_flag_while_an_expunge_is_at_work_stays()
    {
        Must(await _store.ChangeFlagsAsync(_inbox, All, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Task<Result<FlagOutcome>>? rescue = null;
        _volume.Before = (operation, path) =>
        {
            if (rescue is null && operation == "write" && path.StartsWith("/data/journal", StringComparison.Ordinal))
                rescue = _store.ChangeFlagsAsync(_inbox, [new(Many)], new(FlagOperation.Remove, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel).AsTask(); // the first part is on its way
        };
        Assert.Equal(All[..^1], Must(await _store.ExpungeAsync(_inbox, null, Cancel)));
        Assert.Equal(Uids(Many), Must(await rescue!).Changed);
        _volume.Before = null;
        Assert.Equal(Text($"number {Many - 1}"), await _store.ContentAsync(_inbox, new(Many)));
        Assert.Equal(1, await CountAsync("INBOX"));
    }

    // RFC 9051 section 6.4.7: a COPY that fails leaves nothing behind.
    [Fact]
    public async Task A_copy_of_which_a_part_fails_is_undone()
    {
        int syncs = 0;
        _volume.Fault = (operation, path) => operation == "sync" && path.StartsWith("/data/journal", StringComparison.Ordinal) && ++syncs == 3 ? VolumeError.Io : null;
        Refused(RefusalKind.Unavailable, await _store.CopyAsync(_inbox, All, Name("Archive"), Cancel));
        _volume.Fault = null;
        Assert.Equal((Many, 0), (await CountAsync("INBOX"), await CountAsync("Archive")));
        Placement copied = Must(await _store.CopyAsync(_inbox, Uids(1), Name("Archive"), Cancel));
        Assert.True(copied.Targets[0].Value > 1, "the UIDs of what is gone were told");
        Assert.Equal(Text("number 0"), await _store.ContentAsync(copied.Target, copied.Targets[0]));
    }
}
