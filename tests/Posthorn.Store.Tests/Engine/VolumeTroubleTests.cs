using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Mail on two volumes, of which one hangs or fails: the other one goes on, and nothing is lost on either.</summary>
public sealed class VolumeTroubleTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");
    private static readonly MailAccount Bob = MaildirHarness.Account("/other", "bob");

    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-volumes-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly CrashVolume _volume;
    private MaildirHarness _server = null!;
    private readonly List<string> _log = [];
    private IReadOnlyList<IJournalParticipant> _others = [];
    private int _boots;

    public VolumeTroubleTests() => _volume = new(_time) { Volumes = ["/other"] };

    public async ValueTask InitializeAsync()
    {
        _volume.MakeDirectory("/data");
        _volume.MakeDirectory("/other");
        _volume.SyncVolume("/data");
        await StartAsync();
        await _server.MustDeliverAsync(Ann, Text("ann's first"));
        await _server.MustDeliverAsync(Bob, Text("bob's first"));
        await _server.Journal.CheckpointAsync(Cancel);
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
            Others = _others,
            Logger = new ListLogger(_log),
            JournalOptions = new() { Directory = "/data/journal", SegmentSize = 64 << 10, Segments = 3, BackgroundWork = false, InlineLimit = 2000 },
            Change = options => options with { VolumePatience = Patience },
        };
        await _server.StartAsync();
    }

    private async ValueTask CrashAsync(int seed)
    {
        await _server.AbandonCatalogues();
        _volume.Crash(seed);
        await StartAsync();
    }

    private async ValueTask<string[]> MailAsync(MailAccount account)
    {
        await using IMailStore store = await _server.MustOpenAsync(account);
        await using IMailbox box = await store.MustSelectAsync("INBOX", readOnly: true);
        List<string> texts = [];
        foreach (MessageRow row in box.Current.Rows()) texts.Add(await store.ContentAsync(box.Info.Id!.Value, row.Uid));
        return [.. texts];
    }

    private static bool OnOther(string operation, string path) => operation == "syncfs" && path.StartsWith("/other", StringComparison.Ordinal);

    private string[] Held => _volume.TryStat("/data/journal/held", out _) ? [.. _volume.List("/data/journal/held", times: false).Select(entry => entry.Name)] : [];

    // More than the ring holds, on the volume that works.
    private async ValueTask<int> KeepBusyAsync()
    {
        for (int i = 0; i < 120; i++)
        {
            await _server.MustDeliverAsync(Ann, Text($"number {i}") + new string('x', 1500));
            if (i % 20 == 19) await _server.Journal.CheckpointAsync(Cancel);
        }

        return 121;
    }

    [Fact]
    public async Task A_record_is_not_held_before_what_came_with_it_is_applied()
    {
        TaskCompletionSource begun = new(), go = new();
        DeliveryAttachment attachment = new(Follower.Number, 1, new byte[] { 7 }, async (_, _) =>
        {
            begun.SetResult();
            await go.Task;
        });
        _volume.Fault = (_, path) => path.StartsWith("/other", StringComparison.Ordinal) ? VolumeError.Io : null;
        await using IMessageSink sink = await _server.SinkAsync(Text("bob's second"));
        Task<DeliveryReceipt> delivery = ((IMailStores)_server).DeliverAsync(sink, [new(Bob, MailboxName.Inbox, SystemFlags.None, KeywordSet.Empty, default)], attachment, Cancel).AsTask();
        await begun.Task; // the mail cannot be written, and the other part is on its way
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Empty(Held);

        Follower follower = new();
        _others = [follower];
        _volume.Fault = null;
        await CrashAsync(1);
        Assert.Equal([7], follower.Steps);
        Assert.Equal([Text("bob's first"), Text("bob's second")], await MailAsync(Bob));
        go.SetResult();
        await delivery; // of a server that is no more
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_volume_whose_sync_fails_keeps_its_records_and_nobody_else_waiting(int seed)
    {
        await _server.MustDeliverAsync(Bob, Text("bob's second"));
        await _server.MustDeliverAsync(Bob, Text("large") + new string('y', 5000)); // in a spool file
        _volume.Fault = (operation, path) => OnOther(operation, path) ? VolumeError.Io : null;
        int count = await KeepBusyAsync();
        Assert.Equal(3, Held.Length + 1); // all of bob's above the checkpoint, none of ann's
        _volume.Fault = null;
        await CrashAsync(seed);
        Assert.Equal([Text("bob's first"), Text("bob's second"), Text("large") + new string('y', 5000)], await MailAsync(Bob));
        Assert.Equal(count, (await MailAsync(Ann)).Length);
        await _server.Journal.CheckpointAsync(Cancel);
        await _server.MustDeliverAsync(Ann, Text("one more"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Empty(Held);
        await CrashAsync(seed + 10);
        Assert.Equal([Text("bob's first"), Text("bob's second"), Text("large") + new string('y', 5000)], await MailAsync(Bob));
    }

    [Fact]
    public async Task What_a_failed_sync_may_have_lost_is_written_into_new_files()
    {
        MailAccount[] all = [Ann, Bob];
        foreach (MailAccount account in all)
        {
            await using IMailStore store = await _server.MustOpenAsync(account);
            AppendReceipt receipt = await store.MustAppendAsync(_server, "INBOX", Text("second"));
            Must(await store.CopyAsync(receipt.Mailbox, Uids(2), Name("Archive"), Cancel));
        }

        _volume.Fault = (operation, _) => operation == "syncfs" ? VolumeError.Io : null; // once, on both; the system then takes the pages for clean
        await _server.Journal.CheckpointAsync(Cancel);
        _volume.Fault = null;
        await _server.Journal.CheckpointAsync(Cancel);
        await _server.MustDeliverAsync(Ann, Text("third"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Empty(Held);
        await CrashAsync(KeepsNothing());
        Assert.Equal([Text("ann's first"), Text("second"), Text("third")], await MailAsync(Ann));
        Assert.Equal([Text("bob's first"), Text("second")], await MailAsync(Bob));
        await using IMailStore after = await _server.MustOpenAsync(Bob);
        await using IMailbox copy = await after.MustSelectAsync("Archive", readOnly: true);
        Assert.Equal(Text("second"), await after.ContentAsync(copy.Info.Id!.Value, new(1)));
    }

    // After a failed sync the system takes pages for written that are not: a sync that succeeds afterwards proves nothing for them.
    [Fact]
    public async Task Catalogues_whose_volume_could_not_be_synced_are_written_once_more()
    {
        string path = "";
        foreach (string part in (_directory + "/accounts").Split('/', StringSplitOptions.RemoveEmptyEntries))
            if (!_volume.TryStat(path += "/" + part, out _)) _volume.MakeDirectory(path);
        await _server.MustDeliverAsync(Bob, Text("bob's second"));
        byte[] before = await File.ReadAllBytesAsync(_directory + "/accounts/example.org/bob/catalogue.db", Cancel);
        Lsn held = _server.Journal.Checkpointed;
        _volume.Fault = (operation, at) => operation == "syncfs" && !at.StartsWith("/other", StringComparison.Ordinal) ? VolumeError.Io : null;
        await Assert.ThrowsAsync<VolumeException>(async () => await _server.Journal.CheckpointAsync(Cancel));
        Assert.Equal(held, _server.Journal.Checkpointed); // nothing is freed
        _volume.Fault = null;
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.True(_server.Journal.Checkpointed > held);
        Assert.Contains(_log, line => line.Contains("written once more", StringComparison.Ordinal));
        Assert.Equal(0, new FileInfo(_directory + "/accounts/example.org/bob/catalogue.db-wal").Length);
        Assert.NotEqual(before, await File.ReadAllBytesAsync(_directory + "/accounts/example.org/bob/catalogue.db", Cancel));
        _log.Clear();
        await _server.MustDeliverAsync(Bob, Text("bob's third"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.DoesNotContain(_log, line => line.Contains("written once more", StringComparison.Ordinal));
        Assert.Equal([Text("bob's first"), Text("bob's second"), Text("bob's third")], await MailAsync(Bob));
    }

    [Fact]
    public async Task A_volume_that_hangs_keeps_nobody_waiting()
    {
        await _server.MustDeliverAsync(Bob, Text("bob's second"));
        using ManualResetEventSlim wakes = new();
        TaskCompletionSource hangs = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _volume.Before = (operation, path) =>
        {
            if (!OnOther(operation, path)) return;
            hangs.TrySetResult();
            wakes.Wait(TimeSpan.FromSeconds(60));
        };
        Task<Lsn> checkpoint = _server.Journal.CheckpointAsync(Cancel).AsTask();
        await hangs.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        while (!checkpoint.IsCompleted)
        {
            _time.Advance(Patience);
            await Task.Yield();
        }

        await checkpoint;
        int count = await KeepBusyAsync(); // the hanging volume is not asked again
        Assert.Single(Held);
        Assert.Equal(count, (await MailAsync(Ann)).Length);
        Assert.Equal([Text("bob's first"), Text("bob's second")], await MailAsync(Bob));
        wakes.Set();
        while (Held.Length > 0)
        {
            await _server.MustDeliverAsync(Ann, Text("later"));
            await _server.Journal.CheckpointAsync(Cancel);
        }
    }

    [Fact]
    public async Task What_cannot_be_applied_on_one_volume_does_not_fill_the_ring()
    {
        await using (IMailStore store = await _server.MustOpenAsync(Bob))
        {
            _volume.Fault = (operation, path) => path.StartsWith("/other", StringComparison.Ordinal) ? VolumeError.NoSpace : null;
            Must(await store.CreateAsync(Name("New"), SpecialUse.None, Cancel));
            await store.MustAppendAsync(_server, "INBOX", Text("behind it"));
            int count = await KeepBusyAsync();
            Assert.Equal(2, Held.Length);
            Assert.Equal(count, (await MailAsync(Ann)).Length);
        }

        _volume.Fault = null;
        await CrashAsync(7);
        Assert.Equal([Text("bob's first"), Text("behind it")], await MailAsync(Bob));
        await using IMailStore again = await _server.MustOpenAsync(Bob);
        Must(await again.StatusAsync(Name("New"), Cancel));
    }

    // The ring is full of what the missing volume needs, and of what the other has: the start makes room by holding the former.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_full_ring_and_a_missing_volume_do_not_keep_the_server_from_starting(int seed)
    {
        int annCount = 1, bobCount = 1;
        try
        {
            for (int i = 0; ; i++)
            {
                await _server.MustDeliverAsync(i % 2 == 0 ? Ann : Bob, Text($"number {i}") + new string('x', 1500));
                _ = i % 2 == 0 ? annCount++ : bobCount++;
            }
        }
        catch (JournalFullException)
        {
            // As planned.
        }

        await _server.AbandonCatalogues();
        _volume.Crash(seed);
        _volume.Rename("/other/mail", "/other/away"); // the volume is there, and empty, as a mount point is
        await StartAsync();
        Assert.True(Held.Length > 0, "nothing is held");
        Refused(RefusalKind.Unavailable, await _server.OpenAsync(Bob, Cancel));
        Assert.False((await _server.HasRoomAsync(Bob, 100, Cancel)).IsOk);
        await _server.MustDeliverAsync(Ann, Text("goes on"));
        Assert.Equal(annCount + 1, (await MailAsync(Ann)).Length);
        await _server.Journal.CheckpointAsync(Cancel);
        _volume.Rename("/other/away", "/other/mail");
        Assert.Equal(bobCount, (await MailAsync(Bob)).Length);
        await _server.MustDeliverAsync(Ann, Text("one more"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Empty(Held);
    }

    // A seed for which nothing survives that was not synced.
    private static int KeepsNothing()
    {
#pragma warning disable CA5394 // The same numbers as the volume draws.
        for (int seed = 0; ; seed++)
            if (new Random(seed).Next(4) == 0) return seed;
#pragma warning restore CA5394
    }

    private sealed class Follower : IJournalParticipant
    {
        internal const byte Number = 9;

        internal List<byte> Steps { get; } = [];

        byte IJournalParticipant.Id => Number;

        ValueTask IJournalParticipant.ReplayAsync(JournalRecord record, CancellationToken cancel)
        {
            Steps.AddRange(record.Steps.Where(step => step.Participant == Number).Select(step => step.Payload.Span[0]));
            return ValueTask.CompletedTask;
        }

        ValueTask IJournalParticipant.SyncAsync(Lsn upTo, CancellationToken cancel) => ValueTask.CompletedTask;
    }
}
