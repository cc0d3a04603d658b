using Posthorn.Core;
using Posthorn.Journal.Volume;
using Posthorn.Store.Contract;
using Posthorn.Store.Engine;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>The configuration says of an account that its mail lies elsewhere than where it is open, or where another's lies.</summary>
public sealed class MovedMailTests : OnCrashVolume
{
    private static readonly MailAccount Old = MaildirHarness.Account("/data", "ann");
    private static readonly MailAccount New = Old with { MailRoot = "/other/mail/ann" };
    private readonly Dictionary<EmailAddress, MailAccount> _configured = new() { [Old.Address] = Old };

    private protected override MaildirStoreOptions Change(MaildirStoreOptions options) =>
        options with { Accounts = _configured.GetValueOrDefault, ApplyAfter = TimeSpan.FromDays(1), TidyAfter = TimeSpan.FromDays(1) };

    private void Configure(MailAccount account) => _configured[account.Address] = account;

    private void MoveTree()
    {
        _volume.MakePath("/other/mail");
        CopyTree(Old.MailRoot, New.MailRoot);
        RemoveTree(Old.MailRoot);
    }

    private void CopyTree(string from, string into)
    {
        _volume.MakePath(into);
        foreach (VolumeEntry entry in _volume.List(from, times: false))
        {
            if (entry.Kind == VolumeKind.Directory) CopyTree($"{from}/{entry.Name}", $"{into}/{entry.Name}");
            else _volume.ReplaceFile($"{into}/{entry.Name}", $"{into}/.{entry.Name}", ContentOf($"{from}/{entry.Name}"), sync: false);
        }
    }

    private byte[] ContentOf(string path)
    {
        using IVolumeFile file = _volume.Open(path, VolumeOpen.Read);
        byte[] content = new byte[file.Length];
        Assert.Equal(content.Length, file.Read(0, content));
        return content;
    }

    private void RemoveTree(string path)
    {
        foreach (VolumeEntry entry in _volume.List(path, times: false))
        {
            if (entry.Kind == VolumeKind.Directory) RemoveTree($"{path}/{entry.Name}");
            else _volume.Unlink($"{path}/{entry.Name}");
        }

        _volume.RemoveDirectory(path);
    }

    private async ValueTask HasAsync(MailAccount who, params string[] texts)
    {
        await using IMailStore store = await _server.MustOpenAsync(who);
        await using IMailbox inbox = await store.MustSelectAsync("INBOX", readOnly: true);
        List<string> found = [];
        foreach (MessageRow row in inbox.Current.Rows()) found.Add(await store.ContentAsync(inbox.Info.Id!.Value, row.Uid));
        Assert.Equal(texts.Select(Text), found);
        Assert.Equal(Enumerable.Range(1, texts.Length).Select(uid => (uint)uid), inbox.Current.Rows().Select(row => row.Uid.Value));
    }

    [Fact]
    public async Task Whoever_has_the_account_open_is_sent_away_and_nothing_more_comes_into_the_old_place()
    {
        await using IMailStore store = await _server.MustOpenAsync(Old);
        MailboxId inbox = (await store.MustAppendAsync(_server, "INBOX", Text("one"))).Mailbox;
        await (await store.MustSelectAsync("INBOX")).DisposeAsync();
        await _server.MustDeliverAsync(Old, Text("two")); // waits in the journal alone
        Configure(New);
        Refused(RefusalKind.Unavailable, await _server.OpenAsync(New, Cancel));
        Refused(RefusalKind.Unavailable, await _server.OpenAsync(Old, Cancel)); // a delivery that was decided on before
        await Assert.ThrowsAsync<MailUnavailableException>(async () => await store.MustAppendAsync(_server, "INBOX", Text("lost")));
        await Assert.ThrowsAsync<MailUnavailableException>(async () => await store.ContentAsync(inbox, new(1)));
        Assert.False(_volume.TryStat(New.MailRoot, out _));
        Assert.Single(_volume.List(Old.MailRoot + "/new", times: false));
        await _server.Journal.CheckpointAsync(Cancel);
        MoveTree();
        await _server.MustDeliverAsync(Old, Text("three"));
        await HasAsync(New, "one", "two", "three");
        Assert.False(_volume.TryStat(Old.MailRoot, out _));
        await _server.Journal.CheckpointAsync(Cancel);
        Assert.Empty(_volume.List("/data/journal/held", times: false));
    }

