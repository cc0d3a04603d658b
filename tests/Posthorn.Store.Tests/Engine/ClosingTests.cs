using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>What happens to an account in the moments in which it is closed.</summary>
public sealed class ClosingTests : OnCrashVolume
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");
    private static readonly MailAccount Bob = MaildirHarness.Account("/other", "bob");

    private protected override MaildirStoreOptions Change(MaildirStoreOptions options) => options with { IdleAccounts = 0, IdleFor = TimeSpan.FromDays(400) };

    // The file is refused, so the record alone has the message: a checkpoint that comes while the account is closed in vain must leave it that.
    [Fact]
    public async Task A_checkpoint_keeps_what_an_account_that_is_being_closed_has_not_written()
    {
        await using (IMailStore store = await _server.MustOpenAsync(Bob)) await store.MustAppendAsync(_server, "INBOX", Text("first"));
        await _server.Journal.CheckpointAsync(Cancel);
        _volume.Fault = (operation, path) => operation == "write" && path.StartsWith("/other/mail/bob/new/", StringComparison.Ordinal) ? VolumeError.NoSpace : null;
        await _server.MustDeliverAsync(Bob, Text("second")); // cannot be closed behind it
        TaskCompletionSource closing = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using ManualResetEventSlim go = new();
        _volume.Before = (operation, path) =>
        {
            if (operation != "write" || !path.StartsWith("/other/mail/bob/new/", StringComparison.Ordinal)) return;
            closing.TrySetResult();
            go.Wait(Patience);
        };
        Task closer = Task.Run(async () => await (await _server.MustOpenAsync(Bob)).DisposeAsync(), Cancel);
        await closing.Task.WaitAsync(Patience, Cancel);
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Single(_volume.List("/data/journal/held", times: false));
        _volume.Before = null;
        go.Set();
        await closer;
        await using (IMailStore store = await _server.MustOpenAsync(Bob))
        {
            await using IMailbox inbox = await store.MustSelectAsync("INBOX", readOnly: true);
            Assert.Equal(Text("second"), await store.ContentAsync(inbox.Info.Id!.Value, new(2)));
        }

        _volume.Fault = null;
        await _server.MustDeliverAsync(Bob, Text("third"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Empty(_volume.List("/data/journal/held", times: false));
        await using IMailStore after = await _server.MustOpenAsync(Bob);
        await using IMailbox box = await after.MustSelectAsync("INBOX", readOnly: true);
        Assert.Equal(Text("second"), await after.ContentAsync(box.Info.Id!.Value, new(2)));
    }

    // Each of two clients moves the same message, or one repeats what it believes lost.
    [Fact]
    public async Task A_message_that_two_sessions_move_to_another_account_at_once_comes_there_once()
    {
        await using IMailStore from = await _server.MustOpenAsync(Bob);
        await using IMailStore into = await _server.MustOpenAsync(Ann);
        MailboxId source = (await from.MustAppendAsync(_server, "INBOX", Text("one"), Text("two"))).Mailbox;
        Task<Result<Placement>>? second = null;
        _volume.Before = (operation, path) =>
        {
            if (second is not null || operation != "write" || !path.StartsWith("/data/journal/", StringComparison.Ordinal)) return;
            second = Task.FromResult<Result<Placement>>(new Refusal(RefusalKind.Unavailable, "Not yet"));
            second = MoveAsync(1, 2).AsTask();
        };
        Placement first = Must(await MoveAsync(1));
        Assert.Equal(Uids(1), first.Sources);
        Placement other = Must(await second!);
        Assert.Equal(Uids(2), other.Sources);
        Assert.Equal((0, 2), (Must(await from.StatusAsync(MailboxName.Inbox, Cancel)).Messages, Must(await into.StatusAsync(Name("Archive"), Cancel)).Messages));
        Assert.Empty(Must(await MoveAsync(1, 2)).Sources);

        ValueTask<Result<Placement>> MoveAsync(params uint[] uids) => _server.TransferAsync(new(Bob, source, Uids(uids), Ann, Name("Archive"), Sharing.MailboxRights.All, Move: true), Cancel);
    }

    [Fact]
    public async Task A_message_that_cannot_be_read_ends_neither_the_index_nor_the_server()
    {
        await using IMailStore store = await _server.MustOpenAsync(Bob);
        await store.MustAppendAsync(_server, "INBOX", Text("one"), Text("two"));
        MailboxId inbox = (await store.FindAsync(MailboxName.Inbox, Cancel))!.Id!.Value;
        await _server.Journal.CheckpointAsync(Cancel);
        string bad = _volume.List("/other/mail/bob/new", times: false).Select(entry => entry.Name).Order(StringComparer.Ordinal).First();
        _volume.Fault = (operation, path) => operation == "read" && path.EndsWith(bad, StringComparison.Ordinal) ? VolumeError.Io : null;
        Assert.True(await _server.Stores.IndexAsync(Bob, anew: false, null, Cancel));
        _volume.Fault = null;
        Assert.Equal(Uids(1, 2), await store.FindTextAsync(inbox, Uids(1, 2), new(TextScope.Body, "", "This is"), Cancel));
    }
}
