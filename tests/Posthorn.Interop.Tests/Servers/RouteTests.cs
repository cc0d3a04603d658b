using System.Globalization;
using System.Text;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>Routes to real servers: a Dovecot behind by LMTP, a Postfix as relay host that wants a login, a Postfix that promises nothing for mail that requires TLS.</summary>
public sealed class RouteTests
{
    [Fact]
    public async Task A_dovecot_behind_gets_its_mail_by_lmtp_over_tcp_and_a_socket()
    {
        using TemporaryFolder folder = new();
        await using DovecotServer dovecot = await DovecotServer.StartAsync(folder.Path);
        (PosthornProcess server, _) = await QuickServer.StartAsync(Path.Combine(folder.Path, "q"), text => text + string.Create(CultureInfo.InvariantCulture, $"""

            [[outbound.route]]
            to = "tcp.example"
            protocol = "lmtp"
            host = "127.0.0.1"
            port = {dovecot.LmtpPort}
            accept = true
            [[outbound.route]]
            to = "socket.example"
            protocol = "lmtp"
            socket = "{dovecot.LmtpSocket}"
            accept = true

            """));
        await using PosthornProcess running = server;
        await using (RawClient client = await RawClient.ConnectAsync(server.Port("smtp")))
        {
            await client.ReplyAsync();
            foreach (string command in (string[])["EHLO client.example", "MAIL FROM:<eve@sender.example>", "RCPT TO:<ann@tcp.example>", "RCPT TO:<bob@socket.example>", "RCPT TO:<carl@socket.example>", "DATA"])
                Assert.Matches("^[23]", await client.CommandAsync(command));
            Assert.StartsWith("250", await client.CommandAsync("Subject: behind\r\nX-Odd:\todd\r\n\r\n..a dot\r\n\r\nlast line without newline: \r\n."), StringComparison.Ordinal);
        }
        foreach (string user in (string[])["ann", "bob", "carl"])
        {
            string mail = await dovecot.WaitForMailAsync(user);
            Assert.EndsWith("\nSubject: behind\nX-Odd:\todd\n\n.a dot\n\nlast line without newline: \n", mail.ReplaceLineEndings("\n"), StringComparison.Ordinal);
            Assert.Contains("Return-Path: <eve@sender.example>", mail, StringComparison.Ordinal);
        }
        Assert.Empty(dovecot.Complaints);
    }

    [Fact]
    public async Task A_relay_host_gets_a_login_under_tls()
    {
        string postfix = Peer.Require("postfix", "postfix");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        using TemporaryFolder folder = new();
        int port = Ports.Free();
        string socket = Path.Combine(folder.Path, "auth"), passwords = Path.Combine(folder.Path, "relay-password");
        (PosthornProcess server, IReadOnlyList<Account> accounts) = await QuickServer.StartAsync(Path.Combine(folder.Path, "q"), text => text.Replace("[listen]\n", $"[listen]\ndovecot-auth = [{{ unix = \"{socket}\", mode = \"0666\" }}]\n", StringComparison.Ordinal)
            + string.Create(CultureInfo.InvariantCulture, $"\n[outbound]\nrelay-host = \"127.0.0.1\"\nrelay-port = {port}\nrelay-user = \"bob@posthorn.test\"\nrelay-password = {{ file = \"{passwords}\" }}\nrelay-tls = \"encrypt\"\n"),
            made => File.WriteAllText(passwords, made.Single(a => a.LocalPart == "bob").Password));
        await using PosthornProcess running = server;
        Account ann = accounts.Single(a => a.LocalPart == "ann");

        // Postfix asks our accounts who its clients are, and takes mail from nobody else.
        await using PostfixServer peer = await PostfixServer.StartAsync(postfix, folder.Path, port, "");
        await Peer.SucceedAsync("postconf", ["-c", peer.ConfigurationFolder, "-e", "smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = dovecot", $"smtpd_sasl_path = {socket}",
            "smtpd_client_restrictions = permit_sasl_authenticated, reject", "smtpd_tls_auth_only = yes", "smtpd_sasl_authenticated_header = yes"]);
        await Peer.SucceedAsync(postfix, ["-c", peer.ConfigurationFolder, "reload"]);

        await PostfixTests.SubmitAsync(server, ann, "carl@foreign.example", "through the relay");
        string delivered = await peer.WaitForMailAsync();
        Assert.Contains("Subject: through the relay", delivered, StringComparison.Ordinal);
        Assert.Contains("(Authenticated sender: bob@posthorn.test)", delivered, StringComparison.Ordinal);
        Assert.Contains("with ESMTPSA id", delivered, StringComparison.Ordinal);
        Assert.DoesNotContain(accounts.Single(a => a.LocalPart == "bob").Password, server.Log, StringComparison.Ordinal);
    }

