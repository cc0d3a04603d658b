using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Changes;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Folders that a disk does not let be made, moved or removed: what comes behind is not kept waiting, the server starts, and nothing that was told is lost.</summary>
public sealed class FolderTroubleTests : OnCrashVolume
{
    private const string Root = "/other/mail/bob";
    private static readonly MailAccount Bob = MaildirHarness.Account("/other", "bob");
    private static readonly MailAccount Ann = MaildirHarness.Account("/data", "ann");

    private IMailStore _store = null!;
    private MailboxId _work;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _store = await _server.MustOpenAsync(Bob);
        Must(await _store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
        Must(await _store.CreateAsync(Name("Work.Sub"), SpecialUse.None, Cancel));
        _work = (await _store.MustAppendAsync(_server, "Work", Text("w1"))).Mailbox;
        await _server.Journal.CheckpointAsync(Cancel);
    }

    public override async ValueTask DisposeAsync()
    {
        _volume.Fault = null;
        await _store.DisposeAsync();
        await base.DisposeAsync();
    }

    private async ValueTask RestartAsync(bool loseCatalogue = false, Action? meanwhile = null)
    {
        await _store.DisposeAsync();
        await _server.StopAsync(kill: true);
        if (loseCatalogue)
            foreach (string file in Directory.GetFiles(_directory + "/accounts/example.org/bob", "catalogue.db*")) File.Delete(file);
        meanwhile?.Invoke();
        await _server.StartAsync();
    }

    private async ValueTask<string[]> ReadAsync(string mailbox)
    {
        await using IMailbox box = await _store.MustSelectAsync(mailbox, readOnly: true);
        List<string> texts = [];
        foreach (MessageRow row in box.Current.Rows()) texts.Add(await _store.ContentAsync(box.Info.Id!.Value, row.Uid));
        return [.. texts];
    }

    private async ValueTask<string[]> NamesAsync() => [.. (await _store.ListAsync(Cancel)).Select(info => info.Name.Value).Where(name => name.Contains("Work", StringComparison.Ordinal) || name.Contains("Play", StringComparison.Ordinal))];

    private static Func<string, string, VolumeError?> Fixed(string folder, VolumeError error) => (operation, path) => operation == "rename" && path == $"{Root}/{folder}" ? error : null;

