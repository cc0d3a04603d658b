using System.Text;
using Posthorn.Core;
using Posthorn.Store.Sharing;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Contract;

/// <summary>What every store engine must do with annotations, rights, and messages that go from account to account.</summary>
public abstract class SharingContract : StoreContract
{
    private static async ValueTask<MailboxInfo> InfoAsync(IMailStore store, string name) => await store.FindAsync(Name(name), Cancel) ?? throw new InvalidOperationException(name);

    private static async ValueTask<MailboxId> IdAsync(IMailStore store, string name) => (await InfoAsync(store, name)).Id!.Value;

    private static Annotation Note(string entry, string? value, string user = "") => new(null, user, entry, value is null ? (ReadOnlyMemory<byte>?)null : Encoding.UTF8.GetBytes(value));

    private static async ValueTask<string[]> NotesAsync(IMailStore store, MailboxId? mailbox) =>
        [.. (await store.AnnotationsAsync(mailbox, Cancel)).Select(each => $"{each.User}{each.Entry}={Encoding.UTF8.GetString(each.Value!.Value.Span)}")];

    [Fact]
    public async Task Annotations_are_set_replaced_and_removed()
    {
        IMailStore store = await OpenAsync("ann");
        MailboxId drafts = await IdAsync(store, "Drafts");
        Must(await store.AnnotateAsync(drafts, [Note("/shared/comment", "one"), Note("/private/comment", "mine", "ann@example.org"), Note("/private/comment", "his", "bob@example.org")], 10, Cancel));
        Must(await store.AnnotateAsync(null, [Note("/private/vendor/x/y", "account", "ann@example.org")], 10, Cancel));
        Assert.Equal(["ann@example.org/private/comment=mine", "bob@example.org/private/comment=his", "/shared/comment=one"], await NotesAsync(store, drafts));
        Assert.Equal(["ann@example.org/private/vendor/x/y=account"], await NotesAsync(store, null));
        ModSeq raised = Must(await store.AnnotateAsync(drafts, [Note("/shared/comment", "two"), Note("/private/comment", null, "bob@example.org"), Note("/shared/empty", "")], 10, Cancel));
        Assert.Equal(raised, (await store.ListAsync(Cancel)).Single(info => info.Id == drafts).HighestModSeq); // RFC 7162 section 3.2
        Assert.Equal(["ann@example.org/private/comment=mine", "/shared/comment=two", "/shared/empty="], await NotesAsync(store, drafts));
        Refused(RefusalKind.NoSuchMailbox, await store.AnnotateAsync(new("none"), [Note("/shared/comment", "x")], 10, Cancel));
    }

    [Fact]
    public async Task Only_so_many_annotations_are_taken_and_then_none_of_the_command()
    {
        IMailStore store = await OpenAsync("ann");
        MailboxId drafts = await IdAsync(store, "Drafts");
        Must(await store.AnnotateAsync(drafts, [Note("/shared/a", "1"), Note("/shared/b", "2")], 2, Cancel));
        Refused(RefusalKind.Limit, await store.AnnotateAsync(drafts, [Note("/shared/a", "9"), Note("/shared/c", "3")], 2, Cancel));
        Must(await store.AnnotateAsync(drafts, [Note("/shared/a", null), Note("/shared/c", "3")], 2, Cancel));
        Assert.Equal(["/shared/b=2", "/shared/c=3"], await NotesAsync(store, drafts));
    }

