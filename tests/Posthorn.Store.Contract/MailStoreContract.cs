using Posthorn.Core;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Contract;

/// <summary>What every store engine must do with mail. Engines' tests derive from it.</summary>
public abstract class MailStoreContract : StoreContract
{
    private static async ValueTask<string[]> NamesAsync(IMailStore store) => [.. (await store.ListAsync(Cancel)).Where(info => info.Id is not null).Select(info => info.Name.Value)];

    [Fact]
    public async Task A_new_account_has_an_inbox_and_special_mailboxes_subscribed()
    {
        IMailStore store = await OpenAsync("ann");
        IReadOnlyList<MailboxInfo> list = await store.ListAsync(Cancel);
        Assert.Equal(["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"], list.Select(info => info.Name.Value));
        Assert.All(list, info => Assert.True(info.IsSubscribed));
        Assert.Equal(SpecialUse.Sent, list.Single(info => info.Name.Value == "Sent").Use);
        Assert.Equal(list.Count, list.Select(info => info.Id).Distinct().Count());
    }

    [Fact]
    public async Task Append_gives_growing_uids_and_keeps_bytes_flags_and_dates()
    {
        IMailStore store = await OpenAsync("ann");
        await using IMessageSink one = await Stores.SinkAsync(Text("one"));
        DateTimeOffset date = new(2020, 2, 29, 23, 59, 58, TimeSpan.FromMinutes(-210));
        AppendReceipt first = Must(await store.AppendAsync(Name("Drafts"), [new(one, SystemFlags.Seen | SystemFlags.Draft, Keywords("$Label1", "work"), date)], Cancel));
        AppendReceipt second = await store.MustAppendAsync(Stores, "Drafts", Text("two"), Text("three"));
        Assert.Equal(Uids(1), first.Messages.Select(message => message.Uid));
        Assert.Equal(Uids(2, 3), second.Messages.Select(message => message.Uid));

        IMailbox box = await SelectAsync(store, "Drafts");
        Assert.Equal(3, box.Current.Count);
        Assert.Equal(new Uid(4), box.Current.UidNext);
        Assert.Equal(first.Validity, box.Current.Validity);
        MessageRow row = box.Current[0];
        Assert.Equal(SystemFlags.Seen | SystemFlags.Draft, row.Flags);
        Assert.Equal(Keywords("$label1", "WORK"), row.Keywords);
        Assert.Equal(date, row.InternalDate);
        Assert.Equal(date.Offset, row.InternalDate.Offset);
        Assert.Equal(Text("one").Length, row.Size);
        Assert.Equal(Text("one"), await store.ContentAsync(first.Mailbox, new(1)));
        Assert.Equal(Text("three"), await store.ContentAsync(first.Mailbox, new(3)));
        Assert.Equal(Keywords("$Label1", "work"), box.Current.Keywords);
        Assert.True(box.Current[1].ModSeq > row.ModSeq);
        Assert.True(box.Current[2].ModSeq >= box.Current[1].ModSeq);
        Assert.Equal(box.Current[2].ModSeq, box.Current.HighestModSeq);
    }

    [Fact]
    public async Task Append_to_a_mailbox_that_does_not_exist_is_refused()
    {
        IMailStore store = await OpenAsync("ann");
        await using IMessageSink sink = await Stores.SinkAsync(Text("one"));
        Refused(RefusalKind.NoSuchMailbox, await store.AppendAsync(Name("Nowhere"), [new(sink, SystemFlags.None, KeywordSet.Empty, Time.GetUtcNow())], Cancel));
    }

    [Fact]
    public async Task Appends_that_overlap_keep_their_order()
    {
        IMailStore store = await OpenAsync("ann");
        List<Task<AppendReceipt>> pending = [];
        for (int i = 0; i < 40; i++) pending.Add(store.MustAppendAsync(Stores, "INBOX", Text($"number {i}")).AsTask());
        AppendReceipt[] receipts = await Task.WhenAll(pending);
        Assert.Equal(Enumerable.Range(1, 40).Select(i => (uint)i), receipts.Select(receipt => receipt.Messages[0].Uid.Value));
        for (int i = 0; i < 40; i++) Assert.Equal(Text($"number {i}"), await store.ContentAsync(receipts[i].Mailbox, receipts[i].Messages[0].Uid));
    }

    [Fact]
    public async Task Large_messages_come_back_whole()
    {
        IMailStore store = await OpenAsync("ann");
        string text = Text("large") + string.Concat(Enumerable.Range(0, 60_000).Select(i => $"line {i} of a large message\r\n"));
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", text);
        Assert.Equal(text, await store.ContentAsync(receipt.Mailbox, receipt.Messages[0].Uid));
    }

    [Fact]
    public async Task One_delivery_reaches_several_accounts_each_with_its_own_header()
    {
        MailAccount ann = Account("ann"), bob = Account("bob");
        await using IMessageSink sink = await Stores.SinkAsync(Text("hello"));
        DeliveryReceipt receipt = await Stores.DeliverAsync(sink,
            [
                new(ann, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, "Delivered-To: ann@example.org\r\n"u8.ToArray()),
                new(ann, Name("Junk"), SystemFlags.Seen, Keywords("$Junk"), "Delivered-To: ann@example.org\r\n"u8.ToArray()),
                new(bob, Name("Nowhere"), SystemFlags.None, KeywordSet.Empty, "Delivered-To: bob@example.org\r\n"u8.ToArray()),
                new(bob, Name("New.Place"), SystemFlags.None, KeywordSet.Empty, default) { Create = true },
            ], null, Cancel);
        StoredMessage[] stored = [.. receipt.Outcomes.Select(Must)];
        Assert.True(receipt.RecordNumber > 0);
        Assert.Equal(stored[0].EmailId, stored[1].EmailId);
        Assert.NotEqual(stored[0].EmailId, stored[2].EmailId);

        IMailStore anns = await OpenAsync("ann"), bobs = await OpenAsync("bob");
        Assert.Equal("Delivered-To: ann@example.org\r\n" + Text("hello"), await anns.ContentAsync(stored[0].Mailbox, stored[0].Uid));
        Assert.Equal("Delivered-To: ann@example.org\r\n" + Text("hello"), await anns.ContentAsync(stored[1].Mailbox, stored[1].Uid));
        Assert.Equal("Delivered-To: bob@example.org\r\n" + Text("hello"), await bobs.ContentAsync(stored[2].Mailbox, stored[2].Uid));
        Assert.Equal(Text("hello"), await bobs.ContentAsync(stored[3].Mailbox, stored[3].Uid));
        Assert.Equal(stored[2].Mailbox, (await SelectAsync(bobs, "INBOX")).Info.Id); // INBOX in place of what is not there
        Assert.Contains("New.Place", await NamesAsync(bobs));
        MessageRow junk = (await SelectAsync(anns, "Junk")).Current[0];
        Assert.Equal((SystemFlags.Seen, Keywords("$Junk")), (junk.Flags, junk.Keywords));
        Assert.Equal(Time.GetUtcNow().ToUnixTimeSeconds(), junk.Internal);
    }

