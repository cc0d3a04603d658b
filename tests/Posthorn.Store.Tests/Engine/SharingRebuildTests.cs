using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Maildir;
using Posthorn.Store.Sharing;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Rights and annotations outlive their catalogue, and come from Dovecot's files.</summary>
public sealed class SharingRebuildTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-sharing-").FullName;
    private readonly MaildirHarness _harness;
    private MailAccount Ann => MaildirHarness.Account(_directory, "ann");

    public SharingRebuildTests() => _harness = new(_directory, new LinuxVolume(), new FakeTimeProvider(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero)));

    public ValueTask InitializeAsync() => _harness.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _harness.StopAsync(kill: false);
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_catalogue_that_is_made_anew_has_them_from_beside_the_mail()
    {
        byte[] value = [0, 1, 2, 255];
        await using (IMailStore store = await _harness.MustOpenAsync(Ann))
        {
            MailboxId drafts = (await store.FindAsync(Name("Drafts"), Cancel))!.Id!.Value;
            Must(await store.AnnotateAsync(drafts, [new(null, "", "/shared/with blank", value), new(null, "ann@example.org", "/private/comment", Encoding.UTF8.GetBytes("mine"))], 10, Cancel));
            Must(await store.AnnotateAsync(null, [new(null, "ann@example.org", "/private/x", value)], 10, Cancel));
            Must(await store.ShareAsync(drafts, "bob@example.org", MailboxRights.Lookup | MailboxRights.Read, Cancel));
            Must(await store.ShareAsync(drafts, "-carl@example.org", MailboxRights.Expunge, Cancel));
        }

        await _harness.StopAsync(kill: false);
        Assert.Equal("-user=carl@example.org e\nuser=bob@example.org lr\n", File.ReadAllText($"{Ann.MailRoot}/.Drafts/dovecot-acl"));
        Directory.Delete(_directory + "/accounts", recursive: true);
        await _harness.StartAsync();
        await using IMailStore again = await _harness.MustOpenAsync(Ann);
        MailboxInfo info = (await again.FindAsync(Name("Drafts"), Cancel))!;
        Assert.Equal([new("-carl@example.org", MailboxRights.Expunge), new("bob@example.org", MailboxRights.Lookup | MailboxRights.Read)], info.Acl.Entries);
        IReadOnlyList<Annotation> notes = await again.AnnotationsAsync(info.Id, Cancel);
        Assert.Equal(["/private/comment", "/shared/with blank"], notes.Select(note => note.Entry));
        Assert.Equal(value, notes[1].Value!.Value.ToArray());
        Assert.Equal(value, Assert.Single(await again.AnnotationsAsync(null, Cancel)).Value!.Value.ToArray());
        Assert.Equal([Ann.Address], _harness.SharersWith(EmailAddress.Parse("bob@example.org")));
    }

    // RFC 8474 section 5.2: whatever the account knows of the conversation by itself.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_copy_from_another_account_keeps_its_conversation_when_the_catalogue_is_made_anew(bool kill)
    {
        static string Answer(string name, string about) => Text(name).Replace("Date:", $"References: <{about}@example.org>\r\nDate:", StringComparison.Ordinal);
        MailAccount bob = MaildirHarness.Account(_directory, "bob");
        (EmailId, ThreadId)[] ids;
        await using (IMailStore anns = await _harness.MustOpenAsync(Ann))
        await using (IMailStore bobs = await _harness.MustOpenAsync(bob))
        {
            AppendReceipt sent = await anns.MustAppendAsync(_harness, "INBOX", Text("apple"), Answer("pear", "apple"), Answer("plum", "far"));
            await bobs.MustAppendAsync(_harness, "INBOX", Answer("fig", "far"), Answer("nut", "apple"));
            await _harness.Journal.CheckpointAsync(Cancel);
            Must(await _harness.TransferAsync(new(Ann, sent.Mailbox, Uids(2, 3), bob, MailboxName.Inbox, MailboxRights.All, Move: true), Cancel));
            ids = await IdsAsync(bobs, 3, 4);
            Assert.Equal(sent.Messages.Skip(1).Select(message => message.EmailId), ids.Select(id => id.Item1));
            Assert.Equal((await IdsAsync(anns, 1))[0].Item2, ids[0].Item2);
            Assert.Equal(ids[1].Item1.Value, ids[1].Item2.Value); // the first of its conversation at Ann's
            await bobs.MustAppendAsync(_harness, "INBOX", Answer("grape", "pear"));
        }

        for (int i = 0; i < 2; i++)
        {
            await _harness.StopAsync(kill);
            Directory.Delete(_directory + "/accounts", recursive: true);
            await _harness.StartAsync();
            await using IMailStore again = await _harness.MustOpenAsync(bob);
            Assert.Equal(ids, await IdsAsync(again, 3, 4));
            Assert.Equal(ids[0].Item2, (await IdsAsync(again, 5))[0].Item2);
        }

        static async Task<(EmailId, ThreadId)[]> IdsAsync(IMailStore store, params uint[] uids) =>
            [.. (await store.SummariesAsync((await store.FindAsync(MailboxName.Inbox, Cancel))!.Id!.Value, SummaryFields.Ids, Uids(uids))).Select(summary => (summary.EmailId, summary.ThreadId))];
    }

    // The record is done all the same: no checkpoint waits for that file, and the account can be opened.
    [Fact]
    public async Task A_list_of_who_shares_that_cannot_be_written_stops_nothing_and_is_written_later()
    {
        string list = $"{_directory}/accounts/example.org/ann/shared";
        await using IMailStore store = await _harness.MustOpenAsync(Ann);
        MailboxId drafts = (await store.FindAsync(Name("Drafts"), Cancel))!.Id!.Value;
        Directory.CreateDirectory(list + ".new"); // where it is drafted
        Must(await store.ShareAsync(drafts, "bob@example.org", MailboxRights.Lookup | MailboxRights.Read, Cancel));
        await _harness.MustDeliverAsync(Ann, Text("behind it"));
        await _harness.Journal.CheckpointAsync(Cancel);
        Assert.Equal(_harness.Journal.Settled, _harness.Journal.Checkpointed);
        Assert.False(File.Exists(list));
        await store.DisposeAsync();
        await _harness.StopAsync(kill: true);
        await _harness.StartAsync();
        await using IMailStore again = await _harness.MustOpenAsync(Ann);
        Assert.NotEmpty((await again.FindAsync(drafts, Cancel))!.Acl.Entries);
        Directory.Delete(list + ".new");
        await _harness.MustDeliverAsync(Ann, Text("one more"));
        await _harness.Journal.CheckpointAsync(Cancel);
        Assert.Equal("ann@example.org\nbob@example.org\n", File.ReadAllText(list));
        Assert.Equal([Ann.Address], _harness.SharersWith(EmailAddress.Parse("bob@example.org")));
    }

    [Fact]
    public void Dovecots_lists_are_read()
    {
        const string text = "# staff\nowner lrwstipekxa\nuser=bob lrs\n\"user=dora smith@other.example\" lr\n-user=carl@example.org w\nanyone l\ngroup=team lr\nuser=bad lrZ\nnonsense\n";
        MailboxAcl acl = AclFile.Parse(text, EmailAddress.Parse("ann@example.org"));
        Assert.Equal(
            ["$team lr", "-carl@example.org w", "ann@example.org lrswipkxtea", "anyone l", "bob@example.org lrs", "dora smith@other.example lr"],
            acl.Entries.Select(entry => $"{entry.Identifier} {RightsText.Plain(entry.Rights)}"));
        Assert.Equal(acl.Entries, AclFile.Parse(AclFile.Format(acl), EmailAddress.Parse("ann@example.org")).Entries);
        EmailAddress ann = EmailAddress.Parse("ann@example.org");
        Assert.Equal(MailboxRights.All, acl.RightsOf(ann, ann));
        Assert.Equal(MailboxRights.Lookup | MailboxRights.Read | MailboxRights.KeepSeen, acl.RightsOf(EmailAddress.Parse("bob@example.org"), ann));
        Assert.Equal(MailboxRights.Lookup, acl.RightsOf(EmailAddress.Parse("carl@example.org"), ann));
    }
}
