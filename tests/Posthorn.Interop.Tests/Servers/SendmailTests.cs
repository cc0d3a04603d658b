using System.Globalization;
using System.Text;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>Local programs that send mail through <c>posthorn sendmail</c>, as they would through any sendmail.</summary>
public sealed class SendmailTests
{
    [Fact]
    public async Task Cron_php_python_and_mutt_send_through_it()
    {
        using TemporaryFolder folder = new();
        await using World world = await World.StartAsync(folder);

        // As cron calls it.
        PeerResult cron = await world.SendmailAsync(["-i", "-FCronDaemon", "-B8BITMIME", "-oem", world.Ann.LocalPart], "From: root (Cron Daemon)\nTo: ann\nSubject: Cron <root@host> date\n\nline\n.\nafter the dot\n");
        Assert.True(cron.Status == 0, cron.All);
        string text = await world.ReadAsync(world.Ann, 2);
        Assert.Contains("Subject: Cron <root@host> date", text, StringComparison.Ordinal);
        Assert.Contains("\r\n.\r\nafter the dot\r\n", text, StringComparison.Ordinal);
        Assert.Matches("(?m)^Date: ", text);
        Assert.Matches("(?m)^Message-ID: <", text);

        // Recipients from the header, hidden ones too; without -i a dot ends the message.
        PeerResult header = await world.SendmailAsync(["-t"], $"To: {world.Ann.Address}\nBcc: Bob <{world.Bob.Address}>\nSubject: hello\nX-Mailer: none\n\ntext\n.\nnot text\n");
        Assert.True(header.Status == 0, header.All);
        foreach ((Account account, int count) in new[] { (world.Ann, 3), (world.Bob, 2) })
        {
            text = await world.ReadAsync(account, count);
            Assert.Contains("Subject: hello", text, StringComparison.Ordinal);
            Assert.DoesNotContain("Bcc", text, StringComparison.Ordinal);
            Assert.DoesNotContain("not text", text, StringComparison.Ordinal);
            Assert.Contains($"From: {Environment.UserName}@posthorn.test", text, StringComparison.Ordinal);
        }

        // Python's way.
        string python = Peer.Require("python3", "python3");
        string script = $"""
            import subprocess, email.message
            m = email.message.EmailMessage(); m["From"] = "{world.Bob.Address}"; m["To"] = "{world.Ann.Address}"; m["Subject"] = "gr\u00fc\u00dfe"; m.set_content("\u00e4\n")
            p = subprocess.run(["{world.Program}", "-t", "-oi", "-f", "{world.Bob.Address}"], input=m.as_bytes()); raise SystemExit(p.returncode)
            """;
        await Peer.SucceedAsync(python, ["-c", script]);
        text = await world.ReadAsync(world.Ann, 4);
        Assert.Contains($"Return-Path: <{world.Bob.Address}>", text, StringComparison.Ordinal);

        // PHP's mail(), with the path that its documentation gives.
        string php = Peer.Require("php", "php-cli");
        await Peer.SucceedAsync(php, ["-n", "-d", $"sendmail_path={world.Program} -t -i", "-d", "mail.add_x_header=Off", "-r",
            $"exit(mail('{world.Ann.Address}', 'from php', \"text\\n.\\nmore\", ['From' => '{world.Bob.Address}', 'Bcc' => '{world.Bob.Address}'], '-f{world.Bob.Address}') ? 0 : 1);"]);
        foreach ((Account account, int count) in new[] { (world.Ann, 5), (world.Bob, 3) })
        {
            text = await world.ReadAsync(account, count);
            Assert.Contains("Subject: from php\r\n", text, StringComparison.Ordinal);
            Assert.EndsWith("\r\n\r\ntext\r\n.\r\nmore\r\n", text, StringComparison.Ordinal);
            Assert.Contains($"Return-Path: <{world.Bob.Address}>", text, StringComparison.Ordinal);
            Assert.DoesNotContain("Bcc", text, StringComparison.Ordinal);
        }

        // neomutt.
        string mutt = Peer.Require("neomutt", "neomutt"), rc = Path.Combine(folder.Path, "muttrc");
        await File.WriteAllTextAsync(rc, $"set sendmail=\"{world.Program} -oem -oi\"\nset from={world.Bob.Address}\nset use_envelope_from=yes\nset copy=no\n");
        await Peer.SucceedAsync(mutt, ["-F", rc, "-s", "from mutt", world.Ann.Address], "the text\n", folder.Path);
        text = await world.ReadAsync(world.Ann, 6);
        Assert.Contains("Subject: from mutt", text, StringComparison.Ordinal);
        Assert.Contains($"Return-Path: <{world.Bob.Address}>", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_sent_says_so_by_its_status()
    {
        using TemporaryFolder folder = new();
        await using World world = await World.StartAsync(folder);
        Assert.Equal(64, (await world.SendmailAsync([], "Subject: x\n\nx\n")).Status);
        Assert.Equal(64, (await world.SendmailAsync(["-t"], "Subject: x\n\nx\n")).Status);
        Assert.Equal(64, (await world.SendmailAsync(["-Z", world.Ann.Address], "x")).Status);
        PeerResult unknown = await world.SendmailAsync(["nobody"], "Subject: x\n\nx\n");
        Assert.Equal(67, unknown.Status);
        Assert.Contains("nobody@posthorn.test: 550 5.1.1", unknown.Errors, StringComparison.Ordinal);

        // One of two is unknown: the other gets it, and the sender a notice.
        PeerResult half = await world.SendmailAsync(["-f", world.Bob.Address, world.Ann.Address, "nobody"], "Subject: half\n\nx\n");
        Assert.True(half.Status == 0, half.All);
        Assert.Contains("Subject: half", await world.ReadAsync(world.Ann, 2), StringComparison.Ordinal);
        string notice = await world.ReadAsync(world.Bob, 2);
        Assert.Contains("Return-Path: <>", notice, StringComparison.Ordinal);
        Assert.Contains("nobody@posthorn.test: 550 5.1.1", notice, StringComparison.Ordinal);

        // -bv, -bs, -bp, -q, newaliases.
        PeerResult verify = await world.SendmailAsync(["-bv", "ann", "nobody"], "");
        Assert.Equal(67, verify.Status);
        Assert.StartsWith("ann... deliverable\nnobody... 550 5.1.1", verify.Output, StringComparison.Ordinal);
        PeerResult spoken = await world.SendmailAsync(["-bs"], $"EHLO here\r\nMAIL FROM:<{world.Bob.Address}>\r\nRCPT TO:<{world.Ann.Address}>\r\nDATA\r\nSubject: spoken\r\n\r\nx\r\n.\r\nQUIT\r\n");
        Assert.True(spoken.Status == 0 && spoken.Output.Contains("\r\n221 ", StringComparison.Ordinal), spoken.All);
        Assert.Contains("Subject: spoken", await world.ReadAsync(world.Ann, 3), StringComparison.Ordinal);
        // A caller that dies within its message: nothing of it is taken, and nobody waits.
        PeerResult died = await world.SendmailAsync(["-bs"], $"EHLO here\r\nMAIL FROM:<{world.Bob.Address}>\r\nRCPT TO:<{world.Ann.Address}>\r\nDATA\r\nSubject: half said\r\n");
        Assert.EndsWith("354 End data with <CR><LF>.<CR><LF>\r\n", died.Output, StringComparison.Ordinal);
        PeerResult queue = await world.SendmailAsync(["-bp"], "");
        Assert.True(queue.Status == 0, queue.All);
        Assert.Equal(0, (await world.SendmailAsync(["-q"], "")).Status);
        Assert.Equal(0, (await world.SendmailAsync(["-bi"], "")).Status);

        // The server is down: the caller hears that trying again will help.
        await world.Server.StopAsync();
        PeerResult down = await world.SendmailAsync([world.Ann.Address], "Subject: x\n\nx\n");
        Assert.Equal(75, down.Status);
        Assert.Contains("nothing was sent", down.Errors, StringComparison.Ordinal);
        Assert.Equal(75, (await world.SendmailAsync(["-bp"], "")).Status);
    }

    [Fact]
    public async Task What_is_sent_while_the_server_is_down_is_there_when_it_is_back()
    {
        using TemporaryFolder folder = new();
        string drop = Path.Combine(folder.Path, "drop");
        await using World world = await World.StartAsync(folder, $"\n[sendmail]\ndrop = \"{drop}\"\n");
        string configuration = world.Server.Configuration;
        Account ann = world.Ann, bob = world.Bob;
        for (int tries = 0; tries < 600 && !System.IO.Directory.Exists(Path.Combine(drop, ".taken")); tries++) await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.Equal(UnixFileMode.StickyBit | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute, File.GetUnixFileMode(drop));
        await world.Server.StopAsync();

        PeerResult left = await world.SendmailAsync(["-i", "-f", bob.Address, "ann", "nobody"], "Subject: left\nBcc: x@y.example\n\ntext\n.\nmore\n");
        Assert.True(left.Status == 0, left.All);
        Assert.Single(System.IO.Directory.GetFiles(drop));
        // What others may put there: a link to a file that only the server may read, an empty file, nonsense.
        string secret = folder.Write("secret", $"posthorn-drop 1\nfrom {bob.Address}\nto {ann.Address}\n\nSubject: secret\n\nsecret\n");
        string[] names = [.. Enumerable.Range(1, 3).Select(i => Path.Combine(drop, $"1.{new string((char)('0' + i), 32)}"))];
        File.CreateSymbolicLink(names[0], secret);
        await File.WriteAllTextAsync(names[1], "", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(names[2], "posthorn-drop 1\nfrom a@b.example>\nto <x\n\nSubject: x\n\nx\n", TestContext.Current.CancellationToken);

        await using PosthornProcess server = await PosthornProcess.ServeAsync(configuration);
        string text = Encoding.UTF8.GetString((await Mail.WaitForAsync(server, ann, 2))[^1]);
        Assert.Contains("Subject: left\r\n", text, StringComparison.Ordinal);
        Assert.Contains($"Return-Path: <{bob.Address}>", text, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\ntext\r\n.\r\nmore\r\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Bcc", text, StringComparison.Ordinal);
        string notice = Encoding.UTF8.GetString((await Mail.WaitForAsync(server, bob, 2))[^1]);
        Assert.Contains("nobody@posthorn.test: 550 5.1.1", notice, StringComparison.Ordinal);
        Assert.Contains("Content-Type: message/rfc822", notice, StringComparison.Ordinal);
        for (int tries = 0; tries < 600 && System.IO.Directory.GetFiles(Path.Combine(drop, ".taken")).Any(path => !Path.GetFileName(path).StartsWith("failed-", StringComparison.Ordinal)); tries++) await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.Empty(System.IO.Directory.GetFiles(drop));
        Assert.Equal(names.Select(name => "failed-" + Path.GetFileName(name)), System.IO.Directory.GetFiles(Path.Combine(drop, ".taken")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    private sealed class World(PosthornProcess server, IReadOnlyList<Account> accounts, string program) : IAsyncDisposable
    {
        public PosthornProcess Server => server;
        public Account Ann => accounts.Single(static a => a.LocalPart == "ann");
        public Account Bob => accounts.Single(static a => a.LocalPart == "bob");

        /// <summary>A program named sendmail, as others call it.</summary>
        public string Program => program;

        public static async Task<World> StartAsync(TemporaryFolder folder, string more = "")
        {
            string socket = Path.Combine(folder.Path, "smtp"), configuration = Path.Combine(folder.Path, "q", "posthorn.toml");
            (PosthornProcess server, IReadOnlyList<Account> accounts) = await QuickServer.StartAsync(Path.Combine(folder.Path, "q"),
                text => text.Replace("smtp = [\"127.0.0.1:0\"]", $"smtp = [\"127.0.0.1:0\", {{ unix = \"{socket}\", mode = \"0666\" }}]", StringComparison.Ordinal) + more);
            (string file, string[] arguments) = PosthornProcess.Program;
            string program = Path.Combine(folder.Path, "sendmail");
            await File.WriteAllTextAsync(program, string.Create(CultureInfo.InvariantCulture, $"#!/bin/sh\nPOSTHORN_CONFIG='{configuration}' exec {file} {string.Join(' ', arguments)} sendmail \"$@\"\n"), Encoding.ASCII);
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return new(server, accounts, program);
        }

        public Task<PeerResult> SendmailAsync(string[] arguments, string input) => Peer.RunAsync(program, arguments, input, null);

        /// <summary>The last message of an account, when it has so many.</summary>
        public async Task<string> ReadAsync(Account account, int count) => Encoding.UTF8.GetString((await Mail.WaitForAsync(server, account, count))[^1]);

        public ValueTask DisposeAsync() => server.DisposeAsync();
    }
}
