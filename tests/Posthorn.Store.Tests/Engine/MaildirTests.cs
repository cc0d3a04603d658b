using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>The Maildir as other programs see it, and what they do in it.</summary>
public sealed class MaildirTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-maildir-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
    private MaildirHarness _server = null!;

    private MailAccount Ann => MaildirHarness.Account(_directory, "ann");

    private string Root => Ann.MailRoot;

    public async ValueTask InitializeAsync() => await StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private async ValueTask StartAsync()
    {
        _server = new(_directory, new LinuxVolume(), _time);
        await _server.StartAsync();
    }

    private async ValueTask RestartAsync()
    {
        await _server.DisposeAsync();
        await StartAsync();
    }

    private async ValueTask<MailboxStatus> LookAsync(IMailStore store, string mailbox = "INBOX")
    {
        _time.Advance(TimeSpan.FromMinutes(1));
        return Must(await store.StatusAsync(Name(mailbox), Cancel));
    }

    [Fact]
    public async Task Files_lie_as_Dovecot_lays_them()
    {
        IMailStore store = await _server.MustOpenAsync(Ann);
        AppendReceipt receipt = await store.MustAppendAsync(_server, "INBOX", Text("one"));
        Must(await store.CreateAsync(Name("Grüße.Sub"), SpecialUse.None, Cancel));
        Must(await store.CopyAsync(receipt.Mailbox, Uids(1), Name("Grüße.Sub"), Cancel));
        string fresh = Assert.Single(Directory.GetFiles(Root + "/new"));
        Assert.EndsWith($",S={Text("one").Length},W={Text("one").Length}", fresh, StringComparison.Ordinal);
        Assert.Equal(Text("one"), await File.ReadAllTextAsync(fresh, Cancel));
        Assert.Equal(new DateTime(2024, 1, 2, 1, 4, 5, DateTimeKind.Utc), File.GetLastWriteTimeUtc(fresh));
        Assert.True(File.Exists(Root + "/.Gr&APwA3w-e.Sub/maildirfolder"));
        Assert.Single(Directory.GetFiles(Root + "/.Gr&APwA3w-e.Sub/new"));

        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Seen | SystemFlags.Flagged, Keywords("work", "$Label1")), null, Cancel));
        await store.DisposeAsync();
        await RestartAsync(); // names follow at the latest when the server ends
        Assert.Empty(Directory.GetFiles(Root + "/new"));
        string seen = Assert.Single(Directory.GetFiles(Root + "/cur"));
        Assert.Equal(Path.GetFileName(fresh) + ":2,FSab", Path.GetFileName(seen));
        Assert.Equal(["0 $Label1", "1 work"], await File.ReadAllLinesAsync(Root + "/dovecot-keywords", Cancel));
        string[] list = await File.ReadAllLinesAsync(Root + "/dovecot-uidlist", Cancel);
        Assert.Equal($"3 V{receipt.Validity.Value} N2 G{receipt.Mailbox.Value}", list[0]);
        Assert.Equal($"1 G{receipt.Messages[0].EmailId.Value} :{Path.GetFileName(fresh)}", list[1]);
        Assert.Contains("Archive", await File.ReadAllLinesAsync(Root + "/subscriptions", Cancel));
    }

    [Fact]
    public async Task A_foreign_delivery_flag_change_and_removal_are_noticed()
    {
        IMailStore store = await _server.MustOpenAsync(Ann);
        AppendReceipt receipt = await store.MustAppendAsync(_server, "INBOX", Text("ours"));
        await File.WriteAllTextAsync(Root + "/new/17000.theirs.host", "Subject: theirs\n\nLF alone\n", Cancel);
        Assert.Equal(2, (await LookAsync(store)).Messages);
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        Assert.Equal("Subject: theirs\r\n\r\nLF alone\r\n", await store.ContentAsync(receipt.Mailbox, new(2)));
        Assert.Equal("Subject: theirs\r\n\r\nLF alone\r\n".Length, box.Current[1].Size);

        File.Move(Root + "/new/17000.theirs.host", Root + "/cur/17000.theirs.host:2,FS");
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1, 2), new(FlagOperation.Add, SystemFlags.Answered, KeywordSet.Empty), null, Cancel)); // a wish of ours on its way
        await LookAsync(store);
        Assert.Equal(SystemFlags.Answered | SystemFlags.Flagged | SystemFlags.Seen, box.Current[1].Flags);
        Assert.Equal(SystemFlags.Answered, box.Current[0].Flags);
        Assert.Equal("Subject: theirs\r\n\r\nLF alone\r\n", await store.ContentAsync(receipt.Mailbox, new(2)));

        foreach (string file in Directory.GetFiles(Root + "/cur", "17000*")) File.Delete(file);
        await LookAsync(store);
        await LookAsync(store); // one listing is not proof
        // The background looks too; a look during which the test moves the clock seems to take long, and puts others off.
        for (int i = 0; i < 100 && box.Current.Count > 1; i++) await LookAsync(store);
        Assert.Equal(Uids(1), box.Current.Rows().Select(row => row.Uid));
        Assert.Equal(Uids(2), await store.ExpungedUidsAsync(receipt.Mailbox, new(0)));
        await store.DisposeAsync();

        await RestartAsync();
        store = await _server.MustOpenAsync(Ann);
        MailboxStatus status = await LookAsync(store);
        Assert.Equal((1, new Uid(3)), (status.Messages, status.UidNext));
    }

    [Fact]
    public async Task Expunged_files_are_kept_for_a_week()
    {
        IMailStore store = await _server.MustOpenAsync(Ann);
        AppendReceipt receipt = await store.MustAppendAsync(_server, "INBOX", Text("one"));
        Must(await store.CreateAsync(Name("Doomed"), SpecialUse.None, Cancel));
        await store.MustAppendAsync(_server, "Doomed", Text("two"));
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(1), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await store.ExpungeAsync(receipt.Mailbox, null, Cancel));
        Must(await store.DeleteAsync(Name("Doomed"), Cancel));
        await store.DisposeAsync();
        string expunged = Root + "/posthorn/expunged";
        _time.Advance(TimeSpan.FromDays(6));
        await RestartAsync();
        Assert.Equal(2, Directory.GetFileSystemEntries(expunged).Length);
        await (await _server.MustOpenAsync(Ann)).DisposeAsync();
        _time.Advance(TimeSpan.FromDays(2));
        await RestartAsync();
        Assert.Empty(Directory.GetFileSystemEntries(expunged));
    }

    [Fact]
    public async Task A_missing_marker_makes_the_mail_unavailable_and_removes_nothing()
    {
        IMailStore store = await _server.MustOpenAsync(Ann);
        await store.MustAppendAsync(_server, "INBOX", Text("one"));
        await store.DisposeAsync();
        await _server.DisposeAsync();
        Directory.Move(Root, Root + ".away");
        await StartAsync();
        Refused(RefusalKind.Unavailable, await _server.OpenAsync(Ann, Cancel));
        Assert.False(Directory.Exists(Root));
        Directory.Move(Root + ".away", Root);
        store = await _server.MustOpenAsync(Ann);
        Assert.Equal(1, (await LookAsync(store)).Messages);
    }

    // Two volumes were exchanged, or a copy of another account's mail was put there.
    [Fact]
    public async Task A_marker_of_another_catalogue_makes_the_mail_unavailable_and_removes_nothing()
    {
        IMailStore store = await _server.MustOpenAsync(Ann);
        await store.MustAppendAsync(_server, "INBOX", Text("one"));
        await store.DisposeAsync();
        await _server.DisposeAsync();
        string marker = Root + "/posthorn/id";
        string ours = await File.ReadAllTextAsync(marker, Cancel);
        await File.WriteAllTextAsync(marker, new string('0', 32), Cancel);
        string[] before = [.. Directory.GetFiles(Root, "*", SearchOption.AllDirectories).Order()];
        await StartAsync();
        Result<IMailStore> refused = await _server.OpenAsync(Ann, Cancel);
        Refused(RefusalKind.Unavailable, refused);
        await Assert.ThrowsAnyAsync<Exception>(async () => await _server.MustDeliverAsync(Ann, Text("two")));
        Assert.Equal(before, Directory.GetFiles(Root, "*", SearchOption.AllDirectories).Order());
        await File.WriteAllTextAsync(marker, ours, Cancel);
        store = await _server.MustOpenAsync(Ann);
        Assert.Equal(1, (await LookAsync(store)).Messages);
    }

    [Fact]
    public async Task A_lost_or_damaged_catalogue_is_made_again_from_the_mail()
    {
        IMailStore store = await _server.MustOpenAsync(Ann);
        AppendReceipt receipt = await store.MustAppendAsync(_server, "INBOX", Text("one"), Text("two"), Text("three"));
        Must(await store.ChangeFlagsAsync(receipt.Mailbox, Uids(2), new(FlagOperation.Add, SystemFlags.Seen, Keywords("k")), null, Cancel));
        Placement placed = Must(await store.MoveAsync(receipt.Mailbox, Uids(3), Name("Archive"), Cancel));
        foreach (bool lost in (bool[])[true, false])
        {
            IReadOnlyList<MailboxInfo> before = await store.ListAsync(Cancel);
            ModSeq modSeq = Must(await store.StatusAsync(Name("INBOX"), Cancel)).HighestModSeq;
            await store.DisposeAsync();
            await _server.DisposeAsync();
            string catalogue = Directory.GetFiles(_directory + "/accounts", "catalogue.db", SearchOption.AllDirectories).Single();
            if (lost) File.Delete(catalogue);
            else await File.WriteAllBytesAsync(catalogue, Encoding.ASCII.GetBytes(new string('x', 20_000)), Cancel);
            await StartAsync();
            store = await _server.MustOpenAsync(Ann);
            Assert.Equal(before.Select(info => info with { HighestModSeq = default }), (await store.ListAsync(Cancel)).Select(info => info with { HighestModSeq = default }));
            await using IMailbox box = await store.MustSelectAsync("INBOX");
            Assert.Equal(Uids(1, 2), box.Current.Rows().Select(row => row.Uid));
            Assert.Equal((receipt.Validity, new Uid(4)), (box.Current.Validity, box.Current.UidNext));
            Assert.Equal((SystemFlags.Seen, Keywords("k")), (box.Current[1].Flags, box.Current[1].Keywords));
            Assert.Equal(new DateTimeOffset(2024, 1, 2, 1, 4, 5, TimeSpan.Zero), box.Current[0].InternalDate);
            Assert.True(box.Current.HighestModSeq > modSeq);
            Assert.Equal(Text("three"), await store.ContentAsync(placed.Target, placed.Targets[0]));
            Assert.Equal(receipt.Messages[2].EmailId, (await store.SummariesAsync(placed.Target, SummaryFields.Ids, placed.Targets[0]))[0].EmailId);
            Assert.Equal(Uids(3), await store.ExpungedUidsAsync(receipt.Mailbox, modSeq)); // below the floor: every absent UID
        }
    }

    [Fact]
    public async Task What_is_gone_from_a_list_of_billions_is_a_few_ranges()
    {
        foreach (string part in (string[])["new", "cur", "tmp"]) Directory.CreateDirectory($"{Root}/{part}");
        foreach (int number in (int[])[1, 2, 3]) await File.WriteAllTextAsync($"{Root}/cur/{number}.a.b:2,S", "Subject: x\r\n\r\n", Cancel);
        await File.WriteAllTextAsync(Root + "/dovecot-uidlist", "3 V77 N4000000290 G0123456789abcdef0123456789abcdef\n1 :1.a.b\n70 :2.a.b\n4000000000 :3.a.b\n", Cancel);
        IMailStore store = await _server.MustOpenAsync(Ann);
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        Assert.Equal(new Uid(4000000290), box.Current.UidNext);
        MailboxId inbox = box.Info.Id!.Value;
        await store.ExpungedSinceAsync(inbox, new(1), Cancel);
        long before = GC.GetAllocatedBytesForCurrentThread();
        IReadOnlyList<UidRange> gone = await store.ExpungedSinceAsync(inbox, new(1), Cancel);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
        Assert.Equal([new(new(2), new(69)), new(new(71), new(3999999999)), new(new(4000000001), new(4000000289))], gone);
        await store.DisposeAsync();
    }

    [Fact]
    public async Task A_tree_of_Dovecot_is_taken_in_as_it_is()
    {
        foreach (string folder in (string[])["", "/.Sent", "/.Work.&ZeVnLIqe-"])
            foreach (string part in (string[])["new", "cur", "tmp"]) Directory.CreateDirectory($"{Root}{folder}/{part}");
        await File.WriteAllTextAsync(Root + "/cur/100.M1P1.old,S=20,W=23:2,RSb", "Subject: one\n\nhello\n", Cancel);
        await File.WriteAllTextAsync(Root + "/new/200.M1P1.old", "Subject: two\r\n\r\nhello\r\n", Cancel);
        await File.WriteAllTextAsync(Root + "/new/300.M1P1.old", "Subject: three\r\n\r\nunlisted\r\n", Cancel);
        await File.WriteAllTextAsync(Root + "/dovecot-uidlist", "3 V1234567 N70 G0123456789abcdef0123456789abcdef\n17 :100.M1P1.old,S=20,W=23\n42 Gfeedfacefeedface W23 :200.M1P1.old\n43 :gone.M1P1.old\n", Cancel);
        await File.WriteAllTextAsync(Root + "/dovecot-keywords", "0 $Forwarded\n1 work\n", Cancel);
        await File.WriteAllTextAsync(Root + "/subscriptions", "V\t2\n\nSent\nWork\t&ZeVnLIqe-\nGone\n", Cancel);
        await File.WriteAllTextAsync(Root + "/dovecot-uidvalidity", "7fffff00", Cancel);

        IMailStore store = await _server.MustOpenAsync(Ann);
        MailboxStatus status = await LookAsync(store);
        Assert.Equal((new UidValidity(1234567), new Uid(71), 3), (status.Validity, status.UidNext, status.Messages));
        Assert.Equal("0123456789abcdef0123456789abcdef", status.Info.Id!.Value.Value);
        await using IMailbox box = await store.MustSelectAsync("INBOX");
        Assert.Equal(Uids(17, 42, 70), box.Current.Rows().Select(row => row.Uid));
        Assert.Equal((SystemFlags.Answered | SystemFlags.Seen, Keywords("work"), 23L), (box.Current[0].Flags, box.Current[0].Keywords, box.Current[0].Size));
        Assert.Equal("feedfacefeedface", (await store.SummariesAsync(status.Info.Id.Value, SummaryFields.Ids, new Uid(42)))[0].EmailId.Value);
        IReadOnlyList<MailboxInfo> list = await store.ListAsync(Cancel);
        Assert.Equal(["Gone", "Sent", "Work.日本語"], list.Where(info => info.IsSubscribed).Select(info => info.Name.Value));
        Assert.Equal(SpecialUse.Sent, list.Single(info => info.Name.Value == "Sent").Use);
        MailboxInfo made = Must(await store.CreateAsync(Name("Fresh"), SpecialUse.None, Cancel));
        Assert.True(Must(await store.StatusAsync(made.Name, Cancel)).Validity.Value > 0x7fffff00);
    }

    [Fact]
    public async Task A_disk_that_refuses_delays_files_and_loses_nothing()
    {
        Testing.Volumes.CrashVolume volume = new(_time);
        volume.MakeDirectory("/data");
        MaildirHarness server = new("/data", volume, _time, _directory + "/other")
        {
            JournalOptions = new() { Directory = "/data/journal", SegmentSize = 256 << 10, BackgroundWork = false },
        };
        Directory.CreateDirectory(_directory + "/other");
        await server.StartAsync();
        MailAccount ann = MaildirHarness.Account("/data", "ann");
        IMailStore store = await server.MustOpenAsync(ann);
        volume.Fault = (operation, path) => path.Contains("/new/", StringComparison.Ordinal) ? VolumeError.NoSpace : null;
        AppendReceipt receipt = await store.MustAppendAsync(server, "INBOX", Text("one"));
        Assert.Equal(Text("one"), await store.ContentAsync(receipt.Mailbox, new(1)));
        await server.Journal.CheckpointAsync(Cancel);
        Assert.NotEmpty(volume.List("/data/journal/held", times: false)); // no checkpoint forgets it
        volume.Fault = null;
        await store.MustAppendAsync(server, "Archive", Text("two"));
        await server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(Text("one"), await store.ContentAsync(receipt.Mailbox, new(1)));
        Assert.Single(volume.List("/data/mail/ann/new", times: false));
        await store.DisposeAsync();
        await server.DisposeAsync();
    }
}
