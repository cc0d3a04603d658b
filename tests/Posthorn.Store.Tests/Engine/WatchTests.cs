using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Other programs in the folder of a mailbox that somebody has selected: heard of at once, and our own doing is not taken for theirs. The clock stands still, so that nothing here is seen by looking now and then.</summary>
public sealed class WatchTests : IAsyncLifetime
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-watch-").FullName;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly List<string> _log = [];
    private MaildirHarness _server = null!;
    private IMailStore _store = null!;

    private MailAccount Ann => MaildirHarness.Account(_directory, "ann");

    private string Root => Ann.MailRoot;

    public async ValueTask InitializeAsync()
    {
        _server = new(_directory, new LinuxVolume(), _time) { Logger = new ListLogger(_log) };
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Ann);
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static async ValueTask UntilAsync(IMailbox box, Func<MailboxVersion, bool> isSo)
    {
        while (true)
        {
            MailboxVersion now = box.Current;
            if (isSo(now)) return;
            await box.WaitForChangeAsync(now, Cancel).AsTask().WaitAsync(Long, Cancel);
        }
    }

    // As every Maildir program does.
    private void Deliver(string name, string text)
    {
        File.WriteAllText($"{Root}/tmp/{name}", text);
        File.Move($"{Root}/tmp/{name}", $"{Root}/new/{name}");
    }

    [Fact]
    public async Task Foreign_deliveries_and_flags_are_heard_of_at_once()
    {
        await using IMailbox box = await _store.MustSelectAsync("INBOX");
        await Task.Run(() => Deliver("17000.theirs.host", Text("theirs")), Cancel);
        await UntilAsync(box, now => now.Count == 1);
        Assert.Equal(Text("theirs"), await _store.ContentAsync(box.Info.Id!.Value, new(1)));
        await Task.Run(() => File.Move(Root + "/new/17000.theirs.host", Root + "/cur/17000.theirs.host:2,FS"), Cancel);
        await UntilAsync(box, now => now[0].Flags == (SystemFlags.Flagged | SystemFlags.Seen));
        for (int i = 0; i < 50; i++)
        {
            Deliver($"18000.{i}.host", Text($"number {i}"));
            if (i % 5 == 0) await _store.MustAppendAsync(_server, "INBOX", Text($"ours {i}"));
        }

        await UntilAsync(box, now => now.Count == 61);
        HashSet<string> texts = [];
        foreach (MessageRow row in box.Current.Rows()) Assert.True(texts.Add(await _store.ContentAsync(box.Info.Id!.Value, row.Uid)), "a message came twice");
        Assert.DoesNotContain(_log, line => line.Contains("watched", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_removal_needs_two_listings_and_a_name_that_returns_keeps_its_UID()
    {
        MailboxId inbox = (await _store.MustAppendAsync(_server, "INBOX", Text("one"), Text("two"), Text("three"))).Mailbox;
        await using IMailbox box = await _store.MustSelectAsync("INBOX");
        string[] files = [.. Directory.GetFiles(Root + "/new").Order(StringComparer.Ordinal)];
        string away = _directory + "/away";
        File.Move(files[0], away);
        Deliver("17000.theirs.host", Text("theirs")); // when this is seen, the folder was listed without the other at least once
        await UntilAsync(box, now => now.Contains(new(4)));
        Assert.Equal(Uids(1, 2, 3, 4), box.Current.Rows().Select(row => row.Uid));
        File.Move(away, files[0]);
        Deliver("17001.theirs.host", Text("theirs too"));
        await UntilAsync(box, now => now.Contains(new(5)));
        _time.Advance(TimeSpan.FromSeconds(5));
        Must(await _store.StatusAsync(Name("INBOX"), Cancel));
        Assert.Equal(Uids(1, 2, 3, 4, 5), box.Current.Rows().Select(row => row.Uid));
        Assert.Equal(Text("one"), await _store.ContentAsync(inbox, new(1)));

        File.Delete(files[1]);
        Deliver("17002.theirs.host", Text("one more"));
        // The second listing without it comes with the background, which may be between two of its waits when the clock moves; and a look during which it moved seems to have been slow.
        long started = TimeProvider.System.GetTimestamp();
        while (box.Current.Contains(new(2)) || !box.Current.Contains(new(6)))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Long, "it stays");
            _time.Advance(TimeSpan.FromSeconds(3));
            await Task.Yield();
        }

        Assert.Equal(Uids(2), await _store.ExpungedUidsAsync(inbox, new(0)));
    }

    [Fact]
    public async Task Our_own_doing_is_no_news()
    {
        await using IMailbox box = await _store.MustSelectAsync("INBOX");
        MailboxId inbox = box.Info.Id!.Value;
        for (int i = 0; i < 20; i++) await _server.MustDeliverAsync(Ann, Text($"{i}"));
        Must(await _store.ChangeFlagsAsync(inbox, Uids(1, 2, 3), new(FlagOperation.Add, SystemFlags.Deleted, Keywords("k")), null, Cancel));
        Must(await _store.MoveAsync(inbox, Uids(4, 5), Name("Archive"), Cancel));
        await _server.Journal.CheckpointAsync(Cancel); // names follow
        Must(await _store.ExpungeAsync(inbox, Uids(1, 2), Cancel));
        Deliver("17000.theirs.host", Text("theirs")); // comes behind all echoes
        await UntilAsync(box, now => now.Contains(new(21)));
        Assert.Equal(17, box.Current.Count);
        Assert.Equal(2, Must(await _store.StatusAsync(Name("Archive"), Cancel)).Messages);
        Assert.DoesNotContain(_log, line => line.Contains("another program", StringComparison.Ordinal) && line.Contains("removed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_watch_rests_for_the_next_session_and_then_ends()
    {
        await (await _store.MustSelectAsync("INBOX")).DisposeAsync();
        Assert.Equal(1, _server.Stores.RestingWatches);
        Deliver("17000.theirs.host", Text("nobody looks"));
        await using (IMailbox box = await _store.MustSelectAsync("INBOX"))
        {
            Assert.Equal(0, _server.Stores.RestingWatches);
            await UntilAsync(box, now => now.Count == 1);
            Deliver("17001.theirs.host", Text("theirs"));
            await UntilAsync(box, now => now.Count == 2);
        }

        await EndOfRestAsync();
        await using IMailbox again = await _store.MustSelectAsync("INBOX");
        Deliver("17002.theirs.host", Text("theirs"));
        await UntilAsync(again, now => now.Count == 3);
    }

    [Fact]
    public async Task A_mailbox_that_was_renamed_or_deleted_while_its_watch_rested_is_heard_of()
    {
        foreach (string end in (string[])["renamed", "deleted"])
        {
            Must(await _store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
            await (await _store.MustSelectAsync("Work")).DisposeAsync();
            if (end == "renamed") Must(await _store.RenameAsync(Name("Work"), Name("Play"), Cancel));
            else Must(await _store.DeleteAsync(Name("Work"), Cancel));
            if (end == "deleted") Must(await _store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
            string name = end == "renamed" ? "Play" : "Work";
            await using IMailbox box = await _store.MustSelectAsync(name);
            File.WriteAllText($"{Root}/.{name}/new/17000.theirs.host", Text("theirs"));
            await UntilAsync(box, now => now.Count == 1);
        }

        await EndOfRestAsync();
    }

    // The background looks once a second of a clock that stands still.
    private async Task EndOfRestAsync()
    {
        long started = TimeProvider.System.GetTimestamp();
        while (_server.Stores.RestingWatches > 0)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Long, "it rests for ever");
            _time.Advance(TimeSpan.FromSeconds(3));
            await Task.Yield();
        }
    }

    [Fact]
    public void A_watch_tells_what_comes_and_goes_until_it_is_disposed()
    {
        LinuxVolume volume = new();
        using System.Collections.Concurrent.BlockingCollection<VolumeEvent> heard = [];
        Assert.Null(volume.Watch(_directory + "/none", heard.Add));
        IDisposable watch = volume.Watch(_directory, heard.Add)!;
        IDisposable other = volume.Watch(_directory, _ => { })!;
        File.WriteAllText(_directory + "/a", "x");
        Assert.Equal(new("a", false), Next(heard)); // made
        Assert.Equal(new("a", false), Next(heard)); // written
        File.Move(_directory + "/a", _directory + "/b");
        Assert.Equal(new("a", true), Next(heard));
        Assert.Equal(new("b", false), Next(heard));
        other.Dispose();
        File.Delete(_directory + "/b");
        Assert.Equal(new("b", true), Next(heard));
        watch.Dispose();
        watch.Dispose();
    }

    private static VolumeEvent Next(System.Collections.Concurrent.BlockingCollection<VolumeEvent> heard) =>
        heard.TryTake(out VolumeEvent change, Long) ? change : throw new TimeoutException("nothing was heard");
}
