using System.Text.Json;
using MailKit;
using MailKit.Net.Imap;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Dovecot;

/// <summary>A tree goes from Dovecot to Posthorn, back, and forth again: no client sees more than what was done in between.</summary>
public sealed class AdoptAndLeaveTests
{
    [Fact]
    public async Task Posthorn_goes_on_where_Dovecot_stopped()
    {
        using SharedTree tree = new();
        MailView before;
        IReadOnlyList<string> uidls;
        await using (DovecotServer dovecot = await tree.DovecotAsync()) await tree.FillAsync(dovecot);
        await tree.KeepUidlAsync(5, "from-elsewhere.5");
        await using (DovecotServer dovecot = await tree.DovecotAsync())
        {
            await tree.MbsyncAsync(dovecot.ImapPort);
            await tree.MbsyncHasNothingToDoAsync(dovecot.ImapPort);
            uidls = await SharedTree.UidlsAsync(dovecot.Pop3Port);
            before = await MailView.SeeAsync(dovecot.ImapPort, SharedTree.User);
            Assert.Empty(dovecot.Complaints);
        }

        Assert.Equal(41u, before.Folders["INBOX"].Next);
        Assert.Contains(before.Folders["INBOX"].Messages, line => line.Contains("key34", StringComparison.Ordinal) && line.Contains("key14", StringComparison.Ordinal));
        await using PosthornProcess posthorn = await tree.PosthornAsync();
        int port = posthorn.Port("imap");
        MailView after = await MailView.SeeAsync(port, SharedTree.User);
        before.MustContinueIn(after);
        foreach (string name in before.Folders.Keys)
        {
            // A client that was up to date has nothing to load.
            Assert.Equal(before.Folders[name].Highest, after.Folders[name].Highest);
            (IReadOnlyList<uint> vanished, IReadOnlyList<uint> changed) = await MailView.ResyncAsync(port, SharedTree.User, name, before.Folders[name]);
            Assert.Empty(vanished);
            Assert.Empty(changed);
        }

        await tree.MbsyncHasNothingToDoAsync(port);
        Assert.Contains("from-elsewhere.5", uidls);
        Assert.Equal(uidls, await SharedTree.UidlsAsync(posthorn.Port("pop3")));
        Assert.Equal("keep;\n", await File.ReadAllTextAsync(Path.Combine(tree.Root, "home", ".dovecot.sieve")));
        Assert.DoesNotContain(after.Folders.Keys, name => name.Contains("home", StringComparison.Ordinal) || name.Contains("posthorn", StringComparison.Ordinal));
        Assert.DoesNotContain(" warn", posthorn.Log, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Dovecot_goes_on_where_Posthorn_stopped()
    {
        using SharedTree tree = new();
        MailView old, before;
        IReadOnlyList<string> uidls;
        await using (DovecotServer dovecot = await tree.DovecotAsync())
        {
            await tree.FillAsync(dovecot);
            await tree.MbsyncAsync(dovecot.ImapPort);
            old = await MailView.SeeAsync(dovecot.ImapPort, SharedTree.User);
            uidls = await SharedTree.UidlsAsync(dovecot.Pop3Port);
        }

        await using (PosthornProcess posthorn = await tree.PosthornAsync())
        {
            await WorkAsync(posthorn.Port("imap"));
            await tree.MbsyncAsync(posthorn.Port("imap"));
            before = await MailView.SeeAsync(posthorn.Port("imap"), SharedTree.User);
            PeerResult running = await tree.CommandAsync("export", "dovecot", "--all");
            Assert.Equal(4, running.Status);
            Assert.Contains("The server runs", running.Errors, StringComparison.Ordinal);
            await posthorn.StopAsync();
        }

        PeerResult export = await tree.CommandAsync("export", "dovecot", "--account", SharedTree.User, "--json");
        Assert.True(export.Status == 0, export.All);
        using (JsonDocument report = JsonDocument.Parse(export.Output))
        {
            JsonElement inbox = report.RootElement.GetProperty("accounts")[0].GetProperty("mailboxes").EnumerateArray().Single(box => box.GetProperty("name").GetString() == "INBOX");
            Assert.Equal(before.Folders["INBOX"].Highest, inbox.GetProperty("highestModSeq").GetUInt64());
            Assert.True(inbox.GetProperty("keywordsInIndex").GetInt32() > 9);
        }

        Assert.True(File.Exists(Path.Combine(tree.Root, "home", "sieve", "main.sieve")));
        await using DovecotServer again = await tree.DovecotAsync();
        MailView after = await MailView.SeeAsync(again.ImapPort, SharedTree.User);
        before.MustContinueIn(after);
        foreach (string name in before.Folders.Keys)
        {
            Assert.Equal(before.Folders[name].Highest, after.Folders[name].Highest);
            (IReadOnlyList<uint> vanished, IReadOnlyList<uint> changed) = await MailView.ResyncAsync(again.ImapPort, SharedTree.User, name, before.Folders[name]);
            Assert.Empty(vanished);
            Assert.Empty(changed);
        }

        // Who was last here before Posthorn hears what was done under it.
        (IReadOnlyList<uint> gone, IReadOnlyList<uint> flagged) = await MailView.ResyncAsync(again.ImapPort, SharedTree.User, "INBOX", old.Folders["INBOX"]);
        Assert.Equal([2u, 7u, 8u], gone);
        Assert.Contains(10u, flagged);
        await tree.MbsyncHasNothingToDoAsync(again.ImapPort);
        // Old messages keep their ids; new ones stand behind them.
        Assert.DoesNotContain(await SharedTree.UidlsAsync(again.Pop3Port), uidl => !uidls.Contains(uidl) && Convert.ToUInt32(uidl[..8], 16) <= 40);
        using (ImapClient client = await MailView.ConnectAsync(again.ImapPort, SharedTree.User))
        {
            IMailFolder made = (await client.GetFolder(client.PersonalNamespaces[0]).CreateAsync("Afterwards", true))!;
            await made.StatusAsync(StatusItems.UidValidity);
            Assert.True(made.UidValidity > before.Folders.Values.Max(folder => folder.Validity));
        }

        Assert.Empty(again.Complaints);
    }

    [Fact]
    public async Task A_Dovecot_with_its_indexes_elsewhere_is_told_by_doveadm()
    {
        using SharedTree tree = new();
        MailView before;
        await using (DovecotServer dovecot = await tree.DovecotAsync()) await tree.FillAsync(dovecot);
        await using (PosthornProcess posthorn = await tree.PosthornAsync())
        {
            await WorkAsync(posthorn.Port("imap"));
            before = await MailView.SeeAsync(posthorn.Port("imap"), SharedTree.User);
            await posthorn.StopAsync();
        }

        PeerResult usage = await tree.CommandAsync("export", "dovecot");
        Assert.Equal(2, usage.Status);
        string script = Path.Combine(Path.GetDirectoryName(tree.Configuration)!, "to-dovecot.sh");
        PeerResult export = await tree.CommandAsync("export", "dovecot", "--all", "--doveadm", script);
        Assert.True(export.Status == 0, export.All);
        Assert.Contains("are ready for Dovecot", export.Output, StringComparison.Ordinal);
        foreach (string index in Folder.EnumerateFiles(tree.Root, "dovecot.index*", SearchOption.AllDirectories)) File.Delete(index);
        await using DovecotServer again = await tree.DovecotAsync();
        await again.ScriptAsync(script);
        before.MustContinueIn(await MailView.SeeAsync(again.ImapPort, SharedTree.User));
        Assert.Empty(again.Complaints);
    }

    // Dovecot's other ways to lay out a Maildir: taken in, handed back, and taken in again after Dovecot has worked there.
    [Theory]
    [InlineData(":INDEX=~/index/%n", '.', "mail/%n/home")]
    [InlineData(":CONTROL=~/control/%n", '.', "mail/%n/home")]
    [InlineData(":INDEX=~/index/%n:CONTROL=~/control/%n", '.', "mail/%n/home")]
    [InlineData(":LAYOUT=fs", '/', "elsewhere/homes/%n")]
    [InlineData(":LAYOUT=fs:INDEX=~/index/%n:CONTROL=~/control/%n", '/', "elsewhere/homes/%n")]
    public async Task Other_layouts_are_taken_in_and_handed_back(string options, char separator, string home)
    {
        using SharedTree tree = new(options, separator, home);
        MailView before;
        await using (DovecotServer dovecot = await tree.DovecotAsync())
        {
            await tree.FillAsync(dovecot);
            await tree.MbsyncAsync(dovecot.ImapPort);
            await tree.MbsyncHasNothingToDoAsync(dovecot.ImapPort);
            before = await MailView.SeeAsync(dovecot.ImapPort, SharedTree.User);
            Assert.Empty(dovecot.Complaints);
        }

        for (int turn = 0; turn < 2; turn++)
        {
            await using (PosthornProcess posthorn = await tree.PosthornAsync())
            {
                int port = posthorn.Port("imap");
                MailView after = await MailView.SeeAsync(port, SharedTree.User);
                before.MustContinueIn(after);
                // What was done in between is news with a number of its own the second time.
                foreach (string name in before.Folders.Keys) Assert.True(turn == 0 ? before.Folders[name].Highest == after.Folders[name].Highest : before.Folders[name].Highest <= after.Folders[name].Highest, name);
                await tree.MbsyncHasNothingToDoAsync(port);
                Assert.DoesNotContain(" warn", posthorn.Log, StringComparison.OrdinalIgnoreCase);
                if (turn == 0) await WorkAsync(port);
                await tree.MbsyncAsync(port);
                before = await MailView.SeeAsync(port, SharedTree.User);
                await posthorn.StopAsync();
            }

            PeerResult export = await tree.CommandAsync("export", "dovecot", "--all");
            Assert.True(export.Status == 0, export.All);
            await using DovecotServer again = await tree.DovecotAsync();
            before.MustContinueIn(await MailView.SeeAsync(again.ImapPort, SharedTree.User));
            await tree.MbsyncHasNothingToDoAsync(again.ImapPort);
            using (ImapClient client = await MailView.ConnectAsync(again.ImapPort, SharedTree.User))
            {
                await client.Inbox.OpenAsync(FolderAccess.ReadWrite);
                await client.Inbox.AppendAsync(SharedTree.Message("INBOX", 100 + turn, MessageFlags.Flagged));
                await client.Inbox.AddFlagsAsync([1, 2], MessageFlags.Answered, true);
            }

            await tree.MbsyncAsync(again.ImapPort);
            before = await MailView.SeeAsync(again.ImapPort, SharedTree.User);
            Assert.Empty(again.Complaints);
        }
    }

    [Fact]
    public async Task What_Dovecot_did_in_between_is_noticed()
    {
        using SharedTree tree = new();
        await using (DovecotServer dovecot = await tree.DovecotAsync()) await tree.FillAsync(dovecot);
        await using (PosthornProcess posthorn = await tree.PosthornAsync())
        {
            await WorkAsync(posthorn.Port("imap"));
            await posthorn.StopAsync();
        }

        PeerResult export = await tree.CommandAsync("export", "dovecot", "--all");
        Assert.True(export.Status == 0, export.All);
        MailView before;
        await using (DovecotServer dovecot = await tree.DovecotAsync())
        {
            using (ImapClient client = await MailView.ConnectAsync(dovecot.ImapPort, SharedTree.User))
            {
                await client.EnableQuickResyncAsync();
                IMailFolder root = client.GetFolder(client.PersonalNamespaces[0]);
                await client.Inbox.OpenAsync(FolderAccess.ReadWrite);
                await client.Inbox.AppendAsync(SharedTree.Message("INBOX", 50, MessageFlags.Seen));
                await client.Inbox.AppendAsync(SharedTree.Message("INBOX", 51, MessageFlags.None));
                await client.Inbox.AppendAsync(SharedTree.Message("INBOX", 52, MessageFlags.Deleted));
                await client.Inbox.AddFlagsAsync(Uids(20, 21), MessageFlags.Flagged, new HashSet<string> { "key33", "in-between", "key1" }, true);
                await client.Inbox.RemoveFlagsAsync(Uids(13), MessageFlags.Seen, new HashSet<string> { "key29", "key3" }, true);
                await client.Inbox.AddFlagsAsync(Uids(6, 28), MessageFlags.Deleted, true);
                await client.Inbox.ExpungeAsync();
                IMailFolder made = (await root.CreateAsync("Made by Dovecot", true))!;
                await made.SubscribeAsync();
                for (int i = 0; i < 3; i++) await made.AppendAsync(SharedTree.Message("made", i, MessageFlags.None));
                await (await client.GetFolderAsync("with  spaces")).DeleteAsync();
                await (await client.GetFolderAsync("emoji 😀")).RenameAsync(root, "no emoji");
                await (await client.GetFolderAsync("Work")).UnsubscribeAsync();
                await client.DisconnectAsync(true);
            }
            before = await MailView.SeeAsync(dovecot.ImapPort, SharedTree.User);
            await tree.MbsyncAsync(dovecot.ImapPort);
            await tree.MbsyncHasNothingToDoAsync(dovecot.ImapPort);
            Assert.Empty(dovecot.Complaints);
        }

        await using PosthornProcess back = await tree.PosthornAsync();
        int port = back.Port("imap");
        // A removal counts when it was seen twice.
        using (CancellationTokenSource patience = new(TimeSpan.FromSeconds(60)))
            while ((await MailView.SeeAsync(port, SharedTree.User)).Text != before.Text && !patience.IsCancellationRequested) await Task.Delay(100);
        MailView after = await MailView.SeeAsync(port, SharedTree.User);
        before.MustContinueIn(after);
        await tree.MbsyncHasNothingToDoAsync(port);
        Assert.Contains("server-visited account=ann@posthorn.test mailbox=INBOX ", back.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("renumbered", back.Log, StringComparison.Ordinal);
        (IReadOnlyList<uint> vanished, _) = await MailView.ResyncAsync(port, SharedTree.User, "INBOX", before.Folders["INBOX"]);
        Assert.DoesNotContain(vanished, uid => before.Folders["INBOX"].Uids.Contains(uid));
    }

    private static List<UniqueId> Uids(params uint[] uids) => [.. uids.Select(uid => new UniqueId(uid))];

    // Flags, old and new keywords, removals, arrivals, and folders made, renamed and removed.
    private static async Task WorkAsync(int port)
    {
        using ImapClient client = await MailView.ConnectAsync(port, SharedTree.User);
        IMailFolder root = client.GetFolder(client.PersonalNamespaces[0]);
        await client.Inbox.OpenAsync(FolderAccess.ReadWrite);
        await client.Inbox.AddFlagsAsync(Uids(10, 11), MessageFlags.Flagged, new HashSet<string> { "key34", "from-posthorn", "key2" }, true);
        await client.Inbox.RemoveFlagsAsync(Uids(12), MessageFlags.Seen, new HashSet<string> { "key28" }, true);
        await client.Inbox.AddFlagsAsync(Uids(2, 7), MessageFlags.Deleted, true);
        await client.Inbox.ExpungeAsync();
        await client.Inbox.AppendAsync(SharedTree.Message("INBOX", 41, MessageFlags.Seen));
        await client.Inbox.AppendAsync(SharedTree.Message("INBOX", 42, MessageFlags.None));
        IMailFolder made = (await root.CreateAsync("台北 neu", true))!;
        await made.SubscribeAsync();
        await client.Inbox.MoveToAsync(Uids(8), made);
        await client.Inbox.CopyToAsync(Uids(9), made);
        await (await client.GetFolderAsync("a&b")).RenameAsync(root, "c&d");
        await (await client.GetFolderAsync("100% & more")).DeleteAsync();
        await client.DisconnectAsync(true);
    }
}