    [Fact]
    public async Task A_delivery_may_be_a_part_of_the_content_behind_a_header_of_its_own()
    {
        MailAccount ann = Account("ann");
        await using IMessageSink sink = await Stores.SinkAsync("Subject: old\r\n\r\nbody\r\nSubject: other\r\n\r\nreply\r\n");
        DeliveryReceipt receipt = await Stores.DeliverAsync(sink,
            [
                new(ann, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, "X: 1\r\n"u8.ToArray()) { Range = new(0, 22) },
                new(ann, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, "Subject: new\r\n\r\n"u8.ToArray()) { Range = new(16, 6) },
                new(ann, Name("Archive"), SystemFlags.None, KeywordSet.Empty, default) { Range = new(22, 25) },
                new(ann, Name("Archive"), SystemFlags.None, KeywordSet.Empty, "X: 1\r\n"u8.ToArray()) { Range = new(0, 22) },
            ], null, Cancel);
        StoredMessage[] stored = [.. receipt.Outcomes.Select(Must)];
        IMailStore store = await OpenAsync("ann");
        Assert.Equal("X: 1\r\nSubject: old\r\n\r\nbody\r\n", await store.ContentAsync(stored[0].Mailbox, stored[0].Uid));
        Assert.Equal("Subject: new\r\n\r\nbody\r\n", await store.ContentAsync(stored[1].Mailbox, stored[1].Uid));
        Assert.Equal("Subject: other\r\n\r\nreply\r\n", await store.ContentAsync(stored[2].Mailbox, stored[2].Uid));
        Assert.Equal(stored[0].EmailId, stored[3].EmailId);
        Assert.Equal(3, stored.Select(one => one.EmailId).Distinct().Count());
        Assert.Equal([28L, 22L], (await SelectAsync(store, "INBOX")).Current.Chunks.SelectMany(chunk => chunk.ToArray()).Select(row => row.Size));
    }

    [Fact]
    public async Task What_a_filter_remembers_comes_with_the_delivery_and_ends_in_time()
    {
        MailAccount ann = Account("ann");
        byte[] id = [1, 2, 3], other = [9];
        await using IMessageSink sink = await Stores.SinkAsync(Text("hello"));
        DeliveryReceipt receipt = await Stores.DeliverAsync(sink, new DeliveryOrder { Notes = [new(ann, id, Time.GetUtcNow().AddDays(7))] }, Cancel);
        Assert.True(receipt.RecordNumber > 0);
        IMailStore store = await OpenAsync("ann");
        Assert.True(await store.RemembersAsync(id, Cancel));
        Assert.False(await store.RemembersAsync(other, Cancel));
        Assert.False(await (await OpenAsync("bob")).RemembersAsync(id, Cancel));
        await Stores.DeliverAsync(sink, new DeliveryOrder { Notes = [new(ann, id, Time.GetUtcNow().AddDays(1))] }, Cancel); // the later end stays
        Time.Advance(TimeSpan.FromDays(2));
        Assert.True(await store.RemembersAsync(id, Cancel));
        Time.Advance(TimeSpan.FromDays(6));
        Assert.False(await store.RemembersAsync(id, Cancel));
    }

    [Fact]
    public async Task What_was_not_delivered_is_not_remembered_as_seen()
    {
        MailAccount full = Account("ann") with { QuotaBytes = 10 };
        await using IMessageSink sink = await Stores.SinkAsync(Text("hello"));
        DateTimeOffset until = Time.GetUtcNow().AddDays(7);
        DeliveryReceipt receipt = await Stores.DeliverAsync(sink, new DeliveryOrder
        {
            Deliveries = [new(full, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, default)],
            Notes = [new(full, new byte[] { 1 }, until) { OnlyIfDelivered = true }, new(full, new byte[] { 2 }, until)],
        }, Cancel);
        Assert.False(receipt.Outcomes[0].IsOk);
        IMailStore store = await OpenAsync("ann");
        Assert.False(await store.RemembersAsync(new byte[] { 1 }, Cancel));
        Assert.True(await store.RemembersAsync(new byte[] { 2 }, Cancel));
    }

    [Fact]
    public async Task A_delivery_carries_its_attachment()
    {
        await using IMessageSink sink = await Stores.SinkAsync(Text("hello"));
        List<long> applied = [];
        DeliveryAttachment attachment = new(9, 3, new byte[] { 1, 2 }, (record, _) =>
        {
            applied.Add(record);
            return ValueTask.CompletedTask;
        });
        DeliveryReceipt both = await Stores.DeliverAsync(sink, [new(Account("ann"), Name("INBOX"), SystemFlags.None, KeywordSet.Empty, default)], attachment, Cancel);
        DeliveryReceipt alone = await Stores.DeliverAsync(sink, [], attachment, Cancel);
        Assert.Equal([both.RecordNumber, alone.RecordNumber], applied);
        Assert.True(alone.RecordNumber > both.RecordNumber);
        Assert.Equal(1, (await SelectAsync(await OpenAsync("ann"), "INBOX")).Current.Count);
    }

