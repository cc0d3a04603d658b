using System.Globalization;
using MailKit;
using MailKit.Net.Imap;
using MimeKit;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Dovecot;

/// <summary>A Maildir tree that Dovecot and Posthorn serve in turn, and an mbsync that follows whoever serves it.</summary>
internal sealed class SharedTree(string options = "", char separator = '.', string home = "mail/%n/home") : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public const string User = "ann";

    /// <summary>Folders with names that are written otherwise than they are spoken.</summary>
    public static readonly string[] OddFolders = ["Work", "Work.日本語", "a&b", "Grüße und Küsse", "INBOX.Under", "with  spaces", "100% & more", "emoji 😀"];

    public string Root => Path.Combine(_folder.Path, "mail", User);

    public string Configuration => Path.Combine(_folder.Path, "posthorn.toml");

    public Task<DovecotServer> DovecotAsync() => DovecotServer.StartAsync(_folder.Path, Options, home);

    // Where OPTIONS names a place it is one beside the mail.
    private string Options => options.Replace("~", $"{_folder.Path}/elsewhere", StringComparison.Ordinal);

    public async Task<PosthornProcess> PosthornAsync(string lineEndings = "crlf")
    {
        _folder.Write("users", $"{User}:{{PLAIN}}{DovecotServer.Password}\n");
        _folder.Write("posthorn.toml", $"""
            hostname = "posthorn.test"
            data = "{_folder.Path}/data"
            [[domain]]
            name = "posthorn.test"
            [mail]
            location = "maildir:{_folder.Path}/mail/%n{Options}"
            separator = "{separator}"
            home = "{_folder.Path}/{home}"
            special-folders = false
            line-endings = "{lineEndings}"
            [auth]
            passwd-file = "{_folder.Path}/users"
            [listen]
            imap = ["127.0.0.1:0"]
            pop3 = ["127.0.0.1:0"]

            """);
        return await PosthornProcess.ServeAsync(Configuration);
    }

    /// <summary>Runs a command of ours on the configuration.</summary>
    public Task<PeerResult> CommandAsync(params string[] arguments)
    {
        (string file, string[] before) = PosthornProcess.Program;
        return Peer.RunAsync(file, [.. before, .. arguments, "--config", Configuration]);
    }

    /// <summary>Lets mbsync follow; what it said.</summary>
    public async Task<string> MbsyncAsync(int port)
    {
        Folder.CreateDirectory(Path.Combine(_folder.Path, "local", "mail"));
        string configuration = _folder.Write(".mbsyncrc", string.Create(CultureInfo.InvariantCulture, $"""
            IMAPAccount server
            Host 127.0.0.1
            Port {port}
            User {User}
            Pass {DovecotServer.Password}
            SSLType None
            AuthMechs LOGIN

            IMAPStore remote
            Account server

            MaildirStore local
            Path {_folder.Path}/local/mail/
            Inbox {_folder.Path}/local/mail/INBOX
            SubFolders Verbatim

            Channel all
            Far :remote:
            Near :local:
            Patterns *
            Create Both
            Remove Both
            Expunge Both
            SyncState *

            """));
        PeerResult result = await Peer.SucceedAsync(Peer.Require("mbsync", "isync"), ["-c", configuration, "-a", "-V"], home: _folder.Path);
        return result.Output + result.Errors;
    }

    /// <summary>mbsync has nothing to copy, flag or remove in either direction.</summary>
    public async Task MbsyncHasNothingToDoAsync(int port)
    {
        string said = await MbsyncAsync(port);
        Assert.DoesNotContain("ropagating", said, StringComparison.Ordinal);
        Assert.DoesNotContain("UIDVALIDITY", said, StringComparison.Ordinal);
        Assert.DoesNotContain("Creating", said, StringComparison.Ordinal);
    }

    /// <summary>A life's worth of mail: odd folders, dates of their own, more keywords than there are letters, numbers that were used up, scripts.</summary>
    public async Task FillAsync(DovecotServer dovecot)
    {
        using ImapClient client = await MailView.ConnectAsync(dovecot.ImapPort, User);
        await client.EnableQuickResyncAsync();
        IMailFolder root = client.GetFolder(client.PersonalNamespaces[0]);
        foreach (string name in OddFolders.Select(name => name.Replace('.', separator)))
        {
            IMailFolder at = root;
            foreach (string level in name.Split(separator))
                at = (await at.GetSubfoldersAsync()).FirstOrDefault(f => f.Name == level) ?? (level == "INBOX" ? client.Inbox : await at.CreateAsync(level, true))!;
            if (name.Length % 2 == 0) await at.SubscribeAsync();
            for (int i = 0; i < 3; i++) await at.AppendAsync(Message(name, i, i == 0 ? MessageFlags.Seen : MessageFlags.None));
        }
        for (int i = 0; i < 40; i++) await client.Inbox.AppendAsync(Message("INBOX", i, i % 3 == 0 ? MessageFlags.Seen : i % 3 == 1 ? MessageFlags.Answered | MessageFlags.Draft : MessageFlags.None));
        await client.Inbox.OpenAsync(FolderAccess.ReadWrite);
        for (int i = 0; i < 35; i++)
            await client.Inbox.AddFlagsAsync([.. Enumerable.Range(i % 20, 6)], MessageFlags.None, new HashSet<string> { string.Create(CultureInfo.InvariantCulture, $"key{i}") }, true);
        await client.Inbox.RemoveFlagsAsync(12, MessageFlags.None, new HashSet<string> { "key30" }, true);
        await client.Inbox.AddFlagsAsync([3, 17, 39], MessageFlags.Deleted, true); // the last one too: UIDNEXT is known to the index alone
        await client.Inbox.ExpungeAsync();
        await client.DisconnectAsync(true);
        Folder.CreateDirectory(Path.Combine(Root, "home", "sieve"));
        await File.WriteAllTextAsync(Path.Combine(Root, "home", "sieve", "main.sieve"), "keep;\n");
        File.CreateSymbolicLink(Path.Combine(Root, "home", ".dovecot.sieve"), "sieve/main.sieve");
    }

    public static AppendRequest Message(string folder, int number, MessageFlags flags)
    {
        MimeMessage message = new();
        message.From.Add(MailboxAddress.Parse("ann@posthorn.test"));
        message.To.Add(MailboxAddress.Parse("bob@posthorn.test"));
        message.Subject = string.Create(CultureInfo.InvariantCulture, $"{number} in {folder}");
        message.Body = new TextPart("plain") { Text = string.Join("\r\n", Enumerable.Repeat($"line of {number}", number * 7 % 50)) };
        return new(message, flags, new DateTimeOffset(2019, 3, 1, 12, 0, 0, TimeSpan.FromHours(2)).AddHours(number * 31));
    }

    /// <summary>Gives a message of INBOX a POP3 UIDL of its own, as a Dovecot does that took it over from elsewhere.</summary>
    public async Task KeepUidlAsync(uint uid, string uidl)
    {
        string path = Path.Combine(Root, "dovecot-uidlist"), start = string.Create(CultureInfo.InvariantCulture, $"{uid} ");
        await File.WriteAllLinesAsync(path, (await File.ReadAllLinesAsync(path)).Select(line => line.StartsWith(start, StringComparison.Ordinal) ? $"{start}P{uidl} {line[start.Length..]}" : line));
    }

    /// <summary>The POP3 UIDLs that a server gives.</summary>
    public static async Task<IReadOnlyList<string>> UidlsAsync(int port)
    {
        using MailKit.Net.Pop3.Pop3Client client = new() { Timeout = 60_000 };
        await client.ConnectAsync("127.0.0.1", port, MailKit.Security.SecureSocketOptions.None);
        await client.AuthenticateAsync(User, DovecotServer.Password);
        IList<string> uidls = await client.GetMessageUidsAsync();
        await client.DisconnectAsync(true);
        return [.. uidls];
    }

    public void Dispose() => _folder.Dispose();
}
