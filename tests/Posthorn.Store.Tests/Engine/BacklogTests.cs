using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>New mail waits in the journal while nobody looks, and never longer than that (docs/adr/0010).</summary>
public sealed class BacklogTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-backlog-").FullName;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private MaildirHarness _server = null!;

    private MailAccount Ann => MaildirHarness.Account(_directory, "ann");

    private int FilesOf(string name) => Directory.GetFiles($"{_directory}/mail/{name}/new").Length;

    public async ValueTask InitializeAsync()
    {
        _server = new(_directory, new LinuxVolume(), _time) { Change = options => options with { TidyAfter = TimeSpan.FromDays(40), ApplyAfter = TimeSpan.FromMilliseconds(250), UnappliedOfAccount = 5, Unapplied = 7 } };
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task DeliverAsync(string name, string text)
    {
        await using IMessageSink sink = await _server.SinkAsync(Text(text));
        DeliveryReceipt receipt = await _server.DeliverAsync(sink, new() { Deliveries = [new(MaildirHarness.Account(_directory, name), MailboxName.Inbox, default, KeywordSet.Empty, default)] }, Cancel);
        Assert.True(receipt.Outcomes[0].IsOk);
    }

    // The first mail of an account makes its mailboxes, and so is applied at once with them or after them.
    private async Task MakeAsync(string name)
    {
        await using IMailStore store = await _server.MustOpenAsync(MaildirHarness.Account(_directory, name));
    }

    [Fact]
    public async Task It_waits_while_nobody_looks_and_whoever_looks_sees_it()
    {
        await using IMailStore store = await _server.MustOpenAsync(Ann);
        for (int i = 0; i < 3; i++) await DeliverAsync("ann", $"number {i}");
        Assert.Equal(0, FilesOf("ann"));
        Assert.Equal(3, (await store.StatusAsync(MailboxName.Inbox, Cancel)).Value.Messages);
        Assert.Equal(3, FilesOf("ann"));
        await DeliverAsync("ann", "number 3");
        Assert.Equal(3, FilesOf("ann"));
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        Assert.Equal([1u, 2u, 3u, 4u], box.Current.Rows().Select(row => row.Uid.Value));
        for (int i = 0; i < 4; i++) Assert.Equal(Text($"number {i}"), await store.ContentAsync(box.Info.Id!.Value, new((uint)i + 1)));
    }

    [Fact]
    public async Task An_open_mailbox_and_who_waits_for_changes_hear_of_it_at_once()
    {
        await using IMailStore store = await _server.MustOpenAsync(Ann);
        long seen = store.ChangeNumber;
        Task change = store.WaitForChangeAsync(seen, Cancel).AsTask();
        await DeliverAsync("ann", "first");
        await change.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        MailboxVersion before = box.Current;
        await DeliverAsync("ann", "second");
        Assert.NotSame(before, box.Current);
        Assert.Equal(2, box.Current.Count);
    }

    [Fact]
    public async Task Rounds_follow_each_other_and_forget_nobody()
    {
        string[] names = ["ann", "ben", "cid", "dan"];
        foreach (string name in names) await MakeAsync(name);
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        for (int i = 1; i <= 40; i++)
        {
            // Each round finds others adding to what the next one is to do.
            await Task.WhenAll(names.Select(name => Task.Run(() => DeliverAsync(name, $"number {i}"))).Append(Task.Run(() => _time.Advance(TimeSpan.FromMilliseconds(250)))));
            while (names.Any(name => FilesOf(name) < i))
            {
                patience.Token.ThrowIfCancellationRequested();
                _time.Advance(TimeSpan.FromMilliseconds(250));
                await Task.Yield();
            }
        }
    }

    [Fact]
    public async Task What_waits_counts_for_the_quota()
    {
        MailAccount small = Ann with { QuotaMessages = 2 };
        await MakeAsync("ann");
        await using IMessageSink sink = await _server.SinkAsync(Text("one"));
        LocalDelivery delivery = new(small, MailboxName.Inbox, default, KeywordSet.Empty, default);
        DeliveryReceipt[] receipts = new DeliveryReceipt[3];
        for (int i = 0; i < 3; i++)
        {
            await using IMessageSink each = await _server.SinkAsync(Text($"number {i}"));
            receipts[i] = await _server.DeliverAsync(each, new() { Deliveries = [delivery] }, Cancel);
        }

        Assert.Equal([true, true, false], receipts.Select(receipt => receipt.Outcomes[0].IsOk));
        Assert.Equal(0, FilesOf("ann"));
    }

    [Fact]
    public async Task Too_much_does_not_wait()
    {
        await MakeAsync("ann");
        for (int i = 0; i < 5; i++) await DeliverAsync("ann", $"number {i}");
        Assert.Equal(0, FilesOf("ann"));
        await DeliverAsync("ann", "one too many of the account");
        Assert.Equal(6, FilesOf("ann"));

        foreach (string name in (string[])["ben", "cid"]) await MakeAsync(name);
        for (int i = 0; i < 5; i++) await DeliverAsync("ben", $"number {i}");
        for (int i = 0; i < 2; i++) await DeliverAsync("cid", $"number {i}");
        Assert.Equal((0, 0), (FilesOf("ben"), FilesOf("cid")));
        await DeliverAsync("cid", "one too many of all");
        Assert.Equal((0, 3), (FilesOf("ben"), FilesOf("cid")));
    }

    [Fact]
    public async Task It_is_in_the_Maildir_after_a_moment_and_after_a_checkpoint_and_an_end()
    {
        await MakeAsync("ann");
        await DeliverAsync("ann", "first");
        Assert.Equal(0, FilesOf("ann"));
        _time.Advance(TimeSpan.FromMilliseconds(250));
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        while (FilesOf("ann") < 1)
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        await DeliverAsync("ann", "second");
        Assert.Equal(1, FilesOf("ann"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(2, FilesOf("ann"));
        await DeliverAsync("ann", "third");
        await _server.StopAsync(kill: false);
        Assert.Equal(3, FilesOf("ann"));
    }

    [Fact]
    public async Task A_killed_server_has_it_after_its_next_start()
    {
        await MakeAsync("ann");
        for (int i = 0; i < 4; i++) await DeliverAsync("ann", $"number {i}");
        await _server.StopAsync(kill: true);
        Assert.Equal(0, FilesOf("ann"));
        await _server.StartAsync();
        await using IMailStore store = await _server.MustOpenAsync(Ann);
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        Assert.Equal([1u, 2u, 3u, 4u], box.Current.Rows().Select(row => row.Uid.Value));
    }

    [Fact]
    public async Task An_append_to_a_mailbox_that_is_not_open_waits_and_has_its_number()
    {
        await using IMailStore store = await _server.MustOpenAsync(Ann);
        for (uint i = 1; i <= 3; i++)
        {
            await using IMessageSink sink = await _server.SinkAsync(Text($"number {i}"));
            AppendReceipt receipt = (await store.AppendAsync(MailboxName.Inbox, [new(sink, SystemFlags.None, KeywordSet.Empty, _time.GetUtcNow())], Cancel)).Value;
            Assert.Equal(i, receipt.Messages[0].Uid.Value);
        }

        Assert.Equal(0, FilesOf("ann"));
        Assert.Equal(3, (await store.QuotaAsync(Cancel)).UsedMessages);
        Assert.Equal(3, FilesOf("ann"));
    }
}