    [Fact]
    public async Task Copy_keeps_flags_dates_and_the_email_id()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("two"), Text("three"));
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(2, 3), new(FlagOperation.Add, SystemFlags.Flagged, Keywords("x")), null, Cancel));
        Placement placed = Must(await store.CopyAsync(receipt.Mailbox, Uids(1, 3, 9), Name("Archive"), Cancel));
        Assert.Equal(Uids(1, 3), placed.Sources);
        Assert.Equal(Uids(1, 2), placed.Targets);
        IMailbox archive = await SelectAsync(store, "Archive"), inbox = await SelectAsync(store, "INBOX");
        Assert.Equal(placed.Target, archive.Info.Id);
        Assert.Equal(placed.TargetValidity, archive.Current.Validity);
        Assert.Equal(2, archive.Current.Count);
        Assert.Equal(3, inbox.Current.Count);
        MessageRow copy = archive.Current[1], original = inbox.Current[2];
        Assert.Equal((original.Flags, original.Keywords, original.InternalDate, original.Size), (copy.Flags, copy.Keywords, copy.InternalDate, copy.Size));
        Assert.Equal(Text("three"), await store.ContentAsync(placed.Target, new(2)));
        MessageSummary from = (await store.SummariesAsync(receipt.Mailbox, SummaryFields.Ids, new Uid(3)))[0], target = (await store.SummariesAsync(placed.Target, SummaryFields.Ids, new Uid(2)))[0];
        Assert.Equal((from.EmailId, from.ThreadId), (target.EmailId, target.ThreadId));
        Assert.Equal(receipt.Messages[2].EmailId, from.EmailId);
        Refused(RefusalKind.NoSuchMailbox, await store.CopyAsync(receipt.Mailbox, Uids(1), Name("Nowhere"), Cancel));
    }

    [Fact]
    public async Task A_copy_into_the_same_mailbox_is_another_message()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"));
        Placement placed = Must(await store.CopyAsync(receipt.Mailbox, Uids(1), Name("INBOX"), Cancel));
        Assert.Equal(Uids(2), placed.Targets);
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await store.ExpungeAsync(receipt.Mailbox, null, Cancel));
        Assert.Equal(Text("one"), await store.ContentAsync(receipt.Mailbox, new(2)));
    }

    [Fact]
    public async Task Move_takes_messages_away_and_leaves_tombstones()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("two"), Text("three"));
        IMailbox inbox = await SelectAsync(store, "INBOX");
        ModSeq before = inbox.Current.HighestModSeq;
        Placement placed = Must(await store.MoveAsync(receipt.Mailbox, Uids(3, 1, 7), Name("Trash"), Cancel));
        Assert.Equal(Uids(3, 1), placed.Sources);
        Assert.Equal(Uids(1, 2), placed.Targets);
        Assert.Equal(Uids(2), inbox.Current.Rows().Select(row => row.Uid));
        Assert.Equal(Text("three"), await store.ContentAsync(placed.Target, new(1)));
        Assert.Equal(Text("one"), await store.ContentAsync(placed.Target, new(2)));
        Assert.Equal(Uids(1, 3), await store.ExpungedUidsAsync(receipt.Mailbox, before));
        Assert.Empty(await store.ExpungedUidsAsync(receipt.Mailbox, inbox.Current.HighestModSeq));
        Assert.True(inbox.Current.HighestModSeq > before);
        Placement back = Must(await store.MoveAsync(placed.Target, Uids(1, 2), Name("INBOX"), Cancel));
        Assert.Equal(Uids(4, 5), back.Targets);
        Placement same = Must(await store.MoveAsync(receipt.Mailbox, Uids(4), Name("INBOX"), Cancel));
        Assert.Equal(Uids(6), same.Targets);
        Assert.Equal(Uids(2, 5, 6), inbox.Current.Rows().Select(row => row.Uid));
        Assert.Equal(Text("three"), await store.ContentAsync(receipt.Mailbox, new(6)));
    }

    [Fact]
    public async Task Flags_change_as_asked_and_only_then_does_the_modseq()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("two"));
        IMailbox box = await SelectAsync(store, "INBOX");
        FlagOutcome added = Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1, 2, 5), new(FlagOperation.Add, SystemFlags.Seen, Keywords("a")), null, Cancel));
        Assert.Equal(Uids(1, 2), added.Changed);
        MailboxVersion once = box.Current;
        Assert.All(once.Rows(), row => Assert.Equal((SystemFlags.Seen, Keywords("a")), (row.Flags, row.Keywords)));

        FlagOutcome again = Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        Assert.Equal(Uids(1), again.Changed);
        Assert.Equal(once.HighestModSeq, box.Current.HighestModSeq);

        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(FlagOperation.Replace, SystemFlags.Flagged, Keywords("b")), null, Cancel));
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(2), new(FlagOperation.Remove, SystemFlags.Seen, Keywords("A")), null, Cancel));
        Assert.Equal((SystemFlags.Flagged, Keywords("b")), (box.Current[0].Flags, box.Current[0].Keywords));
        Assert.Equal((SystemFlags.None, KeywordSet.Empty), (box.Current[1].Flags, box.Current[1].Keywords));
        Assert.Equal(Keywords("a", "b"), box.Current.Keywords);
        Assert.True(box.Current[1].ModSeq > box.Current[0].ModSeq);

        FlagOutcome conditional = Must(await store.ChangeFlagsAsync(
            receipt.Mailbox, Uids(1, 2), new(FlagOperation.Add, SystemFlags.Answered, KeywordSet.Empty), new(box.Current[0].ModSeq), Cancel));
        Assert.Equal(Uids(1), conditional.Changed);
        Assert.Equal(Uids(2), conditional.Modified);
        Assert.Equal(SystemFlags.None, box.Current[1].Flags);
    }

    [Fact]
    public async Task A_condition_looks_at_the_flags_concerned_as_the_client_knew_them()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"));
        IMailbox box = await SelectAsync(store, "INBOX");
        MailboxVersion known = box.Current;
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Answered, Keywords("a")), null, Cancel));

        foreach ((FlagOperation operation, SystemFlags flags, KeywordSet keywords, MailboxVersion? view, ModSeq mark) in new[]
        {
            (FlagOperation.Add, SystemFlags.Answered, KeywordSet.Empty, known, known.HighestModSeq),
            (FlagOperation.Remove, SystemFlags.None, Keywords("A"), known, known.HighestModSeq),
            (FlagOperation.Replace, SystemFlags.Seen, KeywordSet.Empty, known, known.HighestModSeq),
            (FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty, null, known.HighestModSeq),
            (FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty, known, new(0)),
            (FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty, box.Current, known.HighestModSeq),
        })
        {
            FlagOutcome refused = Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(operation, flags, keywords), new(mark, view), Cancel));
            Assert.Equal(Uids(1), refused.Modified);
        }

        Assert.Equal((SystemFlags.Answered, Keywords("a")), (box.Current[0].Flags, box.Current[0].Keywords));
        FlagOutcome admitted = Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Seen, Keywords("b")), new(known.HighestModSeq, known), Cancel));
        Assert.Equal(Uids(1), admitted.Changed);
        Assert.Empty(admitted.Modified);
        Assert.Equal((SystemFlags.Answered | SystemFlags.Seen, Keywords("a", "b")), (box.Current[0].Flags, box.Current[0].Keywords));
    }

    [Fact]
    public async Task Long_work_reports_as_many_messages_as_it_was_given()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", [.. Enumerable.Range(1, 30).Select(i => Text($"message {i}"))]);
        Uid[] uids = [.. receipt.Messages.Select(message => message.Uid), new(999)];
        Counter counter = new();
        await store.FindTextAsync(receipt.Mailbox, uids, new(TextScope.Body, "", "message"), Cancel, counter);
        Assert.Equal(31, counter.Total);
        Must(await store.CopyAsync(receipt.Mailbox, uids, Name("Archive"), Cancel, counter));
        Assert.Equal(62, counter.Total);
        Must(await store.MoveAsync(receipt.Mailbox, uids, Name("Archive"), Cancel, counter));
        Assert.Equal(93, counter.Total);
    }

    private sealed class Counter : IProgress<int>
    {
        public int Total { get; private set; }

        public void Report(int value) => Total += value;
    }

    [Fact]
    public async Task Expunge_removes_only_what_is_marked_and_asked_for()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("two"), Text("three"), Text("four"));
        IMailbox box = await SelectAsync(store, "INBOX");
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1, 2, 4), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        ModSeq before = box.Current.HighestModSeq;
        Assert.Equal(Uids(2), Must(await store.ExpungeAsync(receipt.Mailbox, Uids(2, 3), Cancel)));
        Assert.Equal(Text("two"), await store.ContentAsync(receipt.Mailbox, new(2))); // still open somewhere
        Assert.Equal(Uids(1, 4), Must(await store.ExpungeAsync(receipt.Mailbox, null, Cancel)));
        Assert.Equal(Uids(3), box.Current.Rows().Select(row => row.Uid));
        Assert.Equal(Uids(1, 2, 4), await store.ExpungedUidsAsync(receipt.Mailbox, before));
        Assert.Equal(new Uid(5), box.Current.UidNext);
        Assert.Empty(Must(await store.ExpungeAsync(receipt.Mailbox, null, Cancel)));
    }

    [Fact]
    public async Task Content_of_an_expunged_message_goes_when_nobody_has_the_mailbox_open()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("two"));
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        await using (await store.MustSelectAsync("INBOX", readOnly: true))
        {
            Must(await store.ExpungeAsync(receipt.Mailbox, null, Cancel));
            Assert.Equal(Text("one"), await store.ContentAsync(receipt.Mailbox, new(1)));
        }

        Refused(RefusalKind.Expunged, await store.OpenContentAsync(receipt.Mailbox, new(1), Cancel));
        Refused(RefusalKind.Expunged, await store.OpenContentAsync(receipt.Mailbox, new(77), Cancel));
        Assert.Equal(Text("two"), await store.ContentAsync(receipt.Mailbox, new(2)));
    }

    [Fact]
    public async Task Mailboxes_are_made_renamed_with_children_and_removed()
    {
        IMailStore store = await OpenAsync("ann");
        MailboxInfo work = Must(await store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
        MailboxInfo plan = Must(await store.CreateAsync(Name("Work.Plan.2024"), SpecialUse.None, Cancel));
        Must(await store.CreateAsync(Name("Workshop"), SpecialUse.None, Cancel));
        await store.MustAppendAsync(Stores, "Work.Plan.2024", Text("plan"));
        Refused(RefusalKind.AlreadyExists, await store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
        Refused(RefusalKind.AlreadyExists, await store.CreateAsync(Name("inbox"), SpecialUse.None, Cancel));
        Refused(RefusalKind.AlreadyExists, await store.RenameAsync(Name("Work"), Name("Archive"), Cancel));
        Refused(RefusalKind.BadName, await store.RenameAsync(Name("Work"), Name("Work.Sub"), Cancel));
        Refused(RefusalKind.NoSuchMailbox, await store.RenameAsync(Name("Nowhere"), Name("Else"), Cancel));

        IMailbox open = await SelectAsync(store, "Work.Plan.2024");
        Must(await store.RenameAsync(Name("Work"), Name("Job"), Cancel));
        Assert.Equal(["INBOX", "Archive", "Drafts", "Job", "Job.Plan.2024", "Junk", "Sent", "Trash", "Workshop"], await NamesAsync(store));
        Assert.Equal("Job.Plan.2024", open.Info.Name.Value);
        Assert.True(open.Exists);
        IMailbox after = await SelectAsync(store, "Job.Plan.2024");
        Assert.Equal(plan.Id, after.Info.Id);
        Assert.Equal(open.Current.Validity, after.Current.Validity);
        Assert.Equal(Text("plan"), await store.ContentAsync(plan.Id!.Value, new(1)));

        Must(await store.DeleteAsync(Name("Job"), Cancel));
        Refused(RefusalKind.NoSuchMailbox, await store.DeleteAsync(Name("Job"), Cancel));
        Refused(RefusalKind.BadName, await store.DeleteAsync(Name("INBOX"), Cancel));
        Assert.Contains("Job.Plan.2024", await NamesAsync(store)); // children stay
        Refused(RefusalKind.NoSuchMailbox, await store.StatusAsync(Name("Job"), Cancel));
        Must(await store.RenameAsync(Name("Job"), Name("Old"), Cancel)); // only the child exists
        Assert.Contains("Old.Plan.2024", await NamesAsync(store));
        MailboxInfo anew = Must(await store.CreateAsync(Name("Job"), SpecialUse.None, Cancel));
        Assert.NotEqual(work.Id, anew.Id);
    }

    [Fact]
    public async Task A_mailbox_that_is_removed_and_made_again_has_other_numbers()
    {
        IMailStore store = await OpenAsync("ann");
        Must(await store.CreateAsync(Name("Temp"), SpecialUse.None, Cancel));
        AppendReceipt first = await store.MustAppendAsync(Stores, "Temp", Text("one"));
        IMailbox open = await SelectAsync(store, "Temp");
        Must(await store.DeleteAsync(Name("Temp"), Cancel));
        Assert.False(open.Exists);
        Must(await store.CreateAsync(Name("Temp"), SpecialUse.None, Cancel));
        AppendReceipt second = await store.MustAppendAsync(Stores, "Temp", Text("two"));
        Assert.NotEqual(first.Mailbox, second.Mailbox);
        Assert.True(second.Validity.Value > first.Validity.Value);
        Assert.False(open.Exists);
        Refused(RefusalKind.NoSuchMailbox, await store.CopyAsync(first.Mailbox, Uids(1), Name("INBOX"), Cancel));
        Assert.Equal(Text("two"), await store.ContentAsync(second.Mailbox, new(1)));
    }

    [Fact]
    public async Task Renaming_the_inbox_moves_its_messages_and_leaves_children()
    {
        IMailStore store = await OpenAsync("ann");
        Must(await store.CreateAsync(Name("INBOX.Sub"), SpecialUse.None, Cancel));
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("two"));
        IMailbox inbox = await SelectAsync(store, "INBOX");
        Must(await store.RenameAsync(Name("INBOX"), Name("Old"), Cancel));
        Assert.Equal(0, inbox.Current.Count);
        Assert.Equal(new Uid(3), inbox.Current.UidNext);
        Assert.Equal(receipt.Validity, inbox.Current.Validity);
        IMailbox old = await SelectAsync(store, "Old");
        Assert.Equal(2, old.Current.Count);
        Assert.NotEqual(receipt.Mailbox, old.Info.Id);
        Assert.Equal(Text("two"), await store.ContentAsync(old.Info.Id!.Value, old.Current[1].Uid));
        Assert.Contains("INBOX.Sub", await NamesAsync(store));
        Refused(RefusalKind.AlreadyExists, await store.RenameAsync(Name("INBOX"), Name("Old"), Cancel));
    }

    [Fact]
    public async Task Subscriptions_stand_without_a_mailbox_too()
    {
        IMailStore store = await OpenAsync("ann");
        Must(await store.SubscribeAsync(Name("Gone.Away"), true, Cancel));
        Must(await store.SubscribeAsync(Name("Junk"), false, Cancel));
        Must(await store.SubscribeAsync(Name("Junk"), false, Cancel));
        IReadOnlyList<MailboxInfo> list = await store.ListAsync(Cancel);
        MailboxInfo gone = list.Single(info => info.Name.Value == "Gone.Away");
        Assert.Null(gone.Id);
        Assert.True(gone.IsSubscribed);
        Assert.False(list.Single(info => info.Name.Value == "Junk").IsSubscribed);
        Must(await store.DeleteAsync(Name("Trash"), Cancel));
        Assert.Null((await store.ListAsync(Cancel)).Single(info => info.Name.Value == "Trash").Id); // RFC 9051 section 6.3.5: the subscription stays
    }

    [Fact]
    public async Task Status_counts()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("second"), Text("three"));
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(2), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(3), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        MailboxStatus status = Must(await store.StatusAsync(Name("INBOX"), Cancel));
        Assert.Equal((3, 2, 1, 3), (status.Messages, status.Unseen, status.Deleted, status.Recent));
        Assert.Equal((Text("one").Length + Text("second").Length + Text("three").Length, Text("second").Length), (status.Size, status.DeletedSize));
        Assert.Equal((receipt.Validity, new Uid(4)), (status.Validity, status.UidNext));
        IMailbox box = await SelectAsync(store, "INBOX");
        Assert.Equal(box.Current.HighestModSeq, status.HighestModSeq);
        Assert.Equal(status.HighestModSeq, (await store.ListAsync(Cancel))[0].HighestModSeq);
    }

    [Fact]
    public async Task Recent_is_claimed_by_the_first_session_that_opens_for_writing()
    {
        IMailStore store = await OpenAsync("ann");
        await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("two"));
        await using (IMailbox examined = await store.MustSelectAsync("INBOX", readOnly: true)) Assert.Equal(new Uid(1), examined.FirstRecent);
        await using (IMailbox first = await store.MustSelectAsync("INBOX")) Assert.Equal(new Uid(1), first.FirstRecent);
        Assert.Equal(0, Must(await store.StatusAsync(Name("INBOX"), Cancel)).Recent);
        await store.MustAppendAsync(Stores, "INBOX", Text("three"));
        await using (IMailbox second = await store.MustSelectAsync("INBOX"))
        {
            Assert.Equal(new Uid(3), second.FirstRecent);
            await store.MustAppendAsync(Stores, "INBOX", Text("four"));
        }

        IMailbox third = await SelectAsync(store, "INBOX");
        Assert.Equal(new Uid(5), third.FirstRecent);
    }

    [Fact]
    public async Task News_reach_a_waiting_session()
    {
        IMailStore store = await OpenAsync("ann");
        IMailStore other = await OpenAsync("ann");
        IMailbox box = await SelectAsync(store, "INBOX");
        MailboxVersion seen = box.Current;
        long number = store.ChangeNumber;
        Task waiting = box.WaitForChangeAsync(seen, Cancel).AsTask();
        Task account = other.WaitForChangeAsync(number, Cancel).AsTask();
        Assert.False(waiting.IsCompleted);
        Assert.False(account.IsCompleted);
        await Stores.MustDeliverAsync(Account("ann"), Text("news"));
        await waiting.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        await account.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        Assert.True(store.ChangeNumber > number);
        VersionDifference difference = box.Current.Since(seen);
        Assert.Equal((0, 1), (difference.FirstNew, box.Current.Count));
        await box.WaitForChangeAsync(seen, Cancel); // at once
        await store.WaitForChangeAsync(number, Cancel);

        Must(await store.CreateAsync(Name("Box"), SpecialUse.None, Cancel));
        IMailbox doomed = await SelectAsync(store, "Box");
        Task end = doomed.WaitForChangeAsync(doomed.Current, Cancel).AsTask();
        Must(await other.DeleteAsync(Name("Box"), Cancel));
        await end.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        Assert.False(doomed.Exists);
    }

    [Fact]
    public async Task A_wait_can_be_cancelled()
    {
        IMailStore store = await OpenAsync("ann");
        IMailbox box = await SelectAsync(store, "INBOX");
        using CancellationTokenSource source = new();
        Task waiting = box.WaitForChangeAsync(box.Current, source.Token).AsTask();
        Task account = store.WaitForChangeAsync(store.ChangeNumber, source.Token).AsTask();
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => account);
    }

    [Fact]
    public async Task Quota_is_exact_and_refuses_before_anything_is_stored()
    {
        MailAccount account = Account("small") with { QuotaBytes = 3 * Text("1").Length, QuotaMessages = 100 };
        IMailStore store = Keep(await Stores.MustOpenAsync(account));
        await store.MustAppendAsync(Stores, "INBOX", Text("1"), Text("2"));
        QuotaState state = await store.QuotaAsync(Cancel);
        Assert.Equal((2L * Text("1").Length, 2L), (state.UsedBytes, state.UsedMessages));
        Assert.Equal((account.QuotaBytes, account.QuotaMessages), (state.LimitBytes, state.LimitMessages));
        Must(await Stores.HasRoomAsync(account, Text("1").Length, Cancel));
        Refused(RefusalKind.OverQuota, await Stores.HasRoomAsync(account, Text("1").Length + 1, Cancel));

        await using IMessageSink sink = await Stores.SinkAsync(Text("3"));
        NewMessage message = new(sink, SystemFlags.None, KeywordSet.Empty, Time.GetUtcNow());
        Refused(RefusalKind.OverQuota, await store.AppendAsync(Name("INBOX"), [message, message], Cancel));
        Refused(RefusalKind.OverQuota, await store.CopyAsync((await store.ListAsync(Cancel))[0].Id!.Value, Uids(1, 2), Name("Archive"), Cancel));
        DeliveryReceipt receipt = await Stores.DeliverAsync(sink,
            [
                new(account, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, default),
                new(account, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, default),
            ], null, Cancel);
        Must(receipt.Outcomes[0]);
        Refused(RefusalKind.OverQuota, receipt.Outcomes[1]);
        DeliveryReceipt full = await Stores.DeliverAsync(sink, [new(account, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, default)], null, Cancel);
        Assert.Equal(0, full.RecordNumber);
        Assert.Equal(3, (await store.QuotaAsync(Cancel)).UsedMessages);
        Must(await store.MoveAsync((await store.ListAsync(Cancel))[0].Id!.Value, Uids(1), Name("Trash"), Cancel)); // takes no more room

        MailboxId trash = (await store.ListAsync(Cancel)).Single(info => info.Name.Value == "Trash").Id!.Value;
        Must(await store.ChangeFlagsAsync(trash, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await store.ExpungeAsync(trash, null, Cancel));
        Assert.Equal((2L * Text("1").Length, 2L), ((await store.QuotaAsync(Cancel)).UsedBytes, (await store.QuotaAsync(Cancel)).UsedMessages));
    }

    [Fact]
    public async Task Text_is_found_in_header_body_and_fields()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("apple pie"), Text("Banana"), Text("cherry"));
        Assert.Equal(Uids(1), await store.FindTextAsync(receipt.Mailbox, Uids(1, 2, 3), new(TextScope.All, "", "APPLE"), Cancel));
        Assert.Equal(Uids(2), await store.FindTextAsync(receipt.Mailbox, Uids(1, 2, 3), new(TextScope.Body, "", "is banan"), Cancel));
        Assert.Equal(Uids(3), await store.FindTextAsync(receipt.Mailbox, Uids(3), new(TextScope.Header, "Subject", "herr"), Cancel));
        Assert.Empty(await store.FindTextAsync(receipt.Mailbox, Uids(1, 2, 3), new(TextScope.Body, "", "example.org"), Cancel));
        Assert.Equal(Uids(1, 2), await store.FindTextAsync(receipt.Mailbox, Uids(1, 2), new(TextScope.Header, "message-id", ""), Cancel));
        Assert.Empty(await store.FindTextAsync(receipt.Mailbox, Uids(1, 2), new(TextScope.Header, "X-None", ""), Cancel));
    }

    [Fact]
    public async Task Summaries_come_in_the_order_asked_without_those_that_are_gone()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("two"), Text("three"));
        IReadOnlyList<MessageSummary> summaries = await store.SummariesAsync(receipt.Mailbox, SummaryFields.Ids | SummaryFields.SaveDate, Uids(3, 1, 8));
        Assert.Equal(Uids(3, 1), summaries.Select(summary => summary.Uid));
        Assert.Equal(receipt.Messages[2].EmailId, summaries[0].EmailId);
        Assert.NotEmpty(summaries[0].ThreadId.Value);
        Assert.Equal(Time.GetUtcNow().ToUnixTimeSeconds(), summaries[0].SaveDate.ToUnixTimeSeconds());
        MessageSummary bare = (await store.SummariesAsync(receipt.Mailbox, SummaryFields.None, Uids(2)))[0];
        Assert.Null(bare.EmailId.Value);
        Assert.True(bare.Envelope.IsEmpty);
    }

    [Fact]
    public async Task Envelope_structure_preview_and_sort_keys_are_ready_and_the_same_for_copies()
    {
        IMailStore store = await OpenAsync("ann");
        string answer = Text("answer").Replace("Subject: answer", "Subject: Re: apple", StringComparison.Ordinal).Replace("Date:", "References: <apple@example.org>\r\nDate:", StringComparison.Ordinal);
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("apple"), answer, Text("other"));
        Placement placed = Must(await store.CopyAsync(receipt.Mailbox, Uids(2), Name("Archive"), Cancel));
        const SummaryFields all = (SummaryFields)255;
        IReadOnlyList<MessageSummary> summaries = await store.SummariesAsync(receipt.Mailbox, all, Uids(1, 2, 3));
        MessageSummary copy = (await store.SummariesAsync(placed.Target, all, Uids(1)))[0];
        MessageFacts facts = MessageFacts.Of(System.Text.Encoding.Latin1.GetBytes(answer), Mime.MimeLimits.Default);
        foreach (MessageSummary summary in (MessageSummary[])[summaries[1], copy])
        {
            Assert.Equal(facts.Envelope.ToArray(), summary.Envelope.ToArray());
            Assert.Equal(facts.Body.ToArray(), summary.Body.ToArray());
            Assert.Equal(facts.BodyStructure.ToArray(), summary.BodyStructure.ToArray());
            Assert.Equal(facts.Structure.ToArray(), summary.Structure.ToArray());
            Assert.Equal("This is answer.", System.Text.Encoding.UTF8.GetString(summary.Preview.Span));
            Assert.Equal(("APPLE", true, "A", "answer@example.org"), (summary.Sort!.BaseSubject, summary.Sort.IsReply, summary.Sort.From, summary.Sort.MessageId));
            Assert.Equal(["apple@example.org"], summary.Sort.References);
            Assert.Equal(new DateTimeOffset(2024, 1, 1, 10, 0, 0, TimeSpan.FromHours(1)), summary.Sort.Sent);
        }

        Assert.Equal(summaries[0].ThreadId, summaries[1].ThreadId);
        Assert.NotEqual(summaries[0].ThreadId, summaries[2].ThreadId);
        Assert.Contains("Re: apple", System.Text.Encoding.UTF8.GetString(facts.Envelope.Span), StringComparison.Ordinal);
    }

    // Never above the limit, and never refused while there is room: of equal messages exactly as many come in as fit.
    [Fact]
    public async Task Quota_is_exact_when_many_come_at_once()
    {
        string text = Text("1");
        MailAccount account = Account("small") with { QuotaBytes = (40L * text.Length) + 10, QuotaMessages = 45 };
        IMailStore store = Keep(await Stores.MustOpenAsync(account));
        AppendReceipt first = await store.MustAppendAsync(Stores, "INBOX", text);
        int stored = 1;
        async Task TryAsync(int kind)
        {
            await Task.Yield();
            await using IMessageSink sink = await Stores.SinkAsync(text);
            Refusal? refusal;
            if (kind == 0) _ = (await Stores.DeliverAsync(sink, [new(account, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, default)], null, Cancel)).Outcomes[0].TryGet(out _, out refusal);
            else if (kind == 1) _ = (await store.AppendAsync(Name("Drafts"), [new(sink, SystemFlags.None, KeywordSet.Empty, Time.GetUtcNow())], Cancel)).TryGet(out _, out refusal);
            else _ = (await store.CopyAsync(first.Mailbox, Uids(1), Name("Archive"), Cancel)).TryGet(out _, out refusal);
            if (refusal is null) Interlocked.Increment(ref stored);
            else Assert.Equal(RefusalKind.OverQuota, refusal.Kind);
            QuotaState now = await store.QuotaAsync(Cancel);
            Assert.True(now.UsedBytes <= account.QuotaBytes && now.UsedMessages <= account.QuotaMessages);
        }

        await Task.WhenAll(Enumerable.Range(0, 90).Select(i => TryAsync(i % 3)));
        QuotaState full = await store.QuotaAsync(Cancel);
        Assert.Equal((40, 40L * text.Length, 40L), (stored, full.UsedBytes, full.UsedMessages));

        // Room that was given back is there at once.
        IMailbox inbox = Keep(await store.MustSelectAsync("INBOX"));
        Must(await store.ChangeFlagsAsync(first.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await store.ExpungeAsync(inbox.Info.Id!.Value, Uids(1), Cancel));
        await store.MustAppendAsync(Stores, "INBOX", text);
        Refused(RefusalKind.OverQuota, await Stores.HasRoomAsync(account, text.Length, Cancel));
    }

    [Fact]
    public async Task Text_is_found_in_a_mailbox_of_many_across_the_borders_of_words()
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", [.. Enumerable.Range(0, 50).Select(i => Text(i % 7 == 3 ? $"red herring no-{i}" : $"blue whale no-{i}"))]);
        Uid[] all = [.. receipt.Messages.Select(message => message.Uid)];
        Uid[] red = [.. Enumerable.Range(0, 50).Where(i => i % 7 == 3).Select(i => all[i])];
        foreach (string needle in (string[])["red", "HERRING", "d her", "erring NO", "is red herr"])
            Assert.Equal(red, await store.FindTextAsync(receipt.Mailbox, all, new(TextScope.Body, "", needle), Cancel));
        Assert.Equal(red, await store.FindTextAsync(receipt.Mailbox, all, new(TextScope.Header, "Subject", "d h"), Cancel));
        Assert.Equal([all[17]], await store.FindTextAsync(receipt.Mailbox, all, new(TextScope.All, "", "no-17"), Cancel));
        Assert.Empty(await store.FindTextAsync(receipt.Mailbox, all, new(TextScope.Header, "X-None", ""), Cancel));
        Assert.Equal(all, await store.FindTextAsync(receipt.Mailbox, all, new(TextScope.Header, "Subject", ""), Cancel));
        // Only of those asked for, in the order asked.
        Assert.Equal([red[2], red[0]], await store.FindTextAsync(receipt.Mailbox, [red[2], all[0], red[0], new(999)], new(TextScope.Body, "", "herring"), Cancel));
    }

    [Fact]
    public async Task Lines_without_carriage_return_are_counted_and_served_with_it()
    {
        IMailStore store = await OpenAsync("ann");
        string text = "Subject: bare\n\none\ntwo\r\nthree\n";
        string wire = "Subject: bare\r\n\r\none\r\ntwo\r\nthree\r\n";
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", text);
        Assert.Equal(wire.Length, (await SelectAsync(store, "INBOX")).Current[0].Size);
        Assert.Equal(wire, await store.ContentAsync(receipt.Mailbox, new(1)));
    }

    [Theory]
    [InlineData("Müllabfuhr & Söhne")]
    [InlineData("日本語.受信箱")]
    [InlineData("a/b ~c #d %e")]
    [InlineData("INBOX.cur.new.tmp")]
    [InlineData("cur")]
    [InlineData("with\\backslash\"quote'")]
    [InlineData("&-ampersand&")]
    [InlineData("😀")]
    public async Task Mailbox_names_of_any_script_work(string text)
    {
        IMailStore store = await OpenAsync("ann");
        Must(await store.CreateAsync(Name(text), SpecialUse.None, Cancel));
        await store.MustAppendAsync(Stores, text, Text("one"));
        store = await RestartAsync("ann", kill: false);
        Assert.Contains(text, await NamesAsync(store));
        IMailbox box = await SelectAsync(store, text);
        Assert.Equal(Text("one"), await store.ContentAsync(box.Info.Id!.Value, new(1)));
        Must(await store.RenameAsync(Name(text), Name("Plain." + text), Cancel));
        Assert.Equal(Text("one"), await store.ContentAsync(box.Info.Id!.Value, new(1)));
        Must(await store.DeleteAsync(Name("Plain." + text), Cancel));
        Assert.DoesNotContain("Plain." + text, await NamesAsync(store));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Everything_that_was_told_holds_after_a_restart(bool kill)
    {
        IMailStore store = await OpenAsync("ann");
        AppendReceipt receipt = await store.MustAppendAsync(Stores, "INBOX", Text("one"), Text("two"), Text("three"), Text("four"));
        await Stores.MustDeliverAsync(Account("ann"), Text("five"));
        Must(await store.CreateAsync(Name("Work.Plan"), SpecialUse.None, Cancel));
        Must(await store.SubscribeAsync(Name("Job.Plan"), true, Cancel));
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1, 2), new(FlagOperation.Add, SystemFlags.Deleted | SystemFlags.Seen, Keywords("k")), null, Cancel));
        Placement moved = Must(await store.MoveAsync(receipt.Mailbox, Uids(3), Name("Work.Plan"), Cancel));
        Placement copied = Must(await store.CopyAsync(receipt.Mailbox, Uids(2, 4), Name("Work.Plan"), Cancel));
        Must(await store.ExpungeAsync(receipt.Mailbox, Uids(1), Cancel));
        Must(await store.RenameAsync(Name("Work"), Name("Job"), Cancel));
        Must(await store.DeleteAsync(Name("Drafts"), Cancel));
        MailboxStatus inbox = Must(await store.StatusAsync(Name("INBOX"), Cancel)), plan = Must(await store.StatusAsync(Name("Job.Plan"), Cancel));
        string[] names = await NamesAsync(store);
        QuotaState quota = await store.QuotaAsync(Cancel);
        ModSeq before = inbox.HighestModSeq;
        EmailId id = (await store.SummariesAsync(moved.Target, SummaryFields.Ids, Uids(1)))[0].EmailId;

        store = await RestartAsync("ann", kill);
        Assert.Equal(names, await NamesAsync(store));
        Assert.Equal(quota, await store.QuotaAsync(Cancel));
        MailboxStatus inboxNow = Must(await store.StatusAsync(Name("INBOX"), Cancel)), planNow = Must(await store.StatusAsync(Name("Job.Plan"), Cancel));
        Assert.Equal((inbox.Validity, inbox.UidNext, inbox.Messages, inbox.Info.Id, inbox.Size), (inboxNow.Validity, inboxNow.UidNext, inboxNow.Messages, inboxNow.Info.Id, inboxNow.Size));
        Assert.Equal((plan.Validity, plan.UidNext, plan.Messages, plan.Info.Id, true), (planNow.Validity, planNow.UidNext, planNow.Messages, planNow.Info.Id, planNow.Info.IsSubscribed));
        Assert.True(inboxNow.HighestModSeq >= before);
        IMailbox box = await SelectAsync(store, "INBOX");
        Assert.Equal(Uids(2, 4, 5), box.Current.Rows().Select(row => row.Uid));
        Assert.Equal((SystemFlags.Deleted | SystemFlags.Seen, Keywords("k")), (box.Current[0].Flags, box.Current[0].Keywords));
        Assert.Equal(Text("five"), await store.ContentAsync(receipt.Mailbox, new(5)));
        Assert.Equal(Text("three"), await store.ContentAsync(moved.Target, moved.Targets[0]));
        Assert.Equal(Text("two"), await store.ContentAsync(moved.Target, copied.Targets[0]));
        Assert.Equal(Text("four"), await store.ContentAsync(moved.Target, copied.Targets[1]));
        Assert.Equal(id, (await store.SummariesAsync(moved.Target, SummaryFields.Ids, Uids(1)))[0].EmailId);
        Assert.Contains(new Uid(1), await store.ExpungedUidsAsync(receipt.Mailbox, new ModSeq(0)));
        Assert.Equal(Uids(6), (await store.MustAppendAsync(Stores, "INBOX", Text("six"))).Messages.Select(message => message.Uid));
        Assert.True(box.Current.HighestModSeq > inboxNow.HighestModSeq);
    }

    [Fact]
    public async Task A_slow_reader_blocks_no_writer_and_misses_nothing()
    {
        IMailStore store = await Stores.MustOpenAsync(Account("ann"));
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        MailboxVersion seen = box.Current;
        long number = store.ChangeNumber;
        using ManualResetEventSlim goesOn = new();
        TaskCompletionSource woken = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task reader = ReadAsync();
        await store.MustAppendAsync(Stores, "INBOX", Text("0"));
        await woken.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        // The reader sits in what its wait completed with, and others wait for the account as a whole and never look.
        Task[] sleepers = [.. Enumerable.Range(0, 20).Select(_ => store.WaitForChangeAsync(long.MaxValue, Cancel).AsTask())];
        for (int i = 1; i < 100; i++) await store.MustAppendAsync(Stores, "INBOX", Text($"{i}")).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        Must(await store.ChangeFlagsAsync(box.Info.Id!.Value, Uids(1), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        Assert.False(reader.IsCompleted);
        goesOn.Set();
        await reader.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        Assert.Equal(0, seen.Count);
        Assert.Equal(100, box.Current.Count);
        Assert.True(store.ChangeNumber > number);
        Assert.All(sleepers, sleeper => Assert.False(sleeper.IsFaulted));

        async Task ReadAsync()
        {
            await box.WaitForChangeAsync(seen, Cancel).ConfigureAwait(false);
            woken.SetResult();
            goesOn.Wait(TimeSpan.FromSeconds(60));
        }
    }

    [Fact]
    public async Task Many_writers_at_once_lose_nothing()
    {
        IMailStore store = await OpenAsync("ann");
        MailAccount ann = Account("ann"), bob = Account("bob");
        async Task WriteAsync(int writer)
        {
            await Task.Yield();
            for (int i = 0; i < 25; i++)
            {
                await using IMessageSink sink = await Stores.SinkAsync(Text($"message {writer} {i}"));
                DeliveryReceipt receipt = await Stores.DeliverAsync(sink,
                    [new(ann, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, default), new(bob, Name("INBOX"), SystemFlags.None, KeywordSet.Empty, default)], null, Cancel);
                StoredMessage stored = Must(receipt.Outcomes[0]);
                if (i % 5 == 0) Must(await store.MoveAsync(stored.Mailbox, [stored.Uid], Name("Archive"), Cancel));
                else if (i % 3 == 0) Must(await store.ChangeFlagsAsync(stored.Mailbox, [stored.Uid], new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 8).Select(WriteAsync));
        IMailbox inbox = await SelectAsync(store, "INBOX"), archive = await SelectAsync(store, "Archive"), bobs = await SelectAsync(await OpenAsync("bob"), "INBOX");
        Assert.Equal((160, 40, 200), (inbox.Current.Count, archive.Current.Count, bobs.Current.Count));
        HashSet<string> texts = [];
        foreach (MessageRow row in inbox.Current.Rows()) texts.Add(await store.ContentAsync(inbox.Info.Id!.Value, row.Uid));
        foreach (MessageRow row in archive.Current.Rows()) texts.Add(await store.ContentAsync(archive.Info.Id!.Value, row.Uid));
        Assert.Equal(200, texts.Count);
    }
}
