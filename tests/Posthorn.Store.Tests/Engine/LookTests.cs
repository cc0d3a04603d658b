using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Looks at a folder while the account is in trouble, while others move files in it, and after its list was lost: each file is one message, and none is taken away.</summary>
public sealed class LookTests : OnCrashVolume
{
    private const string Root = "/data/mail/ann";
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private IMailStore _store = null!;

    private protected override JournalOptions JournalOptions => new() { Directory = "/data/journal", SegmentSize = 64 << 10, Segments = 3, BackgroundWork = false };

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _store = await _server.MustOpenAsync(Ann);
    }

    public override async ValueTask DisposeAsync()
    {
        _volume.Fault = null;
        await _store.DisposeAsync();
        await base.DisposeAsync();
    }

    private void Deliver(string name, string text)
    {
        using (IVolumeFile file = _volume.Open($"{Root}/tmp/{name}", VolumeOpen.CreateNew)) file.Write(0, System.Text.Encoding.Latin1.GetBytes(text));
        _volume.Rename($"{Root}/tmp/{name}", $"{Root}/new/{name}");
    }

    private async ValueTask<int> LookAsync(string mailbox = "INBOX")
    {
        _time.Advance(TimeSpan.FromMinutes(1));
        return Must(await _store.StatusAsync(Name(mailbox), Cancel)).Messages;
    }

    private async ValueTask<string[]> ReadAsync(string mailbox = "INBOX")
    {
        await using IMailbox box = await _store.MustSelectAsync(mailbox, readOnly: true);
        List<string> texts = [];
        foreach (MessageRow row in box.Current.Rows()) texts.Add(await _store.ContentAsync(box.Info.Id!.Value, row.Uid));
        return [.. texts];
    }

    // A copy of mail that only its file has cannot be put off: as long as the disk refuses it, what comes behind waits.
    private async ValueTask<MailboxId> JamAsync(Func<string, bool> links, params uint[] uids)
    {
        await using IMailbox inbox = await _store.MustSelectAsync("INBOX", readOnly: true);
        MailboxId id = inbox.Info.Id!.Value;
        _volume.Fault = (operation, path) => operation == "link" && links(path) ? VolumeError.NoSpace : null;
        Placement placed = Must(await _store.CopyAsync(id, Uids(uids), Name("Archive"), Cancel)); // it is durable: a NO would have it done twice
        Assert.Equal(Uids(uids), placed.Sources);
        return id;
    }

    [Fact]
    public async Task Foreign_mail_is_taken_in_once_however_often_somebody_looks_while_nothing_can_be_applied()
    {
        Deliver("1.first.theirs", Text("first"));
        Assert.Equal(1, await LookAsync());
        await JamAsync(_ => true, 1);
        Deliver("2.second.theirs", Text("second"));
        for (int look = 0; look < 4; look++) Assert.Equal(1, await LookAsync());
        _volume.Fault = null;
        for (int look = 0; look < 3; look++) Assert.Equal(2, await LookAsync());
        Assert.Equal([Text("first"), Text("second")], await ReadAsync());
        Assert.Equal([Text("first")], await ReadAsync("Archive"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(2, await LookAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Files_of_what_could_not_be_applied_yet_are_nobodys_delivery(bool restart)
    {
        await _server.MustDeliverAsync(Ann, Text("ours"));
        Deliver("1.first.theirs", Text("first"));
        Assert.Equal(2, await LookAsync());
        await JamAsync(path => path.Contains("_1.", StringComparison.Ordinal), 1, 2); // the first is linked, the second is not
        for (int look = 0; look < 4; look++) Assert.Equal(0, await LookAsync("Archive"));
        if (restart)
        {
            await _store.DisposeAsync();
            await _server.StopAsync(kill: true);
            _volume.Fault = null;
            await _server.StartAsync();
            _store = await _server.MustOpenAsync(Ann);
        }

        _volume.Fault = null;
        for (int look = 0; look < 3; look++) Assert.Equal(2, await LookAsync("Archive"));
        Assert.Equal([Text("ours"), Text("first")], await ReadAsync("Archive"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(2, await LookAsync("Archive"));
    }

    // As another program's rename between the two listings looks.
    [Fact]
    public async Task A_file_that_is_seen_in_new_and_in_cur_is_one_message()
    {
        Deliver("1.first.theirs", Text("first"));
        _volume.Link($"{Root}/new/1.first.theirs", $"{Root}/cur/1.first.theirs:2,S");
        Assert.Equal(1, await LookAsync());
        _volume.Unlink($"{Root}/new/1.first.theirs");
        for (int look = 0; look < 3; look++) Assert.Equal(1, await LookAsync());
        await using IMailbox inbox = await _store.MustSelectAsync("INBOX", readOnly: true);
        Assert.Equal(SystemFlags.Seen, Assert.Single(inbox.Current.Rows()).Flags);
        Assert.Equal(Text("first"), await _store.ContentAsync(inbox.Info.Id!.Value, new(1)));
    }

    // After a power cut, what is ours by its name and no message has is a left-over, as long as the folder's list can be believed.
    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task Mail_of_a_folder_whose_list_is_lost_is_no_left_over(bool checkpointed, bool loseList)
    {
        await _store.MustAppendAsync(_server, "Drafts", Text("draft"));
        for (int i = 0; i < 5; i++) await _server.MustDeliverAsync(Ann, Text($"number {i}"));
        await _server.Journal.CheckpointAsync(Cancel);
        if (!checkpointed)
            for (int i = 5; i < 7; i++) await _server.MustDeliverAsync(Ann, Text($"number {i}"));
        string[] told = await ReadAsync();
        await _store.DisposeAsync();
        await _server.StopAsync(kill: true);
        _server.BootId = "boot 2";
        foreach (string file in Directory.GetFiles(_directory + "/accounts/example.org/ann", "catalogue.db*")) File.Delete(file);
        if (loseList)
            foreach (string folder in (string[])["", "/.Drafts"]) _volume.Unlink($"{Root}{folder}/dovecot-uidlist");
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Ann);
        for (int look = 0; look < 3; look++) Assert.Equal((told.Length, 1), (await LookAsync(), await LookAsync("Drafts")));
        Assert.Equal(told, (await ReadAsync()).Order());
        Assert.Equal([Text("draft")], await ReadAsync("Drafts"));
        Assert.Empty(_volume.List(Root + "/posthorn/expunged", times: false));
    }

    // A list as it was long ago, from a backup: more files than any crash leaves behind are mail.
    [Fact]
    public async Task Many_files_that_no_message_has_are_mail()
    {
        await _server.Journal.CheckpointAsync(Cancel);
        byte[] old;
        using (IVolumeFile file = _volume.Open(Root + "/dovecot-uidlist", VolumeOpen.Read))
        {
            old = new byte[file.Length];
            file.Read(0, old);
        }

        for (int i = 0; i < 20; i++) await _server.MustDeliverAsync(Ann, Text($"number {i}"));
        await _server.Journal.CheckpointAsync(Cancel);
        await _store.DisposeAsync();
        await _server.StopAsync(kill: true);
        _server.BootId = "boot 2";
        foreach (string file in Directory.GetFiles(_directory + "/accounts/example.org/ann", "catalogue.db*")) File.Delete(file);
        using (IVolumeFile file = _volume.Open(Root + "/dovecot-uidlist", VolumeOpen.Replace)) file.Write(0, old);
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Ann);
        await _store.MustAppendAsync(_server, "Drafts", Text("draft"));
        await _store.DisposeAsync();
        await _server.StopAsync(kill: true); // with something to replay, so that left-overs are looked for
        await _server.StartAsync();
        _store = await _server.MustOpenAsync(Ann);
        Assert.Equal(20, await LookAsync());
        Assert.Equal(20, (await ReadAsync()).Distinct().Count());
    }

    [Fact]
    public async Task A_full_journal_lets_read_where_others_changed_something_and_their_changes_are_found_later()
    {
        await _server.MustDeliverAsync(Ann, Text("first"));
        Assert.Equal(1, await LookAsync());
        await _server.Journal.CheckpointAsync(Cancel);
        string name = Assert.Single(_volume.List(Root + "/new", times: false)).Name;
        _volume.Fault = (operation, _) => operation == "syncfs" ? VolumeError.Io : null;
        for (Result<Done> done = Done.It; done.IsOk;) done = await _store.SubscribeAsync(Name("Sub" + new string('x', 90)), true, Cancel);
        _volume.Rename($"{Root}/new/{name}", $"{Root}/cur/{name}:2,FS");
        Deliver("2.second.theirs", Text("second"));
        for (int look = 0; look < 3; look++) Assert.Equal(1, await LookAsync());
        Assert.Equal([Text("first")], await ReadAsync());
        _volume.Fault = null;
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(2, await LookAsync());
        await using IMailbox inbox = await _store.MustSelectAsync("INBOX", readOnly: true);
        Assert.Equal([SystemFlags.Seen | SystemFlags.Flagged, SystemFlags.None], inbox.Current.Rows().Select(row => row.Flags));
    }
}
