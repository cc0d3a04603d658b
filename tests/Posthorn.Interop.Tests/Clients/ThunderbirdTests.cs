using System.Globalization;
using System.Text;
using System.Text.Json;
using MailKit;
using MailKit.Net.Imap;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Interop.Tests.RealMail;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>Thunderbird, led by its remote control: what it does is looked for on the server, and what happens there is looked for in it.</summary>
/// <remarks>A message is written as a line: UID, the letters of its flags (deleted, flagged, replied, seen), keywords.</remarks>
public sealed class ThunderbirdTests(ThunderbirdDesk desk) : IClassFixture<ThunderbirdDesk>
{
    private const string OwnCopy = "from its own copy";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);

    [Fact]
    public async Task Reads_every_message_octet_for_octet()
    {
        ThunderbirdSeat seat = await desk.SitAsync("reader");
        await AppendAsync(seat, "INBOX", [.. RealMailTests.Corpus(SharedFolder.Require("mail")).Select(each => each.Bytes)]);
        IReadOnlyList<byte[]> there = await Mail.ReadAllAsync(seat.Server, seat.Account);
        await HoldsAsync(seat, "INBOX", [.. Enumerable.Range(1, there.Count).Select(uid => uid.ToString(CultureInfo.InvariantCulture))]);
        await CompareAsync("from the server");
        await seat.RunAsync("folder(key, 'INBOX').downloadAllForOffline(null, null); await until('offline', () => headers(folder(key, 'INBOX')).every(each => each.flags & Ci.nsMsgMessageFlags.Offline))");
        await CompareAsync(OwnCopy);

        async Task CompareAsync(string where)
        {
            List<string> changed = [];
            for (int i = 0; i < there.Count; i++)
            {
                string read = (await seat.RunAsync("return await octets(pick(folder(key, 'INBOX'), [args[0]])[0])", i + 1)).GetString()!, sent = Encoding.Latin1.GetString(there[i]);
                if (read != sent && !(where == OwnCopy && IsOwnCopy(read, sent))) changed.Add($"message {i + 1} {where}:\n{read}\ninstead of\n{sent}");
            }
            Assert.Empty(changed);
        }
    }

    // Its own copies stand in an mbox file, after lines of its own; it ends headers that lack an end.
    private static bool IsOwnCopy(string read, string sent)
    {
        while (read.StartsWith("X-Mozilla-Status", StringComparison.Ordinal)) read = read[(read.IndexOf('\n', StringComparison.Ordinal) + 1)..];
        if (read.StartsWith(">From ", StringComparison.Ordinal)) read = read[1..];
        return read == sent || !sent.Contains("\r\n\r\n", StringComparison.Ordinal) && read == sent + "\r\n";
    }

    [Fact]
    public async Task Flags_tags_files_and_removes()
    {
        ThunderbirdSeat seat = await desk.SitAsync("marker");
        await AppendAsync(seat, "INBOX", Numbered(6));
        await HoldsAsync(seat, "INBOX", "1", "2", "3", "4", "5", "6", "7");
        JsonElement quota = await seat.RunAsync("return await until('quota', () => { const all = folder(key, 'INBOX').QueryInterface(Ci.nsIMsgImapMailFolder).getQuota(); return all.length && all.map(each => `${each.name}: ${each.limit}`) })");
        Assert.Equal(["STORAGE: 1048576", "MESSAGE: 1000"], quota.EnumerateArray().Select(each => each.GetString()));

        await seat.RunAsync("""
            const inbox = folder(key, 'INBOX');
            inbox.markMessagesRead(pick(inbox, [1, 2]), true);
            inbox.markMessagesFlagged(pick(inbox, [2]), true);
            inbox.addKeywordsToMessages(pick(inbox, [2, 3]), '$label1 werk');
            inbox.addMessageDispositionState(pick(inbox, [4])[0], inbox.nsMsgDispositionState_Replied);
            inbox.addMessageDispositionState(pick(inbox, [5])[0], inbox.nsMsgDispositionState_Forwarded);
            """);
        await HoldsAsync(seat, "INBOX", "1 S", "2 FS $label1 werk", "3 $label1 werk", "4 R", "5 $forwarded", "6", "7");
        await seat.RunAsync("""
            const inbox = folder(key, 'INBOX');
            inbox.markMessagesRead(pick(inbox, [1]), false);
            inbox.markMessagesFlagged(pick(inbox, [2]), false);
            inbox.removeKeywordsFromMessages(pick(inbox, [2, 3]), '$label1');
            """);
        await HoldsAsync(seat, "INBOX", "1", "2 S werk", "3 werk", "4 R", "5 $forwarded", "6", "7");

        await seat.RunAsync("const inbox = folder(key, 'INBOX'); await copying('copy', listener => MailServices.copy.copyMessages(inbox, pick(inbox, [2, 4]), folder(key, 'Archive'), false, listener, null, false))");
        await seat.RunAsync("const inbox = folder(key, 'INBOX'); await copying('move', listener => MailServices.copy.copyMessages(inbox, pick(inbox, [3]), folder(key, 'Archive'), true, listener, null, false))");
        await seat.RunAsync("const inbox = folder(key, 'INBOX'); await copying('delete', listener => inbox.deleteMessages(pick(inbox, [5]), null, false, false, listener, false))");
        await HoldsAsync(seat, "INBOX", "1", "2 S werk", "4 R", "6", "7");
        await HoldsAsync(seat, "Archive", "1 S werk", "2 R", "3 werk");
        await HoldsAsync(seat, "Trash", "1 $forwarded");

        // Its other way: marked as deleted, removed when the folder is compacted.
        await seat.RunAsync("serverOf(key).QueryInterface(Ci.nsIImapIncomingServer).deleteModel = 0; const inbox = folder(key, 'INBOX'); await copying('delete', listener => inbox.deleteMessages(pick(inbox, [6]), null, false, false, listener, false))");
        await HoldsAsync(seat, "INBOX", "1", "2 S werk", "4 R", "6 DS", "7");
        await seat.RunAsync("await url('compact', listener => folder(key, 'INBOX').compact(listener, null))");
        await HoldsAsync(seat, "INBOX", "1", "2 S werk", "4 R", "7");
    }

    [Fact]
    public async Task Makes_renames_subscribes_moves_and_removes_folders()
    {
        ThunderbirdSeat seat = await desk.SitAsync("keeper");
        string[] roles = ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"];
        await HoldsAsync(seat, "INBOX", "1");
        await FoldersAsync(seat, false, roles);
        await seat.RunAsync("serverOf(key).rootFolder.createSubfolder('Ärger & Co', null); await until('a folder', () => find(key, 'Ärger & Co'))");
        await seat.RunAsync("folder(key, 'Ärger & Co').createSubfolder('Unten', null); await until('a folder', () => find(key, 'Ärger & Co/Unten'))");
        await FoldersAsync(seat, true, [.. roles, "Ärger & Co", "Ärger & Co.Unten"]);
        await seat.RunAsync("const inbox = folder(key, 'INBOX'); await copying('copy', listener => MailServices.copy.copyMessages(inbox, pick(inbox, [1]), folder(key, 'Ärger & Co/Unten'), false, listener, null, false))");
        await seat.RunAsync("folder(key, 'Ärger & Co').rename('Work', null); await until('a folder', () => find(key, 'Work/Unten'))");
        await FoldersAsync(seat, true, [.. roles, "Work", "Work.Unten"]);
        await HoldsAsync(seat, "Work/Unten", "1");

        await seat.RunAsync("await url('unsubscribe', listener => MailServices.imap.unsubscribeFolder(folder(key, 'Work'), 'Work', listener))");
        await FoldersAsync(seat, true, [.. roles, "Work.Unten"]);
        await seat.RunAsync("await url('subscribe', listener => MailServices.imap.subscribeFolder(folder(key, 'INBOX'), 'Work', listener))");
        await FoldersAsync(seat, true, [.. roles, "Work", "Work.Unten"]);

        using (ImapClient other = await Mail.ImapAsync(seat.Server, seat.Account))
        {
            IMailFolder made = (await other.GetFolder(other.PersonalNamespaces[0]).CreateAsync("Von außen", true))!;
            await made.SubscribeAsync();
            await other.DisconnectAsync(true);
        }
        await seat.RunAsync("serverOf(key).performExpand(null); await until('a folder made elsewhere', () => find(key, 'Von außen'))");

        await seat.RunAsync("await url('to the trash', listener => MailServices.imap.moveFolder(folder(key, 'Work/Unten'), folder(key, 'Trash'), listener, null))");
        await FoldersAsync(seat, false, [.. roles, "Trash.Unten", "Von außen", "Work"]);
        await HoldsAsync(seat, "Trash/Unten", "1");
        await seat.RunAsync("await url('removal', listener => MailServices.imap.deleteFolder(folder(key, 'Work'), listener, null))");
        await FoldersAsync(seat, false, [.. roles, "Trash.Unten", "Von außen"]);
        await seat.RunAsync("await url('emptying', listener => folder(key, 'Trash').emptyTrash(listener))");
        await FoldersAsync(seat, false, [.. roles, "Von außen"]);
    }

    [Fact]
    public async Task Saves_a_draft_and_sends_with_a_copy()
    {
        ThunderbirdSeat seat = await desk.SitAsync("sender");
        await HoldsAsync(seat, "INBOX", "1");
        const string draft = "From: sender@posthorn.test\r\nTo: x@elsewhere.example\r\nMessage-ID: <draft@test>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nSubject: Entwurf\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nsch\u00f6n\r\n";
        await seat.RunAsync("const file = await fileOf(args[0]); await copying('draft', listener => MailServices.copy.copyFileMessage(file, folder(key, 'Drafts'), null, true, Ci.nsMsgMessageFlags.Read, '', listener, null))", draft);
        Assert.Equal([draft], (await Mail.ReadAllAsync(seat.Server, seat.Account, "Drafts")).Select(Encoding.Latin1.GetString));
        await HoldsAsync(seat, "Drafts", "1 S");

        await seat.RunAsync("await send(key, args[0], 'Grüße', 'schön\\r\\n.\\r\\n..\\r\\nFrom here\\r\\n')", seat.Account.Address);
        await HoldsAsync(seat, "Sent", "1 S");
        string copy = Encoding.UTF8.GetString(Assert.Single(await Mail.ReadAllAsync(seat.Server, seat.Account, "Sent")));
        Assert.Contains("\r\nschön\r\n.\r\n..\r\n", copy, StringComparison.Ordinal);
        Assert.EndsWith(copy, Encoding.UTF8.GetString((await Mail.WaitForAsync(seat.Server, seat.Account, 2))[1]), StringComparison.Ordinal);
        await HoldsAsync(seat, "INBOX", "1", "2");
    }

    [Fact]
    public async Task Searches_on_the_server()
    {
        ThunderbirdSeat seat = await desk.SitAsync("seeker");
        await AppendAsync(seat, "INBOX", Numbered(12));
        await HoldsAsync(seat, "INBOX", [.. Enumerable.Range(1, 13).Select(uid => uid.ToString(CultureInfo.InvariantCulture))]);
        await FindsAsync("Body", "number 7", 9);
        await FindsAsync("Body", "SCHÖNE grüße von 11", 13);
        await FindsAsync("Body", "nowhere to be found");
        await FindsAsync("Subject", "größe 1", 3, 12, 13);
        await FindsAsync("Sender", "posthorn.test", 1);

        async Task FindsAsync(string attribute, string text, params int[] uids) =>
            Assert.Equal(uids, (await seat.RunAsync("return await search(folder(key, 'INBOX'), args[0], args[1])", attribute, text)).EnumerateArray().Select(each => each.GetInt32()));
    }

    [Fact]
    public async Task Hears_of_new_mail_flags_and_removals_while_it_idles()
    {
        ThunderbirdSeat seat = await desk.SitAsync("idler");
        await AppendAsync(seat, "INBOX", Numbered(2));
        await HoldsAsync(seat, "INBOX", "1", "2", "3");
        using ImapClient other = await Mail.ImapAsync(seat.Server, seat.Account);
        await other.Inbox.OpenAsync(FolderAccess.ReadWrite);
        // It begins to idle two seconds after it has done something: what comes before that waits for its IDLE.
        await other.Inbox.StoreAsync(new UniqueId(2), new StoreFlagsRequest(StoreAction.Add, MessageFlags.Deleted));
        await other.Inbox.ExpungeAsync([new UniqueId(2)]);
        await seat.RunAsync("await holds(key, 'INBOX', ['1', '3'])");
        await AppendAsync(seat, "INBOX", Numbered(1));
        // Flags that it is told of while it fetches a header pass it by: it must be done with that.
        await seat.RunAsync("await holds(key, 'INBOX', ['1', '3', '4']); await update(key, 'INBOX')");
        await other.Inbox.StoreAsync(new UniqueId(3), new StoreFlagsRequest(StoreAction.Add, MessageFlags.Flagged | MessageFlags.Seen) { Keywords = { "$label2" } });
        await seat.RunAsync("await holds(key, 'INBOX', ['1', '3 FS $label2', '4'])");
        await other.DisconnectAsync(true);
    }

    [Fact]
    public async Task Learns_by_modification_sequence_what_changed_while_it_was_away()
    {
        ThunderbirdSeat seat = await desk.SitAsync("returner", condstore: true);
        await AppendAsync(seat, "INBOX", Numbered(8));
        await HoldsAsync(seat, "INBOX", "1", "2", "3", "4", "5", "6", "7", "8", "9");
        await seat.RunAsync("await update(key, 'INBOX'); serverOf(key).closeCachedConnections()");
        using ImapClient other = await Mail.ImapAsync(seat.Server, seat.Account);
        await other.Inbox.OpenAsync(FolderAccess.ReadWrite);
        await other.Inbox.StoreAsync(new UniqueId(5), new StoreFlagsRequest(StoreAction.Add, MessageFlags.Flagged) { Keywords = { "werk" } });
        await other.Inbox.StoreAsync([new UniqueId(2), new UniqueId(9)], new StoreFlagsRequest(StoreAction.Add, MessageFlags.Deleted));
        await other.Inbox.ExpungeAsync([new UniqueId(2), new UniqueId(9)]);
        await other.DisconnectAsync(true);
        await AppendAsync(seat, "INBOX", Numbered(1));
        await HoldsAsync(seat, "INBOX", "1", "3", "4", "5 F werk", "6", "7", "8", "10");
    }

    [Fact]
    public async Task Fetches_by_pop3_and_takes_away()
    {
        ThunderbirdSeat seat = await desk.SitAsync("popper", "pop3");
        await AppendAsync(seat, "INBOX", Numbered(20));
        string[] there = [.. (await Mail.ReadAllAsync(seat.Server, seat.Account)).Select(Encoding.Latin1.GetString)];
        JsonElement got = await seat.RunAsync("""
            const inbox = inboxOf(key);
            await url('fetch', listener => MailServices.pop3.GetNewMail(null, listener, inbox, serverOf(key)));
            await until('mail', () => headers(inbox).length == args[0]);
            const all = [];
            for (const header of headers(inbox)) all.push(await octets(header));
            return all;
            """, there.Length);
        // It puts lines of its own before each message, and keeps it in a file with this system's line ends.
        string[] here = [.. got.EnumerateArray().Select(each => each.GetString()!)];
        for (int i = 0; i < there.Length; i++) Assert.EndsWith(there[i].ReplaceLineEndings("\n"), here[i].ReplaceLineEndings("\n").TrimEnd('\n') + "\n", StringComparison.Ordinal);
        Assert.Empty(await Mail.ReadAllAsync(seat.Server, seat.Account));
    }

    private static byte[][] Numbered(int count) =>
        [.. Enumerable.Range(0, count).Select(i => Encoding.UTF8.GetBytes($"From: x@elsewhere.example\r\nTo: y@posthorn.test\r\nSubject: =?utf-8?q?Gr=C3=B6=C3=9Fe_{i}?=\r\nMessage-ID: <{Guid.NewGuid():N}@test>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nnumber {i}\r\n.\r\nschöne Grüße von {i}\r\n"))];

    private static async Task AppendAsync(ThunderbirdSeat seat, string mailbox, IReadOnlyList<byte[]> messages)
    {
        await using RawClient imap = await RawClient.ConnectAsync(seat.Server.Port("imaps"));
        await imap.StartTlsAsync();
        await imap.LineAsync();
        await imap.SendAsync($"a LOGIN \"{seat.Account.Login}\" \"{seat.Account.Password}\"\r\n");
        await imap.TaggedAsync("a");
        foreach (byte[] message in messages)
        {
            await imap.SendAsync($"b APPEND {mailbox} {{{message.Length}+}}\r\n{Encoding.Latin1.GetString(message)}\r\n");
            Assert.StartsWith("b OK", (await imap.TaggedAsync("b"))[^1], StringComparison.Ordinal);
        }
    }

    /// <summary>Waits until a mailbox holds just these messages on the server, and then until Thunderbird, which looks, sees them so.</summary>
    private static async Task HoldsAsync(ThunderbirdSeat seat, string path, params string[] lines)
    {
        using (ImapClient client = await Mail.ImapAsync(seat.Server, seat.Account))
        {
            await UntilAsync(lines, async () =>
            {
                IMailFolder folder = await client.GetFolderAsync(path.Replace('/', '.'));
                await folder.OpenAsync(FolderAccess.ReadOnly);
                string[] there = [.. (await folder.FetchAsync(0, -1, MessageSummaryItems.Flags | MessageSummaryItems.UniqueId)).Select(Line)];
                await folder.CloseAsync();
                return there;
            });
            await client.DisconnectAsync(true);
        }
        await seat.RunAsync("await until('the folder', () => find(key, args[0])); await update(key, args[0]); await holds(key, args[0], args[1])", path, lines);
    }

    private static async Task FoldersAsync(ThunderbirdSeat seat, bool subscribed, string[] names)
    {
        using ImapClient client = await Mail.ImapAsync(seat.Server, seat.Account);
        await UntilAsync([.. names.Order(StringComparer.Ordinal)], async () => [.. (await client.GetFoldersAsync(client.PersonalNamespaces[0], subscribed)).Select(each => each.FullName).Order(StringComparer.Ordinal)]);
        await client.DisconnectAsync(true);
    }

    private static async Task UntilAsync(string[] expected, Func<Task<string[]>> look)
    {
        using CancellationTokenSource patience = new(Patience);
        while (true)
        {
            string[] there = await look();
            if (patience.IsCancellationRequested) Assert.Equal(expected, there);
            if (there.SequenceEqual(expected)) return;
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    private static string Line(IMessageSummary message)
    {
        MessageFlags flags = message.Flags!.Value;
        string letters = (flags.HasFlag(MessageFlags.Deleted) ? "D" : "") + (flags.HasFlag(MessageFlags.Flagged) ? "F" : "") + (flags.HasFlag(MessageFlags.Answered) ? "R" : "") + (flags.HasFlag(MessageFlags.Seen) ? "S" : "");
        string[] parts = [message.UniqueId.Id.ToString(CultureInfo.InvariantCulture), letters, .. message.Keywords.Select(each => each.ToLowerInvariant()).Order(StringComparer.Ordinal)];
        return string.Join(' ', parts.Where(each => each.Length > 0));
    }
}