    [Fact]
    public async Task What_changed_since_is_told_with_what_was_removed()
    {
        IMailStore store = await OpenAsync("ann");
        MailboxId drafts = await IdAsync(store, "Drafts");
        ModSeq first = Must(await store.AnnotateAsync(drafts, [Note("/shared/a", "1"), Note("/shared/b", "2")], 10, Cancel));
        Assert.Equal(first, store.HighestModSeq);
        long seen = store.ChangeNumber;
        ModSeq second = Must(await store.AnnotateAsync(drafts, [Note("/shared/a", null)], 10, Cancel));
        Assert.True(second > first);
        Assert.True(store.ChangeNumber > seen);
        Annotation only = Assert.Single(await store.AnnotationsSinceAsync(first, Cancel));
        Assert.Equal((drafts, "/shared/a", (ReadOnlyMemory<byte>?)null, second), (only.Mailbox!.Value, only.Entry, only.Value, only.Changed));
        Assert.Empty(await store.AnnotationsSinceAsync(second, Cancel));
        for (int i = 0; i < 150; i++)
        {
            Must(await store.AnnotateAsync(drafts, [Note($"/shared/n{i}", "x")], 10, Cancel));
            Must(await store.AnnotateAsync(drafts, [Note($"/shared/n{i}", null)], 10, Cancel));
        }

        Assert.Equal(["/shared/b=2"], await NotesAsync(store, drafts));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Annotations_and_rights_outlive_the_server(bool kill)
    {
        IMailStore store = await OpenAsync("ann");
        MailboxId drafts = await IdAsync(store, "Drafts");
        byte[] binary = [0, 1, 255, 13, 10];
        Must(await store.AnnotateAsync(drafts, [new(null, "", "/shared/vendor/x/bin", binary)], 10, Cancel));
        Must(await store.AnnotateAsync(null, [Note("/private/comment", "account", "ann@example.org")], 10, Cancel));
        Must(await store.ShareAsync(drafts, "bob@example.org", MailboxRights.Lookup | MailboxRights.Read, Cancel));
        store = await RestartAsync("ann", kill);
        Assert.Equal(binary, (await store.AnnotationsAsync(drafts, Cancel))[0].Value!.Value.ToArray());
        Assert.Equal(["ann@example.org/private/comment=account"], await NotesAsync(store, null));
        Assert.Equal([new AclEntry("bob@example.org", MailboxRights.Lookup | MailboxRights.Read)], (await store.FindAsync(drafts, Cancel))!.Acl.Entries);
        Assert.Equal([Account("ann").Address], Stores.SharersWith(Account("bob").Address));
    }

    [Fact]
    public async Task Annotations_follow_a_mailbox_and_go_with_it()
    {
        IMailStore store = await OpenAsync("ann");
        MailboxId drafts = await IdAsync(store, "Drafts");
        Must(await store.AnnotateAsync(drafts, [Note("/shared/comment", "one")], 10, Cancel));
        Must(await store.RenameAsync(Name("Drafts"), Name("Papers"), Cancel));
        Assert.Equal(["/shared/comment=one"], await NotesAsync(store, await IdAsync(store, "Papers")));
        Must(await store.DeleteAsync(Name("Papers"), Cancel));
        Must(await store.CreateAsync(Name("Papers"), SpecialUse.None, Cancel));
        Assert.Empty(await NotesAsync(store, await IdAsync(store, "Papers")));
        Must(await store.AnnotateAsync(await IdAsync(store, "INBOX"), [Note("/shared/comment", "inbox")], 10, Cancel));
        Must(await store.RenameAsync(Name("INBOX"), Name("Old"), Cancel));
        Assert.Equal(["/shared/comment=inbox"], await NotesAsync(store, await IdAsync(store, "Old")));
        Assert.Equal(["/shared/comment=inbox"], await NotesAsync(store, await IdAsync(store, "INBOX")));
    }

    [Fact]
    public async Task Rights_are_given_inherited_and_taken()
    {
        IMailStore store = await OpenAsync("ann");
        EmailAddress bob = Account("bob").Address, carl = Account("carl").Address;
        Assert.Empty(Stores.SharersWith(bob));
        Must(await store.CreateAsync(Name("Team"), SpecialUse.None, Cancel));
        MailboxId team = await IdAsync(store, "Team");
        long seen = Stores.SharingNumber;
        ValueTask heard = Stores.WaitForSharingAsync(seen, Cancel);
        Must(await store.ShareAsync(team, "bob@example.org", MailboxRights.Lookup, Cancel));
        await heard.AsTask().WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        Assert.True(Stores.SharingNumber > seen);
        Must(await store.CreateAsync(Name("Team.Plans"), SpecialUse.None, Cancel));
        Must(await store.CreateAsync(Name("Team.Plans.Old"), SpecialUse.None, Cancel));
        Assert.Equal(MailboxRights.Lookup, (await InfoAsync(store, "Team.Plans.Old")).Acl.RightsOf(bob, store.Account.Address));
        Assert.Equal([store.Account.Address], Stores.SharersWith(bob));
        Assert.Empty(Stores.SharersWith(carl));
        Assert.Empty(Stores.SharersWith(store.Account.Address));
        Must(await store.ShareAsync(team, "bob@example.org", null, Cancel));
        Must(await store.DeleteAsync(Name("Team.Plans.Old"), Cancel));
        Must(await store.ShareAsync(await IdAsync(store, "Team.Plans"), "bob@example.org", MailboxRights.None, Cancel));
        Assert.Empty(Stores.SharersWith(bob));
        Must(await store.ShareAsync(team, "bob@example.org", MailboxRights.Insert, Cancel)); // each right lets do something without the others
        Assert.Equal([store.Account.Address], Stores.SharersWith(bob));
        Must(await store.ShareAsync(team, MailboxAcl.Anyone, MailboxRights.Lookup | MailboxRights.Read, Cancel));
        Assert.Equal([store.Account.Address], Stores.SharersWith(carl));
        Refused(RefusalKind.NoSuchMailbox, await store.ShareAsync(new("none"), "bob@example.org", MailboxRights.All, Cancel));
    }

    [Fact]
    public async Task Messages_go_from_one_account_to_another_in_one_step()
    {
        IMailStore ann = await OpenAsync("ann"), bob = await OpenAsync("bob");
        AppendReceipt sent = await ann.MustAppendAsync(Stores, "Drafts", Text("one"), Text("two"), Text("three"));
        Must(await ann.ChangeFlagsAsync(sent.Mailbox, Uids(1, 2), new(FlagOperation.Add, SystemFlags.Seen | SystemFlags.Deleted | SystemFlags.Flagged, Keywords("work")), null, Cancel));
        Transfer copy = new(ann.Account, sent.Mailbox, Uids(2, 1, 9, 1), bob.Account, Name("Archive"), MailboxRights.All & ~MailboxRights.DeleteMessages, Move: false);
        Placement placed = Must(await Stores.TransferAsync(copy, Cancel));
        Assert.Equal(Uids(2, 1), placed.Sources);
        Assert.Equal(Uids(1, 2), placed.Targets);
        IMailbox archive = await SelectAsync(bob, "Archive");
        Assert.Equal((SystemFlags.Seen | SystemFlags.Flagged, Keywords("work")), (archive.Current[0].Flags, archive.Current[0].Keywords));
        Assert.Equal(Text("two"), await bob.ContentAsync(placed.Target, new(1)));
        Assert.Equal(3, Must(await ann.StatusAsync(Name("Drafts"), Cancel)).Messages);

        placed = Must(await Stores.TransferAsync(copy with { Uids = Uids(1, 3), Move = true, Rights = MailboxRights.KeepSeen }, Cancel));
        Assert.Equal(Uids(3, 4), placed.Targets);
        Assert.Equal((SystemFlags.Seen, KeywordSet.Empty), (archive.Current[2].Flags, archive.Current[2].Keywords));
        Assert.Equal(1, Must(await ann.StatusAsync(Name("Drafts"), Cancel)).Messages);
        Assert.Equal(Uids(1, 3), await ann.ExpungedUidsAsync(sent.Mailbox, new(0)));
        bob = await RestartAsync("bob", kill: true);
        Assert.Equal(4, Must(await bob.StatusAsync(Name("Archive"), Cancel)).Messages);
        Assert.Equal(Text("three"), await bob.ContentAsync(await IdAsync(bob, "Archive"), new(4)));
        Assert.Equal(1, Must(await (await OpenAsync("ann")).StatusAsync(Name("Drafts"), Cancel)).Messages);
    }

    // RFC 8474 section 5.2: what has the same EMAILID has the same THREADID, whatever the account that takes it knows of the conversation.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_goes_to_another_account_keeps_its_ids(bool kill)
    {
        static string Answer(string name, string about) => Text(name).Replace("Date:", $"References: <{about}@example.org>\r\nDate:", StringComparison.Ordinal);
        IMailStore ann = await OpenAsync("ann"), bob = await OpenAsync("bob");
        AppendReceipt sent = await ann.MustAppendAsync(Stores, "Drafts", Text("apple"), Answer("pear", "apple"), Answer("plum", "far"));
        await bob.MustAppendAsync(Stores, "Archive", Answer("fig", "far"), Answer("nut", "apple"));
        Placement placed = Must(await Stores.TransferAsync(new(ann.Account, sent.Mailbox, Uids(2, 3), bob.Account, Name("Archive"), MailboxRights.All, Move: false), Cancel));
        await bob.MustAppendAsync(Stores, "Archive", Answer("grape", "pear"));
        Placement back = Must(await Stores.TransferAsync(new(bob.Account, placed.Target, placed.Targets, ann.Account, Name("Archive"), MailboxRights.All, Move: true), Cancel));
        Placement again = Must(await Stores.TransferAsync(new(ann.Account, back.Target, back.Targets, bob.Account, Name("Archive"), MailboxRights.All, Move: false), Cancel));
        (EmailId, ThreadId)[] ids = await IdsAsync(ann, sent.Mailbox, Uids(2, 3));
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(ids, await IdsAsync(ann, back.Target, back.Targets));
            Assert.Equal(ids, await IdsAsync(bob, again.Target, again.Targets));
            Assert.Equal(ids[0].Item2, (await IdsAsync(bob, again.Target, Uids(5)))[0].Item2); // the answer to it joined it
            (ann, bob) = (await RestartAsync("ann", kill), await OpenAsync("bob"));
        }

        static async Task<(EmailId, ThreadId)[]> IdsAsync(IMailStore store, MailboxId mailbox, IReadOnlyList<Uid> uids) =>
            [.. (await store.SummariesAsync(mailbox, SummaryFields.Ids, [.. uids])).Select(summary => (summary.EmailId, summary.ThreadId))];
    }