    [Fact]
    public async Task What_the_tree_got_after_it_was_copied_is_in_the_copy()
    {
        await using (IMailStore store = await _server.MustOpenAsync(Old)) await store.MustAppendAsync(_server, "INBOX", Text("one"));
        CopyTree(Old.MailRoot, New.MailRoot);
        await using (IMailStore store = await _server.MustOpenAsync(Old)) await store.MustAppendAsync(_server, "INBOX", Text("two"));
        Configure(New);
        await HasAsync(New, "one", "two");
        Assert.Equal(2, _volume.List(New.MailRoot + "/new", times: false).Count);
        _time.Advance(TimeSpan.FromMinutes(1));
        await HasAsync(New, "one", "two");
    }

    // Also where it was closed in order in the old place.
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task After_a_start_records_are_applied_in_the_new_place(bool kill, bool isMovedLater)
    {
        await _server.MustDeliverAsync(Old, Text("one"));
        await using (IMailStore store = await _server.MustOpenAsync(Old)) await store.MustAppendAsync(_server, "INBOX", Text("two"));
        await _server.MustDeliverAsync(Old, Text("three"));
        await _server.StopAsync(kill);
        Configure(New);
        if (!isMovedLater) MoveTree();
        await _server.StartAsync();
        if (isMovedLater)
        {
            Refused(RefusalKind.Unavailable, await _server.OpenAsync(New, Cancel));
            MoveTree();
        }

        await HasAsync(New, "one", "two", "three");
        Assert.False(_volume.TryStat(Old.MailRoot, out _));
    }

    [Fact]
    public async Task A_disk_that_refuses_what_is_to_follow_does_not_keep_the_old_place_open()
    {
        await using IMailStore store = await _server.MustOpenAsync(Old);
        MailboxId inbox = (await store.MustAppendAsync(_server, "INBOX", Text("one"))).Mailbox;
        Must(await store.CopyAsync(inbox, Uids(1), Name("Archive"), Cancel));
        Must(await store.MoveAsync(inbox, Uids(1), Name("Sent"), Cancel));
        CopyTree(Old.MailRoot, New.MailRoot);
        _volume.Fault = (_, path) => path.StartsWith(Old.MailRoot, StringComparison.Ordinal) ? VolumeError.Io : null;
        Configure(New);
        await using IMailStore moved = await _server.MustOpenAsync(New);
        foreach (string name in (string[])["Archive", "Sent"])
        {
            await using IMailbox box = await moved.MustSelectAsync(name);
            Assert.Equal(Text("one"), await moved.ContentAsync(box.Info.Id!.Value, new(1)));
        }
    }

    [Fact]
    public async Task An_account_in_anothers_tree_is_not_opened()
    {
        MailAccount bob = MaildirHarness.Account("/data", "bob") with { MailRoot = Old.MailRoot, TreeOf = Old.Address };
        Configure(bob);
        await using (IMailStore store = await _server.MustOpenAsync(Old)) await store.MustAppendAsync(_server, "INBOX", Text("one"));
        Refused(RefusalKind.Unavailable, await _server.OpenAsync(bob, Cancel));
        StoreVerifier verifier = new(new() { AccountsDirectory = _directory + "/accounts" }, _volume);
        Assert.Contains(verifier.Verify(bob, readMail: false, null, Cancel).Differences, one => one.What.Contains("ann@example.org", StringComparison.Ordinal));
        await HasAsync(Old, "one");
    }

    // By a link to the folder that is above it; once the first has its mail elsewhere, the tree is the second's.
    [Fact]
    public async Task Nor_is_one_that_comes_to_it_by_another_path()
    {
        MailAccount ann = MaildirHarness.Account(_directory, "ann"), bob = MaildirHarness.Account(_directory, "bob") with { MailRoot = _directory + "/link/ann" };
        Configure(ann);
        Configure(bob);
        await using MaildirHarness server = new(_directory, new LinuxVolume(), _time, _directory + "/linked") { Change = Change };
        await server.StartAsync();
        await using (IMailStore store = await server.MustOpenAsync(ann)) await store.MustAppendAsync(server, "INBOX", Text("one"));
        await server.Journal.CheckpointAsync(Cancel);
        Directory.CreateSymbolicLink(_directory + "/link", _directory + "/mail");
        Refused(RefusalKind.Unavailable, await server.OpenAsync(bob, Cancel));
        _configured.Remove(ann.Address);
        await using IMailStore his = await server.MustOpenAsync(bob);
        Assert.Equal(1, Must(await his.StatusAsync(MailboxName.Inbox, Cancel)).Messages);
    }
}
