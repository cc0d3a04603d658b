using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MailKit;
using MailKit.Net.Imap;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>mbsync and offlineimap keep a tree each of one account, both trees change at random, and in the end all three sides hold the same. <c>POSTHORN_SYNC_ROUNDS</c> makes it longer.</summary>
public sealed class TwoClientsTests(ITestOutputHelper output)
{
    private static readonly string[] Mailboxes = ["INBOX", "Archive"];

    [Fact]
    public async Task Two_clients_that_change_mail_at_random_agree_in_the_end()
    {
        string mbsync = Peer.Require("mbsync", "isync"), offlineimap = Peer.Require("offlineimap", "offlineimap3");
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("POSTHORN_SYNC_ROUNDS"), CultureInfo.InvariantCulture, out int wanted) ? wanted : 5;
        int seed = int.TryParse(Environment.GetEnvironmentVariable("POSTHORN_SYNC_SEED"), CultureInfo.InvariantCulture, out int given) ? given : Environment.TickCount & 0xffff;
        output.WriteLine($"seed {seed}, {rounds} rounds");
        using TemporaryFolder one = new(), two = new();
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        string[] first = ["-c", ClientConfiguration.Mbsync(one, server, ann, string.Join(' ', Mailboxes)), "-a"], second = ["-o", "-c", ClientConfiguration.Offlineimap(two, server, ann, Mailboxes)];
        Tree left = new(Path.Combine(one.Path, "mail"), "mbsync"), right = new(Path.Combine(two.Path, "mail"), "offlineimap");
        Random random = new(seed);
        HashSet<string> made = [], removed = [];
        await SyncAsync();
        for (int round = 0; round < rounds; round++)
        {
            left.Change(random, ann, made, removed);
            right.Change(random, ann, made, removed);
            // Who comes first changes; now and then one of them misses a round.
            if (random.Next(4) > 0) await Peer.SucceedAsync(mbsync, first, home: one.Path);
            if (random.Next(4) > 0) await Peer.SucceedAsync(offlineimap, second, home: two.Path);
        }

        // What one has said the other hears in the next round, and what comes of that the first in the one after.
        for (int i = 0; i < 3; i++) await SyncAsync();
        foreach (string mailbox in Mailboxes)
        {
            SortedDictionary<string, string> truth = await RemoteAsync(server, ann, mailbox);
            Assert.Equal(truth, left.Read(mailbox));
            Assert.Equal(truth, right.Read(mailbox));
        }

        HashSet<string> left1 = [.. left.Read("INBOX").Keys];
        Assert.Empty(made.Except(removed).Except(left1)); // nothing that nobody removed is lost
        output.WriteLine($"{made.Count} made, {removed.Count} removed, {left1.Count} in INBOX, {left.Read("Archive").Count} in Archive");

