using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using MimeKit;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>Real mail filters before the server: OpenDKIM, Rspamd, and one on libmilter that makes every change.</summary>
public sealed class MilterTests
{
    private const string Letter = "From: ann@posthorn.test\nTo: carl@posthorn.test\nSubject: signed\n folded\nDate: Mon, 2 Mar 2026 10:00:00 +0000\nMessage-ID: <1@posthorn.test>\n\ntext  \n\n..dots\n\n\n";

    [Fact]
    public async Task OpenDkim_signs_our_mail_and_verifies_that_of_others()
    {
        string program = Peer.Require("opendkim", "opendkim");
        using TemporaryFolder folder = new();
        int port = Ports.Free();
        using RSA key = RSA.Create(2048);
        string keyFile = folder.Write("key.pem", key.ExportRSAPrivateKeyPem());
        File.SetUnixFileMode(keyFile, UnixFileMode.UserRead);
        string keys = folder.Write("keys", $"sel._domainkey.posthorn.test v=DKIM1; k=rsa; p={Convert.ToBase64String(key.ExportSubjectPublicKeyInfo())}\n");
        string hosts = folder.Write("hosts", "127.0.0.1\n");
        string configuration = folder.Write("opendkim.conf", string.Create(CultureInfo.InvariantCulture, $"""
            Socket inet:{port}@127.0.0.1
            Mode sv
            Domain posthorn.test
            Selector sel
            KeyFile {keyFile}
            RequireSafeKeys no
            TestPublicKeys {keys}
            InternalHosts {hosts}
            Canonicalization relaxed/simple
            AlwaysAddARHeader yes
            AuthservID mail.posthorn.test
            Background no
            Syslog no
            """));
        using Daemon filter = Daemon.Start(program, "-f", "-x", configuration);
        await FilterServer.ReadyAsync(port);
        await using FilterServer server = await FilterServer.StartAsync(folder, FilterServer.Filter("opendkim", port));

        Assert.StartsWith("250", await server.SendAsync(Letter, from: "ann@posthorn.test", source: "127.0.0.1"), StringComparison.Ordinal);
        string signed = FilterServer.WithoutTrace((await Mail.WaitForAsync(server.Process, FilterServer.Ann, 1))[0]);
        Assert.StartsWith("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=posthorn.test; s=sel;", signed, StringComparison.Ordinal);
        MimeMessage message = await MimeMessage.LoadAsync(new MemoryStream(System.Text.Encoding.Latin1.GetBytes(signed.ReplaceLineEndings("\r\n"))), TestContext.Current.CancellationToken);
        Assert.Equal("signed folded", message.Subject);

        // The same comes back from outside, whole and changed.
        string dotted = signed.Replace("\n.", "\n..", StringComparison.Ordinal);
        Assert.StartsWith("250", await server.SendAsync(dotted), StringComparison.Ordinal);
        Assert.StartsWith("250", await server.SendAsync(dotted.Replace("text", "test", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.StartsWith("250", await server.SendAsync("From: eve@sender.example\nSubject: bare\n\nx\n"), StringComparison.Ordinal);
        string[] stored = [.. (await Mail.WaitForAsync(server.Process, FilterServer.Ann, 4)).Select(FilterServer.WithoutTrace)];
        Assert.StartsWith("Authentication-Results: mail.posthorn.test;\n\tdkim=pass", stored[1], StringComparison.Ordinal);
        Assert.StartsWith("Authentication-Results: mail.posthorn.test;\n\tdkim=fail", stored[2], StringComparison.Ordinal);
        Assert.StartsWith("Authentication-Results: mail.posthorn.test; dkim=none", stored[3], StringComparison.Ordinal);
        Assert.EndsWith(signed, stored[1], StringComparison.Ordinal);

        // Users who have logged in are ours wherever they are.
        using (MailKit.Net.Smtp.SmtpClient client = await Mail.SubmissionAsync(server.Process, FilterServer.Ann)) await client.SendAsync(Mail.Compose(FilterServer.Ann, FilterServer.Bob.Address, "by login", "x"), TestContext.Current.CancellationToken);
        Assert.Contains("DKIM-Signature", FilterServer.WithoutTrace((await Mail.WaitForAsync(server.Process, FilterServer.Bob, 1))[0]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rspamd_marks_and_refuses_spam()
    {
        string program = Peer.Require("rspamd", "rspamd");
        using TemporaryFolder folder = new();
        int port = Ports.Free();
        // Its whole list of top-level domains takes half a minute to compile.
        string tld = folder.Write("tld", "com\norg\nnet\n");
        string configuration = folder.Write("rspamd.conf", string.Create(CultureInfo.InvariantCulture, $$"""
            options { url_tld = "{{tld}}"; disable_hyperscan = true; tempdir = "{{folder.Path}}"; pidfile = "{{folder.Path}}/rspamd.pid"; dbdir = "{{folder.Path}}"; rundir = "{{folder.Path}}"; filters = ""; dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; } }
            logging { type = "file"; filename = "{{folder.Path}}/rspamd.log"; level = "info"; }
            actions { reject = 15; add_header = 0.9; }
            lua = "$RULESDIR/rspamd.lua";
            worker "rspamd_proxy" { bind_socket = "127.0.0.1:{{port}}"; count = 1; milter = yes; timeout = 60s; upstream "local" { default = yes; self_scan = yes; } }
            """));
        using Daemon filter = Daemon.Start(program, "-f", "-i", "-c", configuration);
        await FilterServer.ReadyAsync(port);
        await using FilterServer server = await FilterServer.StartAsync(folder, FilterServer.Filter("rspamd", port));

        string Mail(string text, bool isWhole = true) => $"From: Eve <eve@sender.example>\nTo: ann@posthorn.test\nSubject: offer\nMIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n{(isWhole ? $"Date: {TimeProvider.System.GetUtcNow():r}\nMessage-ID: <{Guid.NewGuid()}@sender.example>\n" : "")}\n{text}\n";
        Assert.StartsWith("250", await server.SendAsync(Mail("an honest letter")), StringComparison.Ordinal);
        Assert.StartsWith("554 5.7.1 Gtube pattern", await server.SendAsync(Mail("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X")), StringComparison.Ordinal);
        // A letter without a date is worth a point there, which is set to be enough.
        Assert.StartsWith("250", await server.SendAsync(Mail("a doubtful letter", isWhole: false)), StringComparison.Ordinal);
        string[] stored = [.. (await Harness.Mail.WaitForAsync(server.Process, FilterServer.Ann, 2)).Select(FilterServer.WithoutTrace)];
        Assert.DoesNotContain("X-Spam", stored[0], StringComparison.Ordinal);
        Assert.Contains("\nX-Spam: Yes\n", stored[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_filter_on_libmilter_makes_every_change()
    {
        string python = RequireMilterModule();
        using TemporaryFolder folder = new();
        int port = Ports.Free();
        string log = Path.Combine(folder.Path, "heard");
        using Daemon filter = Daemon.Start(python, Path.Combine(AppContext.BaseDirectory, "Harness", "every-change.py"), $"inet:{port}@127.0.0.1", log);
        await FilterServer.ReadyAsync(port);
        await using FilterServer server = await FilterServer.StartAsync(folder, FilterServer.Filter("every-change", port));
        static string Do(string what, string more = "") => $"From: eve@sender.example\nSubject: first\nX-Gone: 1\nX-Do: {what}\n{more}\nbody\n";

        Assert.StartsWith("250", await server.SendAsync(Do("edit")), StringComparison.Ordinal);
        foreach (Account account in (Account[])[FilterServer.Bob, FilterServer.Carl])
        {
            byte[] stored = (await Mail.WaitForAsync(server.Process, account, 1))[0];
            Assert.StartsWith("Return-Path: <changed@sender.example>\r\n", System.Text.Encoding.Latin1.GetString(stored), StringComparison.Ordinal);
            Assert.Equal("X-Inserted: inserted\nFrom: eve@sender.example\nSubject: changed\nX-Do: edit\nX-Added: added\n\tfolded\n\nanother body\n", FilterServer.WithoutTrace(stored));
        }
        Assert.Empty(await Mail.ReadAllAsync(server.Process, FilterServer.Ann));

        Assert.StartsWith("250", await server.SendAsync(Do("large")), StringComparison.Ordinal);
        Assert.EndsWith("\n\n" + string.Concat(Enumerable.Repeat(new string('x', 76 * 800) + "\n", 40)), FilterServer.WithoutTrace((await Mail.WaitForAsync(server.Process, FilterServer.Ann, 1))[0]), StringComparison.Ordinal);
        Assert.StartsWith("550 5.7.1", await server.SendAsync(Do("reject")), StringComparison.Ordinal);
        Assert.StartsWith("451 4.7.1", await server.SendAsync(Do("tempfail")), StringComparison.Ordinal);
        Assert.Equal("554-5.7.9 first line\n554 5.7.9 second line", await server.SendAsync(Do("reply")));
        Assert.StartsWith("250", await server.SendAsync(Do("discard")), StringComparison.Ordinal);
        Assert.StartsWith("250", await server.SendAsync(Do("quarantine")), StringComparison.Ordinal);
        Assert.StartsWith("550 5.7.1", await server.SendAsync(Do("x"), from: "refused@sender.example"), StringComparison.Ordinal);
        Assert.StartsWith("450 4.2.9 filter says later", await server.SendAsync(Do("x"), to: "later@posthorn.test"), StringComparison.Ordinal);
        Assert.StartsWith("250", await server.SendAsync(Do("skip") + string.Concat(Enumerable.Repeat(new string('x', 78) + "\n", 5000))), StringComparison.Ordinal);
        Assert.StartsWith("250", await server.SendAsync(Do("accept")), StringComparison.Ordinal);
        Assert.Equal(3, (await Mail.WaitForAsync(server.Process, FilterServer.Ann, 3)).Count);
        using (MailKit.Net.Smtp.SmtpClient client = await Mail.SubmissionAsync(server.Process, FilterServer.Ann)) await client.SendAsync(Mail.Compose(FilterServer.Ann, FilterServer.Ann.Address, "by login", "x"), TestContext.Current.CancellationToken);

        JsonElement[][] heard = [.. File.ReadLines(log).Select(line => JsonDocument.Parse(line).RootElement.EnumerateArray().ToArray())];
        string Macro(string stage, int nth, string name) => heard.Where(one => one[0].GetString() == stage).ElementAt(nth)[^1].GetProperty(name).GetString()!;
        Assert.Equal(("mail.posthorn.test", "127.0.0.1", "127.0.0.3"), (Macro("connect", 0, "j"), Macro("connect", 0, "{daemon_addr}"), Macro("connect", 0, "{client_addr}")));
        Assert.Equal(("eve@sender.example", "sender.example", "smtp"), (Macro("mail", 0, "{mail_addr}"), Macro("mail", 0, "{mail_host}"), Macro("mail", 0, "{mail_mailer}")));
        Assert.Equal(("ann@posthorn.test", "posthorn.test", "local"), (Macro("rcpt", 0, "{rcpt_addr}"), Macro("rcpt", 0, "{rcpt_host}"), Macro("rcpt", 0, "{rcpt_mailer}")));
        int last = heard.Count(one => one[0].GetString() == "mail") - 1;
        Assert.Equal(("ann@posthorn.test", "TLSv1.3"), (Macro("mail", last, "{auth_authen}"), Macro("mail", last, "{tls_version}")));
        Assert.Contains(heard, one => one[0].GetString() == "eom" && one[1].GetString() == "skip" && one[2].GetInt32() is > 0 and <= 65_535);
        // One connection to the filter was enough: each client's end is told as such.
        Assert.True(heard.Count(one => one[0].GetString() == "close") >= 10);
    }

    // The module is for the system's Python, wherever another one lies in the path.
    private static string RequireMilterModule()
    {
        const string Python = "/usr/bin/python3";
        if (File.Exists(Python) && File.Exists("/usr/lib/python3/dist-packages/Milter/__init__.py")) return Python;
        return Peer.Require("the module Milter of /usr/bin/python3", "python3-milter");
    }
}
