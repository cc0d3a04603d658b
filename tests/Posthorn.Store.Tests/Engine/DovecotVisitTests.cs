using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Dovecot;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>What Dovecot leaves in a tree: taken over at adoption, and noticed when it was there in between.</summary>
public sealed class DovecotVisitTests : IAsyncLifetime
{
    private const string Guid = "0123456789abcdef0123456789abcdef";
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-visit-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private readonly EventLog _log = new();
    private MaildirHarness? _server;

    private MailAccount Ann => MaildirHarness.Account(_directory, "ann");

    private string Root => Ann.MailRoot;

    public ValueTask InitializeAsync()
    {
        foreach (string part in (string[])["new", "cur", "tmp"]) Directory.CreateDirectory($"{Root}/{part}");
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async ValueTask<IMailStore> StartAsync()
    {
        _server = new(_directory, new LinuxVolume(), _time) { Logger = _log };
        await _server.StartAsync();
        return await _server.MustOpenAsync(Ann);
    }

    private async ValueTask StopAsync(IMailStore store, bool kill = false)
    {
        await store.DisposeAsync();
        if (!kill) await _server!.Journal.CheckpointAsync(Cancel); // as a server that ends in order does
        await _server!.StopAsync(kill);
        _server = null;
    }

    private void Put(string name, string text = "Subject: x\n\nbody\n") => File.WriteAllText($"{Root}/{name}", text);

    private static void PutIndex(string folder, ulong highest, uint validity, uint next, params (uint Uid, byte Flags, string[] Keywords)[] messages)
    {
        IndexState state = new() { Id = 7, Validity = validity, NextUid = next, LogSequence = 2, Highest = highest };
        for (int i = 0; i < 26; i++) state.Keywords.Add(string.Create(CultureInfo.InvariantCulture, $"letter{i}"));
        foreach ((uint uid, byte flags, string[] keywords) in messages)
            state.Append(new(uid) { Flags = flags, ModSeq = highest, Keywords = keywords.Length == 0 ? null : [.. keywords.Select(state.KeywordNumber)] });
        (byte[] index, byte[] log) = IndexWriter.Write(state, 1_700_000_000);
        File.WriteAllBytes($"{folder}/dovecot.index", index);
        File.WriteAllBytes($"{folder}/dovecot.index.log", log);
    }

    private static string LetterFile => string.Concat(Enumerable.Range(0, 26).Select(i => $"{i} letter{i}\n"));

    private async ValueTask<MailboxStatus> LookAsync(IMailStore store, string mailbox = "INBOX")
    {
        _time.Advance(TimeSpan.FromMinutes(1));
        return Must(await store.StatusAsync(Name(mailbox), Cancel));
    }

    // Also when the first attempt to take the tree in was broken off.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_index_gives_modseqs_next_uid_and_keywords_without_a_letter(bool brokenOff)
    {
        foreach (string part in (string[])["new", "cur", "tmp"]) Directory.CreateDirectory($"{Root}/.Sent/{part}");
        Put("cur/100.a.host:2,Sc");
        Put("cur/200.b.host:2,");
        Put("cur/300.c.host:2,F"); // flagged behind Dovecot's back
        Put("dovecot-keywords", LetterFile);
        Put("dovecot-uidlist", $"3 V1234 N4 G{Guid}\n1 P7f3a.uidl W20 :100.a.host\n2 GAB.12=x :200.b.host\n3 :300.c.host\n");
        PutIndex(Root, 900, 1234, 60, (1, 8, ["letter2", "beyond", "Twenty-Seven"]), (2, 0, []), (3, 0, []), (5, 0, []));
        if (brokenOff)
        {
            string catalogue = _directory + "/accounts/example.org/ann/catalogue.db";
            Directory.CreateDirectory(catalogue);
            _server = new(_directory, new LinuxVolume(), _time) { Logger = _log };
            await _server.StartAsync();
            Refused(RefusalKind.Unavailable, await _server.OpenAsync(Ann, Cancel));
            await _server.StopAsync(kill: true);
            Directory.Delete(catalogue);
        }

        IMailStore store = await StartAsync();
        Assert.Equal(SpecialUse.Sent, (await store.FindAsync(Name("Sent"), Cancel))!.Use);
        Assert.False(File.Exists(Root + "/posthorn/adopting"));
        MailboxStatus status = await LookAsync(store);
        Assert.Equal((new UidValidity(1234), new Uid(60), new ModSeq(901)), (status.Validity, status.UidNext, status.HighestModSeq));
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        Assert.Equal(Keywords("letter2", "beyond", "Twenty-Seven"), box.Current[0].Keywords);
        Assert.Equal([900, 900, 901], box.Current.Rows().Select(row => row.ModSeq.Value)); // what Dovecot's clients know, and what they do not
        Assert.Equal(Uids(5), await store.ExpungedUidsAsync(box.Info.Id!.Value, new(900)));
        IReadOnlyList<MessageSummary> summaries = await store.SummariesAsync(box.Info.Id.Value, SummaryFields.Pop3Uidl | SummaryFields.Ids, new Uid(1), new Uid(2));
        Assert.Equal("7f3a.uidl", Pop3Uidl.Of(new(1), box.Current.Validity, summaries[0].Pop3Uidl));
        Assert.Equal("00000002000004d2", Pop3Uidl.Of(new(2), box.Current.Validity, summaries[1].Pop3Uidl));
        AppendReceipt receipt = await store.MustAppendAsync(_server!, "INBOX", Text("new"));
        Assert.Equal(new Uid(60), receipt.Messages[0].Uid);
        await StopAsync(store);

        // What we do not use ourselves goes back as it came; messages without a GUID of their own get none.
        string[] list = await File.ReadAllLinesAsync(Root + "/dovecot-uidlist", Cancel);
        Assert.Equal("1 P7f3a.uidl W20 :100.a.host", list[1]);
        Assert.Equal("2 GAB.12=x :200.b.host", list[2]);
        Assert.Equal("3 :300.c.host", list[3]);
    }

    [Theory]
    [InlineData("damaged")]
    [InlineData("large")]
    public async Task An_index_that_cannot_be_used_is_said_and_left_aside(string how)
    {
        Put("cur/100.a.host:2,S");
        Put("dovecot-uidlist", $"3 V1234 N4 G{Guid}\n1 :100.a.host\n");
        PutIndex(Root, 900, 1234, 60, (1, 8, []));
        using (FileStream index = new(Root + "/dovecot.index", FileMode.Open))
        {
            if (how == "large") index.SetLength((256L << 20) + 1);
            else index.Write([7, 3, 0, 0, 255, 255, 255, 255]);
        }

        IMailStore store = await StartAsync();
        MailboxStatus status = await LookAsync(store);
        Assert.Equal((new UidValidity(1234), new Uid(4), 1), (status.Validity, status.UidNext, status.Messages));
        Assert.True(status.HighestModSeq.Value >= 1L << 32); // further than any client can have come
        Assert.Contains(_log.Events, record => record.Id == 7040);
        await StopAsync(store);
    }

    [Fact]
    public async Task Folders_under_any_name_are_taken_in_and_scripts_are_not()
    {
        foreach (string name in (string[])[".UTF-8 Grüße", ".~tilde", ".a&b", ".ok&-", ".Inbox.sub", "home", "sieve", "home/sieve", ".bad\u0001name"])
            foreach (string part in (string[])["new", "cur", "tmp"]) Directory.CreateDirectory($"{Root}/{name}/{part}");
        Put(".UTF-8 Grüße/new/1.a");
        Put("home/.dovecot.sieve", "keep;");
        IMailStore store = await StartAsync();
        Assert.Equal(["INBOX", "INBOX.sub", "UTF-8 Grüße", "a&b", "ok&", "~tilde"], (await store.ListAsync(Cancel)).Where(info => info.Id is not null).Select(info => info.Name.Value));
        Assert.Equal(1, (await LookAsync(store, "UTF-8 Grüße")).Messages);
        Assert.Contains(_log.Events, record => record.Id == 7045 && record.Message.Contains("bad", StringComparison.Ordinal));
        Assert.True(Directory.Exists(Root + "/.bad\u0001name"));
        await StopAsync(store);
        Assert.Equal("keep;", await File.ReadAllTextAsync(Root + "/home/.dovecot.sieve", Cancel));
    }

    [Fact]
    public async Task New_uids_of_another_server_hold_and_its_modseqs_are_passed_over()
    {
        IMailStore store = await StartAsync();
        AppendReceipt receipt = await store.MustAppendAsync(_server!, "INBOX", Text("one"), Text("two"));
        Must(await store.SubscribeAsync(Name("Sent"), false, Cancel));
        await StopAsync(store);

        string[] lines = await File.ReadAllLinesAsync(Root + "/dovecot-uidlist", Cancel);
        Put("cur/700.theirs.host:2,S");
        Put("dovecot-uidlist", lines[0].Replace(" N3 ", " N9 ", StringComparison.Ordinal) + $"\n{lines[1]}\n{lines[2]}\n5 Pkept :700.theirs.host\n6 :gone.host\n");
        PutIndex(Root, 1L << 40, receipt.Validity.Value, 12, (1, 0, []), (2, 0, []), (5, 8, ["beyond"]));
        File.AppendAllText(Root + "/subscriptions", "Elsewhere\n");

        store = await StartAsync();
        MailboxStatus status = await LookAsync(store);
        Assert.Equal((receipt.Validity, new Uid(12), 3), (status.Validity, status.UidNext, status.Messages));
        Assert.True(status.HighestModSeq.Value > 1L << 40);
        await using (IMailbox box = await store.MustSelectAsync("INBOX"))
        {
            Assert.Equal(Uids(1, 2, 5), box.Current.Rows().Select(row => row.Uid));
            Assert.Equal((SystemFlags.Seen, Keywords("beyond")), (box.Current[2].Flags, box.Current[2].Keywords));
        }

        Assert.Equal("kept", (await store.SummariesAsync(status.Info.Id!.Value, SummaryFields.Pop3Uidl, new Uid(5)))[0].Pop3Uidl);
        Assert.Contains((await store.ListAsync(Cancel)), info => info.Name.Value == "Elsewhere" && info.IsSubscribed);
        await StopAsync(store, kill: true);
        store = await StartAsync(); // the same from the journal
        Assert.Equal((new Uid(12), 3), ((await LookAsync(store)).UidNext, (await LookAsync(store)).Messages));
        await StopAsync(store);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Numbers_that_meet_get_a_uidvalidity_above_both(bool kill)
    {
        IMailStore store = await StartAsync();
        await store.MustAppendAsync(_server!, "INBOX", Text("one"));
        await StopAsync(store);
        string list = await File.ReadAllTextAsync(Root + "/dovecot-uidlist", Cancel);
        store = await StartAsync();
        AppendReceipt receipt = await store.MustAppendAsync(_server!, "INBOX", Text("two"), Text("three"));
        ModSeq before = (await LookAsync(store)).HighestModSeq;
        await StopAsync(store);

        // As if Dovecot had run on an older list, and given our message's number to one of its own.
        Put("cur/700.theirs.host:2,S");
        Put("dovecot-uidlist", list.Replace(" N2 ", " N3 ", StringComparison.Ordinal) + "2 :700.theirs.host\n");
        store = await StartAsync();
        MailboxStatus status = await LookAsync(store);
        Assert.True(status.Validity.Value > receipt.Validity.Value);
        Assert.Equal(receipt.Mailbox, status.Info.Id!.Value);
        Assert.True(status.HighestModSeq > before);
        Assert.Contains(_log.Events, record => record.Id == 7042);
        if (kill)
        {
            await StopAsync(store, kill: true);
            store = await StartAsync();
            Assert.Equal(status.Validity, (await LookAsync(store)).Validity);
        }

        await using (IMailbox box = await store.MustSelectAsync("INBOX"))
        {
            Assert.Equal(Uids(1, 2, 3, 4), box.Current.Rows().Select(row => row.Uid));
            Assert.Equal(Text("two"), await store.ContentAsync(receipt.Mailbox, new(2)));
            Assert.Equal("Subject: x\r\n\r\nbody\r\n", await store.ContentAsync(receipt.Mailbox, new(4)));
        }

        AppendReceipt more = await store.MustAppendAsync(_server!, "INBOX", Text("four"));
        Assert.Equal((status.Validity, new Uid(5)), (more.Validity, more.Messages[0].Uid));
        await StopAsync(store);
        Assert.StartsWith($"3 V{status.Validity.Value} N6 ", await File.ReadAllTextAsync(Root + "/dovecot-uidlist", Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_newer_uidvalidity_of_another_server_holds_with_its_uids()
    {
        IMailStore store = await StartAsync();
        AppendReceipt receipt = await store.MustAppendAsync(_server!, "INBOX", Text("one"), Text("two"));
        Must(await store.ShareAsync(receipt.Mailbox, "bob@example.org", Sharing.MailboxRights.Lookup | Sharing.MailboxRights.Read, Cancel));
        Must(await store.AnnotateAsync(receipt.Mailbox, [new(null, "ann@example.org", "/private/comment", new byte[] { 1, 2 })], 10, Cancel));
        await StopAsync(store);
        string[] lines = await File.ReadAllLinesAsync(Root + "/dovecot-uidlist", Cancel);
        string Base(int line) => lines[line][lines[line].IndexOf(" :", StringComparison.Ordinal)..];
        uint newer = receipt.Validity.Value + 1000;
        Put("dovecot-uidlist", $"3 V{newer} N30 G{receipt.Mailbox.Value}\n11{Base(2)}\n12{Base(1)}\n");
        store = await StartAsync();
        MailboxStatus status = await LookAsync(store);
        Assert.Equal((new UidValidity(newer), new Uid(30), 2), (status.Validity, status.UidNext, status.Messages));
        Assert.Equal(Text("two"), await store.ContentAsync(receipt.Mailbox, new(11)));
        Assert.Equal(Text("one"), await store.ContentAsync(receipt.Mailbox, new(12)));
        for (int start = 0; start < 2; start++)
        {
            Assert.Equal("bob@example.org", Assert.Single((await store.FindAsync(MailboxName.Inbox, Cancel))!.Acl.Entries).Identifier);
            Assert.Equal([1, 2], Assert.Single(await store.AnnotationsAsync(receipt.Mailbox, Cancel)).Value!.Value.ToArray());
            await StopAsync(store);
            Assert.Equal("user=bob@example.org lr\n", await File.ReadAllTextAsync(Root + "/dovecot-acl", Cancel));
            store = await StartAsync();
        }

        await StopAsync(store);
    }

    [Fact]
    public async Task An_older_list_of_our_own_is_nobodys_visit()
    {
        IMailStore store = await StartAsync();
        await store.MustAppendAsync(_server!, "INBOX", Text("one"));
        await StopAsync(store);
        string list = await File.ReadAllTextAsync(Root + "/dovecot-uidlist", Cancel);
        store = await StartAsync();
        AppendReceipt receipt = await store.MustAppendAsync(_server!, "INBOX", Text("two"));
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await store.ExpungeAsync(receipt.Mailbox, null, Cancel));
        await StopAsync(store, kill: true);
        Put("dovecot-uidlist", list);
        store = await StartAsync();
        MailboxStatus status = await LookAsync(store);
        Assert.Equal((receipt.Validity, new Uid(3), 1), (status.Validity, status.UidNext, status.Messages));
        Assert.DoesNotContain(_log.Events, record => record.Id is 7042 or 7043);
        await StopAsync(store);
    }

    [Fact]
    public async Task A_folder_that_is_gone_is_removed_only_with_a_witness()
    {
        IMailStore store = await StartAsync();
        MailboxInfo lost = Must(await store.CreateAsync(Name("Lost"), SpecialUse.None, Cancel)), removed = Must(await store.CreateAsync(Name("Removed"), SpecialUse.None, Cancel));
        await StopAsync(store);
        Directory.Delete(Root + "/.Lost", recursive: true);
        Directory.Delete(Root + "/.Removed", recursive: true);
        File.WriteAllBytes(Root + "/dovecot.mailbox.log", [1, 0, 0, 0, .. Convert.FromHexString(removed.Id!.Value.Value), 0, 0, 0, 1]);
        store = await StartAsync();
        IReadOnlyList<MailboxInfo> list = await store.ListAsync(Cancel);
        Assert.Contains(list, info => info.Id == lost.Id);
        Assert.DoesNotContain(list, info => info.Id == removed.Id);
        await StopAsync(store);
    }

    // Nobody can go on from such numbers for long.
    [Theory]
    [InlineData("N4294967295", false)]
    [InlineData("N9", false, "4294967295")]
    [InlineData("N9", true)]
    public async Task A_tree_whose_numbers_are_at_their_end_is_numbered_anew(string next, bool byIndex, string last = "8")
    {
        foreach (string name in (string[])["100.a.host", "101.b.host"]) Put($"cur/{name}:2,S");
        Put("dovecot-uidlist", $"3 V1700000000 {next} G{Guid}\n7 :100.a.host\n{last} :101.b.host\n");
        if (byIndex) PutIndex(Root, 5, 1_700_000_000, uint.MaxValue, (7, 8, []), (8, 8, []));
        IMailStore store = await StartAsync();
        MailboxStatus status = await LookAsync(store);
        Assert.Equal((new Uid(3), 2), (status.UidNext, status.Messages));
        Assert.True(status.Validity.Value > 1_700_000_000);
        Assert.Equal(new Uid(3), (await store.MustAppendAsync(_server!, "INBOX", Text("one"))).Messages[0].Uid);
        await StopAsync(store);
        store = await StartAsync();
        Assert.Equal(status.Validity, (await LookAsync(store)).Validity);
        await StopAsync(store);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Numbers_at_their_end_that_another_server_left_are_not_gone_on_from(bool byIndex)
    {
        IMailStore store = await StartAsync();
        AppendReceipt receipt = await store.MustAppendAsync(_server!, "INBOX", Text("one"), Text("two"));
        await StopAsync(store);
        if (byIndex) PutIndex(Root, 5, receipt.Validity.Value, uint.MaxValue, (1, 8, []));
        else Put("dovecot-uidlist", (await File.ReadAllTextAsync(Root + "/dovecot-uidlist", Cancel)).Replace(" N3 ", " N4294967295 ", StringComparison.Ordinal));
        for (int start = 0; start < 2; start++)
        {
            store = await StartAsync();
            MailboxStatus status = await LookAsync(store);
            Assert.Equal((new Uid(3), 2), (status.UidNext, status.Messages));
            Assert.True(status.Validity.Value > receipt.Validity.Value);
            Assert.Equal(Text("two"), await store.ContentAsync(receipt.Mailbox, new(2)));
            await StopAsync(store);
        }

        Assert.Single(_log.Events, record => record.Id == 7042);
    }

    [Theory]
    [InlineData("user=bob lrs\nuser=carl@example.org lr\n", "bob@example.org lrs", "carl@example.org lr")]
    [InlineData("user=carl lr\n", "carl@example.org lr")]
    [InlineData("")]
    [InlineData(null)]
    public async Task Rights_that_another_server_changed_are_taken_over(string? file, params string[] rights)
    {
        IMailStore store = await StartAsync();
        MailboxId drafts = Must(await store.CreateAsync(Name("Drafts"), SpecialUse.Drafts, Cancel)).Id!.Value;
        foreach (MailboxId shared in (MailboxId[])[drafts, (await store.FindAsync(MailboxName.Inbox, Cancel))!.Id!.Value])
            Must(await store.ShareAsync(shared, "bob@example.org", Sharing.MailboxRights.Lookup | Sharing.MailboxRights.Read, Cancel));
        await StopAsync(store);
        if (file is null) File.Delete(Root + "/.Drafts/dovecot-acl");
        else Put(".Drafts/dovecot-acl", file);
        for (int start = 0; start < 2; start++)
        {
            store = await StartAsync();
            Assert.Equal(rights, (await store.FindAsync(drafts, Cancel))!.Acl.Entries.Select(entry => $"{entry.Identifier} {Sharing.RightsText.Plain(entry.Rights)}"));
            Assert.Single((await store.FindAsync(MailboxName.Inbox, Cancel))!.Acl.Entries);
            Assert.Equal(rights.Any(one => one.StartsWith("carl", StringComparison.Ordinal)), _server!.SharersWith(EmailAddress.Parse("carl@example.org")).Count > 0);
            await StopAsync(store);
            Assert.Equal(rights.Length > 0, File.Exists(Root + "/.Drafts/dovecot-acl"));
        }

        Assert.Single(_log.Events, record => record is (7044, var text) && text.EndsWith("changed the rights of Drafts", StringComparison.Ordinal));
    }

    // The disk undid the last change of the file with the machine's end: who was shut out must not come in again.
    [Fact]
    public async Task After_a_crash_rights_are_as_the_catalogue_says()
    {
        IMailStore store = await StartAsync();
        MailboxId drafts = Must(await store.CreateAsync(Name("Drafts"), SpecialUse.Drafts, Cancel)).Id!.Value;
        Must(await store.ShareAsync(drafts, "bob@example.org", Sharing.MailboxRights.Lookup | Sharing.MailboxRights.Read, Cancel));
        await StopAsync(store);
        store = await StartAsync();
        Must(await store.ShareAsync(drafts, "bob@example.org", null, Cancel));
        await _server!.Journal.CheckpointAsync(Cancel);
        Assert.False(File.Exists(Root + "/.Drafts/dovecot-acl"));
        await StopAsync(store, kill: true);
        Put(".Drafts/dovecot-acl", "user=bob@example.org lr\n");
        store = await StartAsync();
        Assert.Empty((await store.FindAsync(drafts, Cancel))!.Acl.Entries);
        await StopAsync(store);
        Assert.False(File.Exists(Root + "/.Drafts/dovecot-acl"));
    }

    [Fact]
    public async Task A_folder_that_another_server_made_comes_with_its_rights()
    {
        IMailStore store = await StartAsync();
        await StopAsync(store);
        foreach (string part in (string[])["new", "cur", "tmp"]) Directory.CreateDirectory($"{Root}/.Made/{part}");
        Put(".Made/dovecot-uidlist", $"3 V1700000000 N1 G{Guid}\n");
        Put(".Made/dovecot-acl", "user=bob lr\n");
        store = await StartAsync();
        Assert.Equal("bob@example.org", Assert.Single((await store.FindAsync(Name("Made"), Cancel))!.Acl.Entries).Identifier);
        await StopAsync(store);
    }

    /// <summary>Keeps what was said.</summary>
    private sealed class EventLog : ILogger
    {
        public List<(int Id, string Message)> Events { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Events) Events.Add((eventId.Id, formatter(state, exception)));
        }
    }
}
