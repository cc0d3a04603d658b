using System.Text;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>getmail, imapfilter and aerc, each a round trip with content compared.</summary>
public sealed class RetrieverTests
{
    [Theory]
    [InlineData("SimpleIMAPSSLRetriever", "imaps", "mailboxes = (\"INBOX\", \"Archive\")", 22)]
    [InlineData("SimplePOP3SSLRetriever", "pop3s", "", 21)]
    public async Task Getmail_fetches_every_octet_and_then_finds_nothing_new(string retriever, string listener, string more, int expected)
    {
        string getmail = Peer.Require("getmail", "getmail6");
        using TemporaryFolder home = new();
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        await AppendAsync(server, ann, "INBOX", 20);
        await AppendAsync(server, ann, "Archive", 1);
        string maildir = Path.Combine(home.Path, "mail");
        foreach (string part in new[] { "cur", "new", "tmp" }) Folder.CreateDirectory(Path.Combine(maildir, part));
        home.Write("getmailrc", $"""
            [retriever]
            type = {retriever}
            server = 127.0.0.1
            port = {server.Port(listener)}
            username = {ann.Login}
            password = {ann.Password}
            {more}
            ca_certs = {Path.Combine(server.Directory, "tls", "certificate.pem")}
            [destination]
            type = MDA_external
            path = /bin/sh
            arguments = ("-c", "cat > $(mktemp {maildir}/new/XXXXXXXX)")
            unixfrom = false
            allow_root_commands = true
            [options]
            read_all = false
            delete = false
            delivered_to = false
            received = false

            """);
        string[] command = ["--getmaildir", home.Path, "--rcfile", "getmailrc"];
        await Peer.SucceedAsync(getmail, command, home: home.Path);
        List<string> there = [.. (await Mail.ReadAllAsync(server, ann)).Select(Text)];
        if (more.Length > 0) there.AddRange((await Mail.ReadAllAsync(server, ann, "Archive")).Select(Text));
        Assert.Equal(expected, there.Count);
        Assert.Equal(there.Order(StringComparer.Ordinal), Files(maildir).Select(File.ReadAllBytes).Select(Text).Order(StringComparer.Ordinal));

        await Peer.SucceedAsync(getmail, command, home: home.Path);
        Assert.Equal(expected, Files(maildir).Length);
    }

