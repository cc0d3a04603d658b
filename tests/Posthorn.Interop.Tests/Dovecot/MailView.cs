using System.Globalization;
using MailKit;
using MailKit.Net.Imap;
using MailKit.Security;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Dovecot;

/// <summary>All that an IMAP client sees of an account: what must be the same before and after another server takes over.</summary>
internal sealed record MailView(SortedDictionary<string, FolderView> Folders, IReadOnlyList<string> Subscribed)
{
    public static async Task<ImapClient> ConnectAsync(int port, string login)
    {
        ImapClient client = new() { Timeout = 60_000 };
        await client.ConnectAsync("127.0.0.1", port, SecureSocketOptions.None);
        await client.AuthenticateAsync(login, DovecotServer.Password);
        return client;
    }

    public static async Task<MailView> SeeAsync(int port, string login)
    {
        using ImapClient client = await ConnectAsync(port, login);
        SortedDictionary<string, FolderView> folders = new(StringComparer.Ordinal);
        List<IMailFolder> all = [client.Inbox, .. await client.GetFoldersAsync(client.PersonalNamespaces[0])];
        foreach (IMailFolder folder in all.DistinctBy(f => f.FullName))
        {
            if ((folder.Attributes & (FolderAttributes.NonExistent | FolderAttributes.NoSelect)) != 0) continue;
            await folder.StatusAsync(StatusItems.UidValidity | StatusItems.UidNext | StatusItems.HighestModSeq | StatusItems.Count);
            (uint validity, uint next, ulong highest) = (folder.UidValidity, folder.UidNext!.Value.Id, folder.HighestModSeq);
            await folder.OpenAsync(FolderAccess.ReadOnly);
            List<string> messages = [];
            foreach (IMessageSummary one in await folder.FetchAsync(0, -1, MessageSummaryItems.UniqueId | MessageSummaryItems.Flags | MessageSummaryItems.InternalDate | MessageSummaryItems.Size))
            {
                string flags = string.Join(' ', (one.Flags!.Value & ~MessageFlags.Recent & ~MessageFlags.UserDefined).ToString().Split(", ").Concat(one.Keywords).Order(StringComparer.Ordinal));
                messages.Add(string.Create(CultureInfo.InvariantCulture, $"{one.UniqueId.Id} [{flags}] {one.InternalDate!.Value.UtcDateTime:s} {one.Size}"));
            }
            await folder.CloseAsync();
            folders.Add(folder.FullName, new(validity, next, highest, messages));
        }
        List<string> subscribed = [.. (await client.GetFoldersAsync(client.PersonalNamespaces[0], StatusItems.None, subscribedOnly: true)).Select(f => f.FullName).Order(StringComparer.Ordinal)];
        await client.DisconnectAsync(true);
        return new(folders, subscribed);
    }

    /// <summary>Everything but HIGHESTMODSEQ, as text.</summary>
    public string Text => string.Join('\n', Folders.Select(pair =>
        string.Create(CultureInfo.InvariantCulture, $"{pair.Key}: {pair.Value.Validity} next {pair.Value.Next}\n  {string.Join("\n  ", pair.Value.Messages)}"))) + $"\nsubscribed: {string.Join(", ", Subscribed)}";

    /// <summary>Holds a later view to this one: the same but for MODSEQs, which may not fall.</summary>
    public void MustContinueIn(MailView later)
    {
        string[] lines = Text.Split('\n'), laterLines = later.Text.Split('\n');
        Assert.True(Text == later.Text, "was:\n" + string.Join('\n', lines.Except(laterLines)) + "\nis:\n" + string.Join('\n', laterLines.Except(lines)));
        foreach ((string name, FolderView folder) in Folders)
            Assert.True(later.Folders[name].Highest >= folder.Highest, $"{name}: HIGHESTMODSEQ was {folder.Highest} and is {later.Folders[name].Highest}");
    }

    /// <summary>What a client hears that was last here when a folder was as seen, by QRESYNC (RFC 7162 section 3.2.5).</summary>
    public static async Task<(IReadOnlyList<uint> Vanished, IReadOnlyList<uint> Changed)> ResyncAsync(int port, string login, string name, FolderView seen)
    {
        using ImapClient client = await ConnectAsync(port, login);
        await client.EnableQuickResyncAsync();
        IMailFolder folder = name == "INBOX" ? client.Inbox : await client.GetFolderAsync(name);
        List<uint> vanished = [], changed = [];
        folder.MessagesVanished += (_, e) => vanished.AddRange(e.UniqueIds.Select(uid => uid.Id));
        folder.MessageFlagsChanged += (_, e) => changed.Add(e.UniqueId!.Value.Id);
        List<UniqueId> known = [.. seen.Uids.Select(uid => new UniqueId(seen.Validity, uid))];
        await folder.OpenAsync(FolderAccess.ReadOnly, seen.Validity, seen.Highest, known);
        await client.DisconnectAsync(true);
        return ([.. vanished.Order()], [.. changed.Order()]);
    }
}

/// <summary>One folder of a view.</summary>
internal sealed record FolderView(uint Validity, uint Next, ulong Highest, IReadOnlyList<string> Messages)
{
    public IEnumerable<uint> Uids => Messages.Select(line => uint.Parse(line[..line.IndexOf(' ', StringComparison.Ordinal)], CultureInfo.InvariantCulture));
}
