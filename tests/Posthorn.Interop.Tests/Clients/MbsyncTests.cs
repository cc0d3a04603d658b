using System.Security.Cryptography;
using System.Text;
using MailKit;
using MailKit.Net.Imap;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>mbsync: two-way synchronisation with a local Maildir, content compared by hash.</summary>
public sealed class MbsyncTests
{
    [Fact]
    public async Task Synchronises_both_ways_and_then_has_nothing_to_do()
    {
        string mbsync = Peer.Require("mbsync", "isync");
        using TemporaryFolder home = new();
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        string[] command = ["-c", ClientConfiguration.Mbsync(home, server, ann), "-a"];

        await AppendAsync(server, ann, "INBOX", 20);
        await AppendAsync(server, ann, "Archive", 5);
        await Peer.SucceedAsync(mbsync, command, home: home.Path);
        Assert.Equal(await RemoteAsync(server, ann, "INBOX"), Local(home, "INBOX"));
        Assert.Equal(await RemoteAsync(server, ann, "Archive"), Local(home, "Archive"));

        // Changes here: a new message, a flag, a removal. Changes there: a flag and a new folder.
        string folder = Path.Combine(home.Path, "mail", "INBOX");
        File.WriteAllText(Path.Combine(folder, "new", "1700000000.local.test"), "From: me@posthorn.test\nSubject: written here\n\nlocal\n");
        string seen = Folder.EnumerateFiles(folder, "*", SearchOption.AllDirectories).First(f => f.Contains(",U=3:", StringComparison.Ordinal) || f.EndsWith(",U=3", StringComparison.Ordinal));
        File.Move(seen, Path.Combine(folder, "cur", Path.GetFileName(seen).Split(':')[0] + ":2,FS"));
        string gone = Folder.EnumerateFiles(folder, "*", SearchOption.AllDirectories).First(f => f.Contains(",U=5:", StringComparison.Ordinal) || f.EndsWith(",U=5", StringComparison.Ordinal));
        File.Delete(gone);
        await AppendAsync(server, ann, "Projects", 3);

        await Peer.SucceedAsync(mbsync, command, home: home.Path);
        Assert.Equal(await RemoteAsync(server, ann, "INBOX"), Local(home, "INBOX"));
        Assert.Equal(await RemoteAsync(server, ann, "Projects"), Local(home, "Projects"));
        using (ImapClient client = await Mail.ImapAsync(server, ann))
        {
            await client.Inbox.OpenAsync(FolderAccess.ReadOnly);
            IList<IMessageSummary> all = await client.Inbox.FetchAsync(0, -1, MessageSummaryItems.Flags | MessageSummaryItems.UniqueId | MessageSummaryItems.Envelope);
            Assert.Equal(21, all.Count); // welcome + 20 - 1 + 1
            Assert.Contains(all, m => m.UniqueId.Id == 3 && m.Flags!.Value.HasFlag(MessageFlags.Flagged | MessageFlags.Seen));
            Assert.DoesNotContain(all, m => m.UniqueId.Id == 5);
            Assert.Contains(all, m => m.Envelope!.Subject == "written here");
        }

        PeerResult again = await Peer.SucceedAsync(mbsync, [.. command, "-V"], home: home.Path);
        Assert.DoesNotContain("propagating", again.Output, StringComparison.Ordinal);
    }

    private static async Task AppendAsync(PosthornProcess server, Account account, string mailbox, int count)
    {
        using ImapClient client = await Mail.ImapAsync(server, account);
        IMailFolder folder;
        try { folder = await client.GetFolderAsync(mailbox); }
        catch (FolderNotFoundException) { folder = (await client.GetFolder(client.PersonalNamespaces[0]).CreateAsync(mailbox, true))!; }
        for (int i = 0; i < count; i++)
            await folder!.AppendAsync(new AppendRequest(Mail.Compose(account, account.Address, $"{mailbox} {i}", string.Join('\n', Enumerable.Repeat($"line of {i}", i * 7 % 50)))));
    }

    private static async Task<IReadOnlyList<string>> RemoteAsync(PosthornProcess server, Account account, string mailbox) =>
        [.. (await Mail.ReadAllAsync(server, account, mailbox)).Select(Hash).Order(StringComparer.Ordinal)];

    private static IReadOnlyList<string> Local(TemporaryFolder home, string mailbox) =>
        [.. new[] { "cur", "new" }.SelectMany(f => Folder.EnumerateFiles(Path.Combine(home.Path, "mail", mailbox, f))).Select(File.ReadAllBytes).Select(Hash).Order(StringComparer.Ordinal)];

    // mbsync keeps LF on disk and may add an X-TUID line: both are left out of the comparison.
    private static string Hash(byte[] message)
    {
        string text = Encoding.Latin1.GetString(message).Replace("\r\n", "\n", StringComparison.Ordinal);
        text = string.Join('\n', text.Split('\n').Where(l => !l.StartsWith("X-TUID: ", StringComparison.Ordinal)));
        return Convert.ToHexString(SHA256.HashData(Encoding.Latin1.GetBytes(text)));
    }
}