    /// <summary>Each way to say who we are, to a Postfix that asks a Dovecot; after STARTTLS, and with TLS from the first octet (RFC 8314).</summary>
    [Theory]
    [InlineData("SCRAM-SHA-256", "smtp")]
    [InlineData("SCRAM-SHA-1", "smtp")]
    [InlineData("LOGIN", "smtp")]
    [InlineData("PLAIN", "smtps")]
    public async Task A_relay_host_that_knows_one_mechanism_gets_it(string mechanism, string protocol)
    {
        string postfix = Peer.Require("postfix", "postfix");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        using TemporaryFolder folder = new();
        int port = Ports.Free(), wrapped = Ports.Free();
        await using DovecotServer dovecot = await DovecotServer.StartAsync(folder.Path, mechanisms: mechanism.ToLowerInvariant());
        await using PostfixServer peer = await PostfixServer.StartAsync(postfix, folder.Path, port, "");
        await Peer.SucceedAsync("postconf", ["-c", peer.ConfigurationFolder, "-M", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{wrapped}/inet=127.0.0.1:{wrapped} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes")]);
        await peer.ChangeAsync("smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = dovecot", $"smtpd_sasl_path = {dovecot.SaslSocket}", "smtpd_client_restrictions = permit_sasl_authenticated, reject", "smtpd_tls_auth_only = yes", "smtpd_sasl_authenticated_header = yes");
        (PosthornProcess server, IReadOnlyList<Account> accounts) = await QuickServer.StartAsync(Path.Combine(folder.Path, "q"), text => text + string.Create(CultureInfo.InvariantCulture, $"""

            [[outbound.route]]
            to = "foreign.example"
            host = "127.0.0.1"
            protocol = "{protocol}"
            port = {(protocol == "smtps" ? wrapped : port)}
            user = "relay"
            password = "{DovecotServer.Password}"
            tls = "encrypt"

            """));
        await using PosthornProcess running = server;
        await PostfixTests.SubmitAsync(server, accounts.Single(a => a.LocalPart == "ann"), "carl@foreign.example", "known by name");
        Assert.Contains("(Authenticated sender: relay)", await peer.WaitForMailAsync(), StringComparison.Ordinal);
        Assert.Contains($"sasl_method={mechanism}, sasl_username=relay", peer.Log, StringComparison.Ordinal);
    }

    /// <summary>A further connection to a server takes the TLS session up again where nothing has to be proved.</summary>
    [Fact]
    public async Task A_tls_session_is_taken_up_again()
    {
        string postfix = Peer.Require("postfix", "postfix"), dnsmasq = Peer.Require("dnsmasq", "dnsmasq-base");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        using TemporaryFolder folder = new();
        int port = Ports.Free(), dnsPort = Ports.Free();
        using Daemon dns = Daemon.Start(dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1", "--user=root", "--pid-file=",
            $"--port={dnsPort}", "--mx-host=foreign.example,mx.foreign.example,10", "--address=/mx.foreign.example/127.0.0.1");
        await using PostfixServer peer = await PostfixServer.StartAsync(postfix, folder.Path, port, "");
        await peer.ChangeAsync("smtpd_tls_loglevel = 2");
        (PosthornProcess server, IReadOnlyList<Account> accounts) = await QuickServer.StartAsync(Path.Combine(folder.Path, "q"), text => text
            + string.Create(CultureInfo.InvariantCulture, $"\n[dns]\nservers = [\"127.0.0.1:{dnsPort}\"]\n[outbound]\nport = {port}\nkeep-idle = \"0s\"\n"));
        await using PosthornProcess running = server;
        for (int i = 1; i <= 2; i++)
        {
            await PostfixTests.SubmitAsync(server, accounts.Single(a => a.LocalPart == "ann"), "carl@foreign.example", $"message {i}");
            await peer.WaitForAsync(i);
        }
        Assert.Contains("Reusing old session", peer.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mail_that_requires_tls_all_the_way_comes_back_from_a_server_that_does_not_promise_it()
    {
        string postfix = Peer.Require("postfix", "postfix"), python = Peer.Require("python3", "python3");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        using TemporaryFolder folder = new();
        int port = Ports.Free();
        await using PostfixServer peer = await PostfixServer.StartAsync(postfix, folder.Path, port, "");
        (PosthornProcess server, IReadOnlyList<Account> accounts) = await QuickServer.StartAsync(Path.Combine(folder.Path, "q"), text => text + string.Create(CultureInfo.InvariantCulture, $"""

            [outbound]
            authorities = ["{peer.CertificateFile}"]
            [[outbound.route]]
            to = "foreign.example"
            host = "127.0.0.1"
            port = {port}
            tls = "verify"
            certificate-names = ["mx.foreign.example"]

            """));
        await using PosthornProcess running = server;
        Account ann = accounts.Single(a => a.LocalPart == "ann");
        string script = string.Create(CultureInfo.InvariantCulture, $"""
            import smtplib, ssl
            s = smtplib.SMTP("127.0.0.1", {server.Port("submission")}); s.starttls(context=ssl._create_unverified_context()); s.ehlo()
            assert s.has_extn("requiretls")
            s.login("{ann.Login}", "{ann.Password}")
            letter = "From: {ann.Address}\r\nTo: carl@foreign.example\r\nSubject: %s\r\n\r\ntext\r\n"
            s.sendmail("{ann.Address}", ["carl@foreign.example"], letter % "secret", mail_options=["REQUIRETLS"])
            s.sendmail("{ann.Address}", ["carl@foreign.example"], letter % "open")
            s.quit()
            """);
        await Peer.SucceedAsync(python, ["-c", script]);
        Assert.Contains("Subject: open", await peer.WaitForMailAsync(), StringComparison.Ordinal);
        string bounce = Encoding.UTF8.GetString((await Mail.WaitForAsync(server, ann, 2))[^1]);
        Assert.Contains("Return-Path: <>", bounce, StringComparison.Ordinal);
        Assert.Contains("5.7.30", bounce, StringComparison.Ordinal); // REQUIRETLS support required (RFC 8689 section 6)
        Assert.Equal(1, peer.MailCount);
    }
}
