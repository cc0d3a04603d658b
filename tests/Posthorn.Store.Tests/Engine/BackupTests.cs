using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Trees as backups give them back: without directories in which nothing lay.</summary>
public sealed class BackupTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("posthorn-backup-").FullName;
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
        _server = new(_directory, new LinuxVolume(), _time) { JournalOptions = new() { Directory = _directory + "/journal", SegmentSize = 1 << 20, BackgroundWork = false } };
        await _server.StartAsync();
    }

    private static void DropEmpty(string directory)
    {
        foreach (string below in Directory.GetDirectories(directory)) DropEmpty(below);
        if (Directory.GetFileSystemEntries(directory).Length == 0) Directory.Delete(directory);
    }

    private int FilesIn(string folder) => ((string[])["new", "cur"]).Sum(part => Directory.Exists($"{Root}/{folder}/{part}") ? Directory.GetFiles($"{Root}/{folder}/{part}").Length : 0);

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Mail_finds_its_place(bool loseCatalogue, bool loseFolders)
    {
        UidValidity validity;
        await using (IMailStore store = await _server.MustOpenAsync(Ann))
        {
            Must(await store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
            await store.MustAppendAsync(_server, "Work", Text("kept"));
            validity = Must(await store.StatusAsync(Name("Sent"), Cancel)).Validity;
        }

        await _server.Journal.CheckpointAsync(Cancel); // nothing makes them again on replay
        await _server.StopAsync(kill: false);
        DropEmpty(Root);
        if (loseCatalogue) Directory.Delete(_directory + "/accounts", recursive: true);
        if (loseFolders) Directory.Delete(Root + "/.Sent", recursive: true);
        Assert.False(Directory.Exists(Root + "/.Sent/cur"));
        await StartAsync();
        await using IMailStore again = await _server.MustOpenAsync(Ann);
        Assert.Equal(validity, Must(await again.StatusAsync(Name("Sent"), Cancel)).Validity);
        await _server.MustDeliverAsync(Ann, Text("delivered"));
        MailboxId sent = (await again.MustAppendAsync(_server, "Sent", Text("one"), Text("two"))).Mailbox;
        Must(await again.ChangeFlagsAsync(sent, Uids(1), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel)); // goes to cur/
        MailboxId work = (await again.FindAsync(Name("Work"), Cancel))!.Id!.Value;
        Must(await again.CopyAsync(work, Uids(1), Name("Drafts"), Cancel));
        Must(await again.MoveAsync(work, Uids(1), Name("Archive"), Cancel));
        Must(await again.ChangeFlagsAsync(sent, Uids(2), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, Cancel));
        Must(await again.ExpungeAsync(sent, null, Cancel)); // goes to posthorn/expunged/
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.False(Directory.Exists(_directory + "/journal/held") && Directory.GetFiles(_directory + "/journal/held").Length > 0, "records are held");
        Assert.Equal((1, 1, 1, 1, 0), (FilesIn(".Sent"), FilesIn(".Drafts"), FilesIn(".Archive"), FilesIn("."), FilesIn(".Work")));
        Assert.Single(Directory.GetFiles(Root + "/.Sent/cur"));
        Assert.Single(Directory.GetFiles(Root + "/posthorn/expunged"));
        for (int look = 0; look < 3; look++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            foreach ((string name, int count) in ((string, int)[])[("INBOX", 1), ("Sent", 1), ("Drafts", 1), ("Archive", 1), ("Work", 0)])
                Assert.Equal((name, count), (name, Must(await again.StatusAsync(Name(name), Cancel)).Messages));
        }
    }

    // Of Dovecot's tree, whose INBOX was empty.
    [Fact]
    public async Task A_tree_without_anything_in_INBOX_is_taken_in_as_it_was()
    {
        MailAccount ben = MaildirHarness.Account(_directory, "ben");
        Directory.CreateDirectory(ben.MailRoot + "/.Sent/cur");
        await File.WriteAllTextAsync(ben.MailRoot + "/dovecot-uidlist", "3 V1234 N8 G0123456789abcdef0123456789abcdef\n", Cancel);
        await File.WriteAllTextAsync(ben.MailRoot + "/.Sent/dovecot-uidlist", "3 V1235 N8 G1123456789abcdef0123456789abcdef\n7 :100.a.host\n", Cancel);
        await File.WriteAllTextAsync(ben.MailRoot + "/.Sent/cur/100.a.host:2,S", Text("sent"), Cancel);
        await using IMailStore store = await _server.MustOpenAsync(ben);
        MailboxStatus inbox = Must(await store.StatusAsync(Name("INBOX"), Cancel)), sent = Must(await store.StatusAsync(Name("Sent"), Cancel));
        Assert.Equal((1234u, 8u, 0), (inbox.Validity.Value, inbox.UidNext.Value, inbox.Messages));
        Assert.Equal((1235u, 8u, 1), (sent.Validity.Value, sent.UidNext.Value, sent.Messages));
        Assert.Equal(Text("sent"), await store.ContentAsync(sent.Info.Id!.Value, new(7)));
        Assert.Equal(8u, Must((await _server.MustDeliverAsync(ben, Text("new"))).Outcomes[0]).Uid.Value);
        Assert.Equal(1, Must(await store.StatusAsync(Name("INBOX"), Cancel)).Messages);
        Assert.Single(Directory.GetFiles(ben.MailRoot + "/new"));
    }
}
