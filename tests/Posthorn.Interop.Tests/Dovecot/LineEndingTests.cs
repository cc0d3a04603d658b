using System.Globalization;
using System.Security.Cryptography;
using MailKit;
using MailKit.Net.Imap;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Dovecot;

/// <summary>A tree whose files have LF by <c>mail.line-endings</c>, or some of them, is one to Dovecot as it is to us.</summary>
public sealed class LineEndingTests
{
    [Fact]
    public async Task Dovecot_reads_what_was_written_with_LF()
    {
        using SharedTree tree = new();
        SortedDictionary<uint, string> contents;
        MailView before;
        foreach (string lineEndings in (string[])["lf", "crlf", "lf"])
        {
            await using PosthornProcess posthorn = await tree.PosthornAsync(lineEndings);
            using (ImapClient client = await MailView.ConnectAsync(posthorn.Port("imap"), SharedTree.User))
            {
                IMailFolder root = client.GetFolder(client.PersonalNamespaces[0]);
                IMailFolder copies = (await root.GetSubfoldersAsync()).FirstOrDefault(folder => folder.Name == "Copies") ?? (await root.CreateAsync("Copies", true))!;
                await client.Inbox.OpenAsync(FolderAccess.ReadWrite);
                for (int i = 0; i < 6; i++) await client.Inbox.AppendAsync(SharedTree.Message(lineEndings, client.Inbox.Count * 10 + i * 3, i % 2 == 0 ? MessageFlags.Seen : MessageFlags.None));
                await client.NoOpAsync();
                await client.Inbox.CopyToAsync([client.Inbox.Count - 1], copies);
                await client.DisconnectAsync(true);
            }

            await posthorn.StopAsync();
        }

        string[] files = [.. Folder.GetFiles(tree.Root + "/cur"), .. Folder.GetFiles(tree.Root + "/new")];
        Assert.Equal(18, files.Length);
        Assert.Equal(6, files.Count(file => File.ReadAllText(file).Contains("\r\n", StringComparison.Ordinal)));
        foreach (string file in files) Assert.Contains(string.Create(CultureInfo.InvariantCulture, $",S={new FileInfo(file).Length},W="), file, StringComparison.Ordinal);
        await using (PosthornProcess posthorn = await tree.PosthornAsync("lf"))
        {
            await tree.MbsyncAsync(posthorn.Port("imap"));
            before = await MailView.SeeAsync(posthorn.Port("imap"), SharedTree.User);
            contents = await ContentsAsync(posthorn.Port("imap"));
            await posthorn.StopAsync();
        }

        PeerResult export = await tree.CommandAsync("export", "dovecot", "--all");
        Assert.True(export.Status == 0, export.All);
        await using (DovecotServer dovecot = await tree.DovecotAsync())
        {
            before.MustContinueIn(await MailView.SeeAsync(dovecot.ImapPort, SharedTree.User));
            Assert.Equal(contents, await ContentsAsync(dovecot.ImapPort));
            await tree.MbsyncHasNothingToDoAsync(dovecot.ImapPort);
            using (ImapClient client = await MailView.ConnectAsync(dovecot.ImapPort, SharedTree.User))
            {
                await client.Inbox.OpenAsync(FolderAccess.ReadWrite);
                await client.Inbox.AppendAsync(SharedTree.Message("of Dovecot", 300, MessageFlags.Flagged));
                await client.DisconnectAsync(true);
            }

            before = await MailView.SeeAsync(dovecot.ImapPort, SharedTree.User);
            contents = await ContentsAsync(dovecot.ImapPort);
            await tree.MbsyncAsync(dovecot.ImapPort);
            Assert.Empty(dovecot.Complaints);
        }

        await using PosthornProcess back = await tree.PosthornAsync("lf");
        before.MustContinueIn(await MailView.SeeAsync(back.Port("imap"), SharedTree.User));
        Assert.Equal(19, contents.Count);
        Assert.Equal(contents, await ContentsAsync(back.Port("imap")));
        await tree.MbsyncHasNothingToDoAsync(back.Port("imap"));
    }

    // The digest of each message of INBOX as a client gets it.
    private static async Task<SortedDictionary<uint, string>> ContentsAsync(int port)
    {
        using ImapClient client = await MailView.ConnectAsync(port, SharedTree.User);
        await client.Inbox.OpenAsync(FolderAccess.ReadOnly);
        SortedDictionary<uint, string> contents = [];
        foreach (IMessageSummary one in await client.Inbox.FetchAsync(0, -1, MessageSummaryItems.UniqueId | MessageSummaryItems.Size))
        {
            await using Stream stream = await client.Inbox.GetStreamAsync(one.UniqueId, "");
            using MemoryStream bytes = new();
            await stream.CopyToAsync(bytes);
            Assert.Equal(one.Size, (uint)bytes.Length);
            contents.Add(one.UniqueId.Id, Convert.ToHexString(SHA256.HashData(bytes.ToArray())));
        }

        await client.DisconnectAsync(true);
        return contents;
    }
}