    [Theory]
    [InlineData(VolumeError.Busy)] // a volume is mounted there
    [InlineData(VolumeError.Permission)]
    [InlineData(VolumeError.ReadOnly)]
    [InlineData(VolumeError.Io)]
    public async Task A_folder_that_cannot_be_moved_stays_and_keeps_nothing_waiting(VolumeError error)
    {
        _volume.Fault = Fixed(".Work", error);
        Refused(RefusalKind.Unavailable, await _store.RenameAsync(Name("Work"), Name("Play"), Cancel));
        await _server.MustDeliverAsync(Bob, Text("behind it"));
        await _server.MustDeliverAsync(Bob, Text("w2"), "Work");
        Must(await _store.ChangeFlagsAsync(_work, Uids(1), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        Must(await _store.CopyAsync(_work, Uids(1), Name("Archive"), Cancel));
        Must(await _store.CreateAsync(Name("Play"), SpecialUse.None, Cancel)); // its name is free
        for (int start = 0; start < 2; start++)
        {
            Assert.Equal(["Play", "Work", "Work.Sub"], await NamesAsync());
            Assert.Equal([Text("behind it")], await ReadAsync("INBOX"));
            Assert.Equal([Text("w1"), Text("w2")], await ReadAsync("Work"));
            Assert.Equal([Text("w1")], await ReadAsync("Archive"));
            if (start > 0) break;
            await RestartAsync();
            _store = await _server.MustOpenAsync(Bob);
        }

        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(_server.Journal.Settled, _server.Journal.Checkpointed);
        _volume.Fault = null;
        Must(await _store.DeleteAsync(Name("Work"), Cancel));
        Assert.False(_volume.TryStat(Root + "/.Work", out _));
    }

    // It was recorded before the disk refused: the mailbox is gone, its folder goes when the disk allows it, and until then nobody's mail comes into that.
    [Theory]
    [InlineData(VolumeError.Io)]
    [InlineData(VolumeError.NoSpace)]
    [InlineData(VolumeError.Busy)]
    public async Task A_folder_that_cannot_be_removed_keeps_nothing_waiting_and_is_nobody_elses(VolumeError error)
    {
        _volume.Fault = Fixed(".Work", error);
        Must(await _store.DeleteAsync(Name("Work"), Cancel));
        MailboxId inbox = (await _store.MustAppendAsync(_server, "INBOX", Text("behind it"))).Mailbox;
        Must(await _store.ChangeFlagsAsync(inbox, Uids(1), new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, Cancel));
        for (int start = 0; start < 2; start++)
        {
            Refused(RefusalKind.Unavailable, await _store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
            Refused(RefusalKind.Unavailable, await _store.RenameAsync(MailboxName.Inbox, Name("Work"), Cancel));
            Assert.False((await _store.RenameAsync(Name("Archive"), Name("Work"), Cancel)).IsOk);
            Assert.Equal(["Work.Sub"], await NamesAsync());
            await using (IMessageSink sink = await _server.SinkAsync(Text($"d{start}")))
                Must((await ((IMailStores)_server).DeliverAsync(sink, [new(Bob, Name("Work"), SystemFlags.None, KeywordSet.Empty, default) { Create = true }], null, Cancel)).Outcomes[0]);
            Assert.Equal(start + 2, (await ReadAsync("INBOX")).Length);
            _time.Advance(TimeSpan.FromMinutes(1));
            await _server.Journal.CheckpointAsync(Cancel);
            Assert.Equal(_server.Journal.Settled, _server.Journal.Checkpointed);
            Assert.NotEmpty(_volume.List("/data/journal/held", times: false));
            if (start > 0) break;
            await RestartAsync();
            _store = await _server.MustOpenAsync(Bob);
        }

        _volume.Fault = null;
        await _server.MustDeliverAsync(Bob, Text("one more"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.False(_volume.TryStat(Root + "/.Work", out _));
        Assert.Empty(_volume.List("/data/journal/held", times: false));
        Must(await _store.CreateAsync(Name("Work"), SpecialUse.None, Cancel));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Empty(await ReadAsync("Work"));
    }

    [Fact]
    public async Task A_tree_is_renamed_whole_or_not_at_all()
    {
        _volume.Fault = Fixed(".Work.Sub", VolumeError.Busy);
        Refused(RefusalKind.Unavailable, await _store.RenameAsync(Name("Work"), Name("Play"), Cancel));
        Assert.Equal(["Work", "Work.Sub"], await NamesAsync());
        Assert.True(_volume.TryStat(Root + "/.Work", out _) && _volume.TryStat(Root + "/.Work.Sub", out _));
        Assert.False(_volume.TryStat(Root + "/.Play", out _));
        Assert.Equal([Text("w1")], await ReadAsync("Work"));
        _volume.Fault = null;
        Must(await _store.RenameAsync(Name("Work"), Name("Play"), Cancel));
        Assert.Equal(["Play", "Play.Sub"], await NamesAsync());
        Assert.Equal([Text("w1")], await ReadAsync("Play"));
    }

    // Nothing is recorded then: what comes into it afterwards comes into a mailbox that is there.
    [Theory]
    [InlineData("/.Work")]
    [InlineData("")]
    public async Task A_folder_that_may_not_be_changed_is_not_removed(string forbidden)
    {
        _volume.Forbidden = path => path == Root + forbidden;
        long before = _server.Journal.Statistics.Records;
        Refused(RefusalKind.Unavailable, await _store.DeleteAsync(Name("Work"), Cancel));
        Assert.Equal(before, _server.Journal.Statistics.Records);
        await _server.MustDeliverAsync(Bob, Text("w2"), "Work");
        Assert.Equal([Text("w1"), Text("w2")], await ReadAsync("Work"));
        _volume.Forbidden = null;
        Must(await _store.DeleteAsync(Name("Work"), Cancel));
        Assert.Equal(["Work.Sub"], await NamesAsync());
    }

    // The client was told that it stays as it was called.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_renaming_that_was_refused_does_not_come_true_when_the_catalogue_is_lost(bool mended)
    {
        _volume.Fault = Fixed(".Work", VolumeError.Busy);
        Refused(RefusalKind.Unavailable, await _store.RenameAsync(Name("Work"), Name("Play"), Cancel));
        await _store.MustAppendAsync(_server, "Work", Text("w2"));
        if (mended) _volume.Fault = null;
        await RestartAsync(loseCatalogue: true);
        _store = await _server.MustOpenAsync(Bob);
        Assert.Equal(["Work", "Work.Sub"], await NamesAsync());
        Assert.Equal([Text("w1"), Text("w2")], await ReadAsync("Work"));
    }

    // In the moment between the refusal and the record that undoes it.
    [Theory]
    [InlineData("Other", false)]
    [InlineData("Other", true)]
    [InlineData(null, false)]
    [InlineData(null, true)]
    public async Task What_another_session_does_to_a_name_before_a_refused_renaming_is_undone_stays(string? other, bool loseCatalogue)
    {
        Account account = _server.Stores.OpenAccounts.Single(one => one.Who.Equals(Bob));
        Recorder recorder = new(_server.Journal, _time);
        FolderChanges folders = new(account, new(account, recorder), new(recorder, null!, null!, null!, null!, null!, new() { AccountsDirectory = "" }), null!);
        List<Change> changes = [.. account.Mailboxes.All().Where(box => box.Name.Value.StartsWith("Work", StringComparison.Ordinal)).OrderBy(box => box.Name.Value, StringComparer.Ordinal)
            .Select(box => new Change.Rename(box.Mailbox, box.Name, Name("Play" + box.Name.Value[4..])))];
        Assert.Equal(2, changes.Count);
        _volume.Fault = Fixed(".Work", VolumeError.Busy);
        Operation refused;
        lock (account.Gate) refused = recorder.Append(account, changes, null, 0, 0);
        await account.CompleteAsync(refused);
        Assert.NotNull(refused.Refusal);
        _volume.Fault = null;
        string[] expected = other is null ? ["Work.Sub"] : [other, other + ".Sub"];
        Must(other is null ? await _store.DeleteAsync(Name("Work"), Cancel) : await _store.RenameAsync(Name("Work"), Name(other), Cancel));
        Must(await _store.CreateAsync(Name("Play.Sub"), SpecialUse.None, Cancel));
        await folders.UndoAsync(changes);
        for (int start = 0; start < 2; start++)
        {
            Assert.Equal(expected.Append("Play.Sub").Order(StringComparer.Ordinal), (await NamesAsync()).Concat(await OthersAsync()).Order(StringComparer.Ordinal));
            if (start > 0) break;
            await RestartAsync(loseCatalogue);
            _store = await _server.MustOpenAsync(Bob);
        }

        async ValueTask<IEnumerable<string>> OthersAsync() => (await _store.ListAsync(Cancel)).Select(info => info.Name.Value).Where(name => name.StartsWith("Other", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(VolumeError.NoSpace, false)]
    [InlineData(VolumeError.ReadOnly, true)]
    [InlineData(VolumeError.Permission, true)]
    [InlineData(VolumeError.Io, true)]
    public async Task A_folder_that_cannot_be_made_is_made_later(VolumeError error, bool restart)
    {
        _volume.Fault = (operation, path) => operation != "read" && path.StartsWith(Root, StringComparison.Ordinal) ? error : null;
        MailboxId made = Must(await _store.CreateAsync(Name("New"), SpecialUse.None, Cancel)).Id!.Value;
        await _store.MustAppendAsync(_server, "New", Text("n1"));
        await _server.MustDeliverAsync(Bob, Text("n2"), "New");
        Must(await _store.RenameAsync(Name("New"), Name("Newer"), Cancel));
        Must(await _store.CopyAsync(made, Uids(1), Name("Archive"), Cancel));
        Assert.Equal([Text("n1"), Text("n2")], await ReadAsync("Newer"));
        await _server.Journal.CheckpointAsync(Cancel); // its records are held, nobody waits for it
        Assert.Equal(_server.Journal.Settled, _server.Journal.Checkpointed);
        Assert.NotEmpty(_volume.List("/data/journal/held", times: false));
        if (restart)
        {
            await RestartAsync();
            _store = await _server.MustOpenAsync(Bob);
            Assert.Equal([Text("n1"), Text("n2")], await ReadAsync("Newer"));
            await _server.Journal.CheckpointAsync(Cancel);
        }

        _volume.Fault = null;
        await _server.MustDeliverAsync(Bob, Text("n3"), "Newer");
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Empty(_volume.List("/data/journal/held", times: false));
        Assert.Equal([Text("n1"), Text("n2"), Text("n3")], await ReadAsync("Newer"));
        Assert.Equal([Text("n1")], await ReadAsync("Archive"));
        Assert.Equal(3, ((string[])["cur", "new"]).Sum(part => _volume.List($"{Root}/.Newer/{part}", times: false).Count));
        Assert.False(_volume.TryStat(Root + "/.New", out _));
    }

    // The rename was told, the power cut undid it on disk and took the catalogue, and now the disk refuses it.
    [Fact]
    public async Task A_record_that_a_volume_refuses_on_replay_waits_and_everybody_else_is_served()
    {
        Must(await _store.RenameAsync(Name("Work"), Name("Play"), Cancel));
        await _server.MustDeliverAsync(Bob, Text("p2"), "Play");
        await _server.MustDeliverAsync(Ann, Text("ann's"));
        await RestartAsync(loseCatalogue: true, () =>
        {
            _volume.Rename(Root + "/.Play", Root + "/.Work");
            _volume.Fault = Fixed(".Work", VolumeError.Io);
        });
        Refused(RefusalKind.Unavailable, await _server.OpenAsync(Bob, Cancel));
        await using (IMailStore ann = await _server.MustOpenAsync(Ann)) Assert.Equal(1, Must(await ann.StatusAsync(MailboxName.Inbox, Cancel)).Messages);
        await _server.MustDeliverAsync(Ann, Text("goes on"));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Equal(_server.Journal.Settled, _server.Journal.Checkpointed);
        Refused(RefusalKind.Unavailable, await _server.OpenAsync(Bob, Cancel));
        _volume.Fault = null;
        _store = await _server.MustOpenAsync(Bob);
        Assert.Equal(["Play", "Play.Sub"], await NamesAsync());
        Assert.Equal([Text("w1"), Text("p2")], await ReadAsync("Play"));
        await _server.MustDeliverAsync(Bob, Text("p3"), "Play");
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Empty(_volume.List("/data/journal/held", times: false));
    }

    // Its mail would be told as removed otherwise, since it lay under the old name.
    [Fact]
    public async Task A_name_under_which_another_program_made_a_folder_is_taken()
    {
        foreach (string path in (string[])["", "/cur", "/new", "/tmp"]) _volume.MakeDirectory($"{Root}/.Play{path}");
        Refused(RefusalKind.AlreadyExists, await _store.RenameAsync(Name("Work"), Name("Play"), Cancel));
        for (int look = 0; look < 3; look++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            Assert.Equal(1, Must(await _store.StatusAsync(Name("Work"), Cancel)).Messages);
        }

        Assert.Equal(["Work", "Work.Sub"], await NamesAsync());
        Assert.Equal([Text("w1")], await ReadAsync("Work"));
    }

    // Nothing may be recorded that no disk can do.
    [Fact]
    public async Task A_name_too_long_for_the_disk_is_refused_before_it_is_recorded_for_children_too()
    {
        string deep = "Work.Sub." + new string('d', 245);
        Must(await _store.CreateAsync(Name(deep), SpecialUse.None, Cancel));
        string[] before = await NamesAsync();
        long records = _server.Journal.Statistics.Records;
        Refused(RefusalKind.BadName, await _store.CreateAsync(Name(new string('n', 255)), SpecialUse.None, Cancel));
        Refused(RefusalKind.BadName, await _store.CreateAsync(Name(new string('ä', 100)), SpecialUse.None, Cancel));
        Refused(RefusalKind.BadName, await _store.RenameAsync(Name("Work"), Name("Works"), Cancel));
        Refused(RefusalKind.BadName, await _store.RenameAsync(MailboxName.Inbox, Name(new string('n', 255)), Cancel));
        Assert.Equal(records, _server.Journal.Statistics.Records);
        Assert.Equal(before, await NamesAsync());
        Must(await _store.RenameAsync(Name("Work"), Name("Play"), Cancel));
    }

    [Fact]
    public async Task A_name_under_which_a_file_stands_makes_no_mailbox()
    {
        _volume.Open(Root + "/.File", VolumeOpen.CreateNew).Dispose();
        Refused(RefusalKind.BadName, await _store.CreateAsync(Name("File"), SpecialUse.None, Cancel));
        Assert.True(_volume.TryStat(Root + "/.File", out _));
    }
}