    [Fact]
    public async Task A_transfer_needs_room_and_a_target()
    {
        IMailStore ann = await OpenAsync("ann");
        AppendReceipt sent = await ann.MustAppendAsync(Stores, "Drafts", Text("one"));
        Keep(await Stores.MustOpenAsync(Account("bob") with { QuotaBytes = 10 }));
        Transfer move = new(ann.Account, sent.Mailbox, Uids(1), Account("bob") with { QuotaBytes = 10 }, Name("Archive"), MailboxRights.All, Move: true);
        Refused(RefusalKind.OverQuota, await Stores.TransferAsync(move, Cancel));
        Refused(RefusalKind.NoSuchMailbox, await Stores.TransferAsync(move with { Target = Name("None") }, Cancel));
        Assert.Equal(1, Must(await ann.StatusAsync(Name("Drafts"), Cancel)).Messages);
        Transfer within = new(ann.Account, sent.Mailbox, Uids(1), ann.Account, Name("Archive"), MailboxRights.None, Move: true);
        Assert.Equal(Uids(1), Must(await Stores.TransferAsync(within, Cancel)).Targets);
        Assert.Equal(0, Must(await ann.StatusAsync(Name("Drafts"), Cancel)).Messages);
        Assert.Equal(1, Must(await ann.StatusAsync(Name("Archive"), Cancel)).Messages);
    }

