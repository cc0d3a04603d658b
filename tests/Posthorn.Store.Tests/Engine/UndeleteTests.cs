using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>What was expunged can be had back for a while.</summary>
public sealed class UndeleteTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-undelete-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly MaildirHarness _harness;
    private MailAccount Ann => MaildirHarness.Account(_directory, "ann");

    public UndeleteTests() => _harness = new(_directory, new LinuxVolume(), _time);

    public ValueTask InitializeAsync() => _harness.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _harness.StopAsync(kill: false);
        Directory.Delete(_directory, recursive: true);
    }

    private async Task<IReadOnlyList<ExpungedMessage>> ListAsync() => Must(await _harness.Stores.ListExpungedAsync(Ann, Cancel));

    // Files follow their record in the background.
    private async Task<IReadOnlyList<ExpungedMessage>> ListAsync(int count)
    {
        for (int tries = 0; tries < 600; tries++)
        {
            IReadOnlyList<ExpungedMessage> found = await ListAsync();
            if (found.Count == count) return found;
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(20, Cancel);
        }

        return await ListAsync();
    }

    [Fact]
    public async Task An_expunged_message_is_listed_and_comes_back_under_a_new_UID()
    {
        await using IMailStore store = await _harness.MustOpenAsync(Ann);
        AppendReceipt sent = await store.MustAppendAsync(_harness, "Drafts", Text("one"), Text("two"));
        Must(await store.ChangeFlagsAsync(sent.Mailbox, Uids(1, 2), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Assert.Empty(await ListAsync());
        _time.Advance(TimeSpan.FromHours(1));
        Must(await store.ExpungeAsync(sent.Mailbox, Uids(2), Cancel));
        ExpungedMessage gone = Assert.Single(await ListAsync(1));
        Assert.Equal((Name("Drafts"), new Uid(2), "two", "a@example.org"), (gone.Mailbox!.Value, gone.Uid!.Value, gone.Subject, gone.From));
        Assert.Equal(new DateTimeOffset(2026, 3, 4, 6, 6, 7, TimeSpan.Zero), gone.At);

        (MailboxName mailbox, StoredMessage back) = Must(await _harness.Stores.UndeleteAsync(Ann, gone.Id, null, Cancel));
        Assert.Equal((Name("Drafts"), new Uid(3)), (mailbox, back.Uid));
        Assert.Equal(Text("two"), await store.ContentAsync(sent.Mailbox, new(3)));
        await using IMailbox box = await store.MustSelectAsync("Drafts");
        Assert.Equal((SystemFlags.None, new DateTimeOffset(2024, 1, 2, 1, 4, 5, TimeSpan.Zero)), (box.Current[1].Flags, box.Current[1].InternalDate.ToUniversalTime()));
        Assert.Empty(await ListAsync());
        Refused(RefusalKind.Expunged, await _harness.Stores.UndeleteAsync(Ann, gone.Id, null, Cancel));
    }

    [Fact]
    public async Task The_messages_of_a_removed_mailbox_come_back_into_another()
    {
        await using IMailStore store = await _harness.MustOpenAsync(Ann);
        Must(await store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
        AppendReceipt sent = await store.MustAppendAsync(_harness, "Work", Text("one"), Text("two"));
        Must(await store.ChangeFlagsAsync(sent.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Flagged, KeywordSet.Empty), null, Cancel));
        Must(await store.DeleteAsync(Name("Work"), Cancel));
        IReadOnlyList<ExpungedMessage> gone = await ListAsync(2);
        Assert.Equal(["one", "two"], gone.Select(message => message.Subject).Order());
        Assert.All(gone, message => Assert.Null(message.Mailbox));
        Assert.Equal(Name("INBOX"), Must(await _harness.Stores.UndeleteAsync(Ann, gone.Single(message => message.Subject == "one").Id, null, Cancel)).Mailbox);
        Assert.Equal(Name("Archive"), Must(await _harness.Stores.UndeleteAsync(Ann, gone.Single(message => message.Subject == "two").Id, "Archive", Cancel)).Mailbox);
        Assert.Equal(1, Must(await store.StatusAsync(Name("Archive"), Cancel)).Messages);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Flags_and_keywords_come_back_with_a_message(bool afterAnotherStart)
    {
        await using IMailStore store = await _harness.MustOpenAsync(Ann);
        AppendReceipt sent = await store.MustAppendAsync(_harness, "Drafts", Text("one"), Text("two"));
        Must(await store.ChangeFlagsAsync(sent.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted | SystemFlags.Flagged | SystemFlags.Answered, Keywords("work", "$Label1")), null, Cancel));
        Must(await store.ChangeFlagsAsync(sent.Mailbox, Uids(2), new(FlagOperation.Add, SystemFlags.Seen, Keywords("$Label1")), null, Cancel));
        Must(await store.ExpungeAsync(sent.Mailbox, null, Cancel));
        Assert.Single(await ListAsync(1));
        if (afterAnotherStart)
        {
            await _harness.StopAsync(kill: true);
            await _harness.StartAsync();
        }

        ExpungedMessage gone = Assert.Single(await ListAsync(1));
        StoredMessage back = Must(await _harness.Stores.UndeleteAsync(Ann, gone.Id, null, Cancel)).Message;
        await using IMailStore again = await _harness.MustOpenAsync(Ann);
        await using IMailbox box = await again.MustSelectAsync("Drafts");
        MessageRow row = box.Current[box.Current.IndexOf(back.Uid)];
        Assert.Equal((SystemFlags.Flagged | SystemFlags.Answered, Keywords("work", "$Label1")), (row.Flags, row.Keywords));
    }

    [Fact]
    public async Task Flags_and_keywords_come_back_from_a_removed_mailbox()
    {
        await using IMailStore store = await _harness.MustOpenAsync(Ann);
        Must(await store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
        AppendReceipt sent = await store.MustAppendAsync(_harness, "Work", Text("one"));
        Must(await store.ChangeFlagsAsync(sent.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Flagged, Keywords("work")), null, Cancel));
        await _harness.StopAsync(kill: false); // names follow flags by then
        await _harness.StartAsync();
        await using IMailStore again = await _harness.MustOpenAsync(Ann);
        Must(await again.DeleteAsync(Name("Work"), Cancel));
        ExpungedMessage gone = Assert.Single(await ListAsync(1));
        StoredMessage back = Must(await _harness.Stores.UndeleteAsync(Ann, gone.Id, null, Cancel)).Message;
        await using IMailbox box = await again.MustSelectAsync("INBOX");
        MessageRow row = box.Current[box.Current.IndexOf(back.Uid)];
        Assert.Equal((SystemFlags.Flagged, Keywords("work")), (row.Flags, row.Keywords));
    }

    [Fact]
    public async Task Two_names_of_one_message_are_one_message()
    {
        await using IMailStore store = await _harness.MustOpenAsync(Ann);
        AppendReceipt sent = await store.MustAppendAsync(_harness, "Drafts", Text("one"));
        Must(await store.ChangeFlagsAsync(sent.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted | SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        Must(await store.ExpungeAsync(sent.Mailbox, null, Cancel));
        Assert.Single(await ListAsync(1));
        string kept = Assert.Single(Directory.GetFiles(Ann.MailRoot + "/posthorn/expunged"));
        Assert.EndsWith(":2,S", kept, StringComparison.Ordinal);
        File.Copy(kept, kept[..^1]); // as a crash may leave it
        ExpungedMessage gone = Assert.Single(await ListAsync());
        Must(await _harness.Stores.UndeleteAsync(Ann, gone.Id, null, Cancel));
        Assert.Empty(await ListAsync());
        Assert.Empty(Directory.GetFiles(Ann.MailRoot + "/posthorn/expunged"));
    }

    [Fact]
    public async Task What_cannot_come_back_stays_where_it_is()
    {
        await using IMailStore store = await _harness.MustOpenAsync(Ann);
        AppendReceipt sent = await store.MustAppendAsync(_harness, "Drafts", Text("one"));
        Must(await store.ChangeFlagsAsync(sent.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await store.ExpungeAsync(sent.Mailbox, null, Cancel));
        ExpungedMessage gone = Assert.Single(await ListAsync(1));
        Refused(RefusalKind.NoSuchMailbox, await _harness.Stores.UndeleteAsync(Ann, gone.Id, "Nowhere", Cancel));
        Refused(RefusalKind.BadName, await _harness.Stores.UndeleteAsync(Ann, gone.Id, "a..b", Cancel));
        Refused(RefusalKind.OverQuota, await _harness.Stores.UndeleteAsync(Ann with { QuotaBytes = 10 }, gone.Id, null, Cancel));
        Assert.Single(await ListAsync());
        Assert.Equal(new Uid(2), Must(await _harness.Stores.UndeleteAsync(Ann, gone.Id, null, Cancel)).Message.Uid);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Space_of_what_is_kept_counts_as_the_administrator_chooses(bool counts)
    {
        await _harness.StopAsync(kill: false);
        _harness.Change = options => options with { CountExpunged = counts };
        await _harness.StartAsync();
        await using IMailStore store = await _harness.MustOpenAsync(Ann);
        AppendReceipt sent = await store.MustAppendAsync(_harness, "Drafts", Text("one"), Text("two"));
        long all = (await store.QuotaAsync(Cancel)).UsedBytes;
        Must(await store.ChangeFlagsAsync(sent.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await store.ExpungeAsync(sent.Mailbox, null, Cancel));
        Assert.Equal((counts ? all : all / 2, counts ? 2 : 1), ((await store.QuotaAsync(Cancel)).UsedBytes, (await store.QuotaAsync(Cancel)).UsedMessages));
        ExpungedMessage gone = Assert.Single(await ListAsync(1));
        if (counts) Refused(RefusalKind.OverQuota, await _harness.Stores.UndeleteAsync(Ann with { QuotaBytes = all + 10 }, gone.Id, null, Cancel));
        Must(await _harness.Stores.UndeleteAsync(Ann with { QuotaBytes = all * 2 }, gone.Id, null, Cancel));
        Assert.Equal((all, 2), ((await store.QuotaAsync(Cancel)).UsedBytes, (await store.QuotaAsync(Cancel)).UsedMessages));
    }
}
