using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Expunged messages' files are taken out of sight behind the answer, and before anybody looks.</summary>
public sealed class FilesBehindTests : IAsyncLifetime
{
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-behind-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly CrashVolume _volume;
    private int _most = new MaildirStoreOptions { AccountsDirectory = "/" }.FilesBehind;
    private MaildirHarness _server = null!;
    private IMailStore _store = null!;
    private MailboxId _inbox;
    private int _boots;

    public FilesBehindTests() => _volume = new(_time);

    public async ValueTask InitializeAsync()
    {
        _volume.MakeDirectory("/data");
        _volume.SyncVolume("/data");
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_server.IsStarted) await _server.AbandonCatalogues();
        Directory.Delete(_directory, recursive: true);
    }

    private async ValueTask StartAsync()
    {
        _server = new("/data", _volume, _time, _directory)
        {
            BootId = $"boot {++_boots}",
            Change = options => options with { TidyAfter = TimeSpan.FromDays(40), FilesBehind = _most },
            JournalOptions = new() { Directory = "/data/journal", SegmentSize = 64 << 10, Segments = 3, BackgroundWork = false },
        };
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Ann);
    }

    private int InSight => _volume.List("/data/mail/ann/new", times: false).Count + _volume.List("/data/mail/ann/cur", times: false).Count;

    private int Kept => _volume.List("/data/mail/ann/posthorn/expunged", times: false).Count;

    private async ValueTask ExpungeAsync(int count)
    {
        _inbox = (await _store.MustAppendAsync(_server, "INBOX", [.. Enumerable.Range(0, count + 1).Select(i => Text($"number {i}"))])).Mailbox;
        Uid[] uids = Uids([.. Enumerable.Range(1, count).Select(i => (uint)i)]);
        Must(await _store.ChangeFlagsAsync(_inbox, uids, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await _store.ExpungeAsync(_inbox, null, Cancel));
    }

    private async ValueTask OneIsLeftAsync()
    {
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(1, Must(await _store.StatusAsync(Name("INBOX"), Cancel)).Messages);
        await using IMailbox box = await _store.MustSelectAsync("INBOX", readOnly: true);
        Assert.Equal(1, box.Current.Count);
    }

    [Fact]
    public async Task Files_wait_until_somebody_looks_and_nobody_sees_them_meanwhile()
    {
        await ExpungeAsync(3);
        Assert.Equal((4, 0), (InSight, Kept));
        Assert.Equal(3, Must(await _server.Stores.ListExpungedAsync(Ann, Cancel)).Count);
        Assert.Equal((1, 3), (InSight, Kept));
        await OneIsLeftAsync();
    }

    [Fact]
    public async Task A_look_at_the_folder_takes_none_for_a_delivery()
    {
        await ExpungeAsync(3);
        await OneIsLeftAsync();
        Assert.Equal((1, 3), (InSight, Kept));
    }

    [Fact]
    public async Task More_than_may_wait_are_taken_away_at_once()
    {
        await _server.DisposeAsync();
        _most = 3;
        await StartAsync();
        await ExpungeAsync(4);
        Assert.Equal((2, 3), (InSight, Kept));
    }

    [Fact]
    public async Task With_none_allowed_none_waits()
    {
        await _server.DisposeAsync();
        _most = 0;
        await StartAsync();
        await ExpungeAsync(3);
        Assert.Equal((1, 3), (InSight, Kept));
    }

    [Fact]
    public async Task A_killed_program_takes_away_at_its_next_start_what_waited()
    {
        await ExpungeAsync(3);
        await _server.StopAsync(kill: true);
        Assert.Equal((4, 0), (InSight, Kept));
        await StartAsync();
        await OneIsLeftAsync();
        Assert.Equal((1, 3), (InSight, Kept));
    }

    [Fact]
    public async Task The_end_in_order_and_a_checkpoint_leave_none()
    {
        await ExpungeAsync(2);
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal((1, 2), (InSight, Kept));
        Must(await _store.ChangeFlagsAsync(_inbox, Uids(3), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await _store.ExpungeAsync(_inbox, null, Cancel));
        Assert.Equal((1, 2), (InSight, Kept));
        await _server.DisposeAsync();
        Assert.Equal((0, 3), (InSight, Kept));
    }

    [Fact]
    public async Task What_the_disk_refuses_keeps_its_record_and_does_not_come_back_as_mail()
    {
        await ExpungeAsync(2);
        _volume.Fault = (operation, path) => operation == "rename" && path.StartsWith("/data/mail/ann/", StringComparison.Ordinal) ? VolumeError.Permission : null;
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal((3, 0), (InSight, Kept));
        await OneIsLeftAsync();
        await _server.DisposeAsync(); // in disorder
        _volume.Fault = null;
        await StartAsync();
        await OneIsLeftAsync();
        Assert.Equal((1, 2), (InSight, Kept));
    }
}