    private async ValueTask<NewMessage> NewAsync(string text) => new(await Stores.SinkAsync(text), SystemFlags.Flagged, Keywords("work"), new DateTimeOffset(2024, 1, 2, 3, 4, 5, TimeSpan.Zero));

    private async ValueTask<Result<AppendReceipt>> ReplaceAsync(Replacement replacement)
    {
        Result<AppendReceipt> receipt = await Stores.ReplaceAsync(replacement, Cancel);
        await replacement.Message.Content.DisposeAsync();
        return receipt;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_message_takes_the_place_of_another_in_one_step(bool kill)
    {
        IMailStore ann = await OpenAsync("ann"), bob = await OpenAsync("bob");
        AppendReceipt drafts = await ann.MustAppendAsync(Stores, "Drafts", Text("one"), Text("two"), Text("three"));
        IMailbox box = await SelectAsync(ann, "Drafts");
        Replacement within = new(ann.Account, drafts.Mailbox, new(1), ann.Account, Name("Drafts"), await NewAsync(Text("four")));
        AppendReceipt placed = Must(await ReplaceAsync(within));
        Assert.Equal((drafts.Mailbox, new Uid(4)), (placed.Mailbox, placed.Messages[0].Uid));
        Assert.Equal(Uids(2, 3, 4), box.Current.Rows().Select(row => row.Uid));
        Assert.Equal((SystemFlags.Flagged, Keywords("work")), (box.Current[2].Flags, box.Current[2].Keywords));
        Assert.Equal(SystemFlags.None, box.Current[0].Flags);
        Assert.Equal(1u, Must(await ReplaceAsync(within with { Old = new(2), Target = Name("Archive"), Message = await NewAsync(Text("five")) })).Messages[0].Uid.Value);
        Assert.Equal(1u, Must(await ReplaceAsync(within with { Old = new(3), Into = bob.Account, Target = Name("Archive"), Message = await NewAsync(Text("six")) })).Messages[0].Uid.Value);
        Assert.Equal(Uids(1, 2, 3), await ann.ExpungedUidsAsync(drafts.Mailbox, new(0)));

        // What is gone cannot be replaced, and nothing comes in its place.
        Refused(RefusalKind.Expunged, await ReplaceAsync(within with { Message = await NewAsync(Text("seven")) }));
        Refused(RefusalKind.NoSuchMailbox, await ReplaceAsync(within with { Old = new(4), Target = Name("None"), Message = await NewAsync(Text("seven")) }));
        bob = await RestartAsync("bob", kill);
        Assert.Equal(Text("six"), await bob.ContentAsync(await IdAsync(bob, "Archive"), new(1)));
        ann = await OpenAsync("ann");
        Assert.Equal(Text("five"), await ann.ContentAsync(await IdAsync(ann, "Archive"), new(1)));
        Assert.Equal(Text("four"), await ann.ContentAsync(drafts.Mailbox, new(4)));
        Assert.Equal(1, Must(await ann.StatusAsync(Name("Drafts"), Cancel)).Messages);
        Assert.Equal(1, Must(await ann.StatusAsync(Name("Archive"), Cancel)).Messages);
    }

    [Fact]
    public async Task A_replacement_needs_room_for_what_it_has_more()
    {
        MailAccount limited = Account("ann") with { QuotaBytes = Text("one").Length + 50, QuotaMessages = 1 };
        IMailStore ann = Keep(await Stores.MustOpenAsync(limited));
        AppendReceipt drafts = await ann.MustAppendAsync(Stores, "Drafts", Text("one"));
        Replacement replacement = new(limited, drafts.Mailbox, new(1), limited, Name("Drafts"), await NewAsync(Text("four")));
        Must(await ReplaceAsync(replacement));
        Refused(RefusalKind.OverQuota, await ReplaceAsync(replacement with { Old = new(2), Message = await NewAsync(Text("four") + new string('x', 100)) }));
        Assert.Equal(Text("four"), await ann.ContentAsync(drafts.Mailbox, new(2)));
        MailAccount other = Account("bob") with { QuotaMessages = 0 };
        Keep(await Stores.MustOpenAsync(other));
        Refused(RefusalKind.OverQuota, await ReplaceAsync(replacement with { Old = new(2), Into = other, Message = await NewAsync(Text("four")) }));
        Assert.Equal(1, Must(await ann.StatusAsync(Name("Drafts"), Cancel)).Messages);
    }
}