        async Task SyncAsync()
        {
            await Peer.SucceedAsync(mbsync, first, home: one.Path);
            await Peer.SucceedAsync(offlineimap, second, home: two.Path);
        }
    }

    private static async Task<SortedDictionary<string, string>> RemoteAsync(PosthornProcess server, Account account, string mailbox)
    {
        SortedDictionary<string, string> found = new(StringComparer.Ordinal);
        using ImapClient client = await Mail.ImapAsync(server, account);
        IMailFolder folder = await client.GetFolderAsync(mailbox);
        await folder.OpenAsync(FolderAccess.ReadOnly);
        foreach (IMessageSummary summary in await folder.FetchAsync(0, -1, MessageSummaryItems.Flags | MessageSummaryItems.UniqueId))
        {
            using Stream stream = await folder.GetStreamAsync(summary.UniqueId, "");
            using MemoryStream copy = new();
            await stream.CopyToAsync(copy);
            MessageFlags flags = summary.Flags!.Value;
            string letters = (flags.HasFlag(MessageFlags.Flagged) ? "F" : "") + (flags.HasFlag(MessageFlags.Answered) ? "R" : "") + (flags.HasFlag(MessageFlags.Seen) ? "S" : "");
            found.Add(Tree.IdOf(copy.ToArray()), Tree.Hash(copy.ToArray()) + " " + letters);
        }

        return found;
    }

    /// <summary>One client's Maildirs.</summary>
    private sealed class Tree(string root, string name)
    {
        private int _next;

        /// <summary>Ids with content and flags.</summary>
        public SortedDictionary<string, string> Read(string mailbox)
        {
            SortedDictionary<string, string> found = new(StringComparer.Ordinal);
            foreach (string file in Files(mailbox))
            {
                byte[] message = File.ReadAllBytes(file);
                found.Add(IdOf(message), Hash(message) + " " + FlagsOf(file));
            }

            return found;
        }

        public void Change(Random random, Account account, HashSet<string> made, HashSet<string> removed)
        {
            for (int i = random.Next(1, 6); i > 0; i--)
            {
                string[] files = Files("INBOX");
                string? file = files.Length == 0 ? null : files[random.Next(files.Length)];
                switch (random.Next(6))
                {
                    case 0 or 1 or 2:
                        string id = $"{name}-{_next++}@test";
                        made.Add(id);
                        Add("INBOX", $"From: {account.Address}\nTo: {account.Address}\nDate: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <{id}>\nSubject: {id}\n\n{new string('x', random.Next(3000))}\nGrüße\n");
                        break;
                    case 3 when file is not null:
                        removed.Add(IdOf(File.ReadAllBytes(file)));
                        File.Delete(file);
                        break;
                    case 4 when file is not null:
                        string text = File.ReadAllText(file);
                        string copied = $"copy-{name}-{_next++}@test"; // an id of its own tells the copies apart
                        Add("Archive", text.Replace(IdOf(File.ReadAllBytes(file)), copied, StringComparison.Ordinal));
                        break;
                    case 5 when file is not null:
                        string flags = string.Concat("FRS".Where(_ => random.Next(2) == 0));
                        File.Move(file, Path.Combine(root, "INBOX", "cur", Path.GetFileName(file).Split(':')[0] + ":2," + flags));
                        break;
                }
            }
        }

        public static string IdOf(byte[] message)
        {
            string line = Encoding.Latin1.GetString(message).Split('\n').First(each => each.StartsWith("Message-ID:", StringComparison.OrdinalIgnoreCase));
            return line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('>', StringComparison.Ordinal)];
        }

        // Both keep LF on disk; each may add a line of its own to find a message again.
        public static string Hash(byte[] message)
        {
            string text = Encoding.Latin1.GetString(message).Replace("\r\n", "\n", StringComparison.Ordinal);
            text = string.Join('\n', text.Split('\n').Where(line => !line.StartsWith("X-TUID: ", StringComparison.Ordinal) && !line.StartsWith("X-OfflineIMAP: ", StringComparison.Ordinal)));
            return Convert.ToHexString(SHA256.HashData(Encoding.Latin1.GetBytes(text)))[..16];
        }

        private string[] Files(string mailbox) =>
            [.. new[] { "cur", "new" }.Select(part => Path.Combine(root, mailbox, part)).Where(Folder.Exists).SelectMany(Folder.EnumerateFiles).Order(StringComparer.Ordinal)];

        private void Add(string mailbox, string text) => File.WriteAllText(Path.Combine(root, mailbox, "new", $"17000{_next:D5}.{name}{_next}.test"), text);

        private static string FlagsOf(string file)
        {
            string tail = Path.GetFileName(file) is var leaf && leaf.Contains(":2,", StringComparison.Ordinal) ? leaf[(leaf.IndexOf(":2,", StringComparison.Ordinal) + 3)..] : "";
            return string.Concat("FRS".Where(letter => tail.Contains(letter, StringComparison.Ordinal)));
        }
    }
}