    [Fact]
    public async Task Imapfilter_finds_flags_reads_files_and_appends()
    {
        string imapfilter = Peer.Require("imapfilter", "imapfilter");
        using TemporaryFolder home = new();
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        await AppendAsync(server, ann, "INBOX", 10);
        string original = Text((await Mail.ReadAllAsync(server, ann))[4]);
        string configuration = home.Write("config.lua", $$"""
            options.timeout = 60
            options.create = true
            account = IMAP { server = 'localhost', port = {{server.Port("imaps")}}, username = '{{ann.Login}}', password = '{{ann.Password}}', ssl = 'tls1.2' }
            found = account.INBOX:contain_subject('INBOX 3')
            assert(#found == 1)
            found:mark_flagged()
            found:add_flags({ 'chosen' })
            assert(#account.INBOX:is_flagged() == 1 and #account.INBOX:has_keyword('chosen') == 1)
            box, uid = table.unpack(found[1])
            text = box[uid]:fetch_message()
            file = io.open('fetched', 'wb'); file:write(text); file:close()
            account.Drafts:append_message(text, { '\\Seen' })
            account.INBOX:contain_body('line of 5'):copy_messages(account.Five)
            found:move_messages(account.Archive)
            account.INBOX:contain_subject('INBOX 7'):delete_messages()
            assert(#account.INBOX:select_all() == 9)
            """);
        await Peer.SucceedAsync(imapfilter, ["-t", Path.Combine(server.Directory, "tls", "certificate.pem"), "-c", configuration], home: home.Path);
        Assert.Equal(original, Text(File.ReadAllBytes(Path.Combine(home.Path, "fetched"))));
        Assert.Equal([original], (await Mail.ReadAllAsync(server, ann, "Archive")).Select(Text));
        Assert.Equal([original], (await Mail.ReadAllAsync(server, ann, "Drafts")).Select(Text));
        string five = Text(Assert.Single(await Mail.ReadAllAsync(server, ann, "Five")));
        Assert.Contains("Subject: INBOX 5", five, StringComparison.Ordinal);
        Assert.DoesNotContain(await Mail.ReadAllAsync(server, ann), message => Text(message).Contains("Subject: INBOX 7", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Aerc_flags_and_files()
    {
        string aerc = Peer.Require("aerc", "aerc"), python = Peer.Require("python3", "python3");
        using TemporaryFolder home = new();
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        string original = Text((await Mail.ReadAllAsync(server, ann))[0]);
        Folder.CreateDirectory(Path.Combine(home.Path, ".config", "aerc"));
        string accounts = home.Write(".config/aerc/accounts.conf", $"""
            [ann]
            source = imaps://{Uri.EscapeDataString(ann.Login)}:{Uri.EscapeDataString(ann.Password)}@127.0.0.1:{server.Port("imaps")}
            outgoing = /bin/true
            default = INBOX
            from = {ann.Address}

            """);
        File.SetUnixFileMode(accounts, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        // A program for a terminal: keys go in when the screen or the server shows that it is time.
        string script = $$"""
            import fcntl, imaplib, os, pty, select, ssl, struct, sys, termios, time
            certificate = '{{Path.Combine(server.Directory, "tls", "certificate.pem")}}'
            os.environ['SSL_CERT_FILE'] = certificate
            end = time.monotonic() + 90
            child, screen = pty.fork()
            if child == 0:
                os.execv('{{aerc}}', ['aerc'])
            fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
            shown = b''
            def drain(seconds):
                global shown
                while select.select([screen], [], [], seconds)[0]:
                    try: shown += os.read(screen, 65536)
                    except OSError: return
                    seconds = 0
            def wait_for(condition):
                while not condition():
                    assert time.monotonic() < end, shown[-4000:]
                    drain(0.1)
            def count(box, *criteria):
                with imaplib.IMAP4_SSL('127.0.0.1', {{server.Port("imaps")}}, ssl_context=ssl.create_default_context(cafile=certificate)) as client:
                    client.login('{{ann.Login}}', '{{ann.Password}}')
                    if client.select(box, readonly=True)[0] != 'OK': return 0
                    return len(client.search(None, *criteria)[1][0].split())
            wait_for(lambda: b'Welcome' in shown)
            os.write(screen, b':flag\r')
            wait_for(lambda: count('INBOX', 'FLAGGED') == 1)
            os.write(screen, b':mv Archive\r')
            wait_for(lambda: count('Archive', 'FLAGGED') == 1 and count('INBOX', 'ALL') == 0)
            os.write(screen, b':quit\r')
            def ended():
                return os.waitpid(child, os.WNOHANG)[0] == child
            wait_for(ended)
            """;
        await Peer.SucceedAsync(python, ["-c", script], home: home.Path);
        Assert.Equal([original], (await Mail.ReadAllAsync(server, ann, "Archive")).Select(Text));
    }

    private static async Task AppendAsync(PosthornProcess server, Account account, string mailbox, int count)
    {
        using MailKit.Net.Imap.ImapClient client = await Mail.ImapAsync(server, account);
        MailKit.IMailFolder folder = await client.GetFolderAsync(mailbox);
        for (int i = 0; i < count; i++)
            await folder.AppendAsync(new MailKit.AppendRequest(Mail.Compose(account, account.Address, $"{mailbox} {i}", $"line of {i}\n.\n..dots\n" + new string('x', i * 97 % 900))));
    }

    private static string[] Files(string maildir) => [.. Folder.EnumerateFiles(Path.Combine(maildir, "new")), .. Folder.EnumerateFiles(Path.Combine(maildir, "cur"))];

    // Line ends are those of the disk there; getmail adds where it was, and what it took for the envelope's sender.
    private static string Text(byte[] message)
    {
        string text = Encoding.Latin1.GetString(message).Replace("\r\n", "\n", StringComparison.Ordinal);
        return string.Join('\n', text.Split('\n').Where(line => !line.StartsWith("Return-Path: ", StringComparison.Ordinal) && !line.StartsWith("X-getmail-", StringComparison.Ordinal)));
    }
}
