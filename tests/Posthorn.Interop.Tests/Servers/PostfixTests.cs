using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>A real Postfix as the other server: mail from it and to it, found by a real DNS server, with TLS; a bounce for what it refuses.</summary>
public sealed class PostfixTests
{
    [Fact]
    public async Task Mail_goes_both_ways_and_a_refusal_comes_back_as_a_bounce()
    {
        string postfix = Peer.Require("postfix", "postfix"), dnsmasq = Peer.Require("dnsmasq", "dnsmasq-base");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        using TemporaryFolder folder = new();
        int postfixPort = Ports.Free(), dnsPort = Ports.Free(), smtpPort = Ports.Free();
        using Daemon dns = Daemon.Start(dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1",
            "--user=root", "--pid-file=", $"--port={dnsPort}",
            "--mx-host=foreign.example,mx.foreign.example,10", "--address=/mx.foreign.example/127.0.0.1", "--mx-host=posthorn.test,mail.posthorn.test,10", "--address=/mail.posthorn.test/127.0.0.1");
        await using PostfixServer peer = await PostfixServer.StartAsync(postfix, folder.Path, postfixPort, $"[127.0.0.1]:{smtpPort}");

        // A quickstart folder gives accounts and certificate; then the same folder is served on known ports with the DNS and port of this neighbourhood.
        string root = Path.Combine(folder.Path, "q");
        Account ann;
        await using (PosthornProcess quick = await PosthornProcess.StartAsync(directory: root))
        {
            ann = quick["ann"];
            await quick.StopAsync();
        }
        string configuration = Path.Combine(root, "posthorn.toml");
        string text = await File.ReadAllTextAsync(configuration);
        text = text.Replace("smtp = [\"127.0.0.1:0\"]", $"smtp = [\"127.0.0.1:{smtpPort}\"]", StringComparison.Ordinal);
        await File.WriteAllTextAsync(configuration, text + string.Create(CultureInfo.InvariantCulture, $"\n[dns]\nservers = [\"127.0.0.1:{dnsPort}\"]\n[outbound]\nport = {postfixPort}\n"));
        await using PosthornProcess server = await PosthornProcess.ServeAsync(configuration);

        // From Postfix to us.
        await Peer.SucceedAsync("/usr/sbin/sendmail", ["-C", peer.ConfigurationFolder, "-f", "carl@foreign.example", ann.Address], "Subject: from postfix\n\nhello\n");
        IReadOnlyList<byte[]> inbox = await Mail.WaitForAsync(server, ann, 2);
        string arrived = Encoding.ASCII.GetString(inbox[^1]);
        Assert.Contains("Subject: from postfix", arrived, StringComparison.Ordinal);
        Assert.Contains("Return-Path: <carl@foreign.example>", arrived, StringComparison.Ordinal);
        Assert.Contains("with ESMTPS ", arrived, StringComparison.Ordinal);

        // From us to Postfix, which files it in a Maildir.
        await SubmitAsync(server, ann, "carl@foreign.example", "to postfix");
        string delivered = await peer.WaitForMailAsync();
        Assert.Contains("Subject: to postfix", delivered, StringComparison.Ordinal);
        Assert.Contains("(using TLSv1", delivered, StringComparison.Ordinal);

        // What Postfix refuses comes back as a readable report.
        await SubmitAsync(server, ann, "nobody@foreign.example", "to nobody");
        string bounce = Encoding.UTF8.GetString((await Mail.WaitForAsync(server, ann, 3))[^1]);
        Assert.Contains("Return-Path: <>", bounce, StringComparison.Ordinal);
        Assert.Contains("multipart/report", bounce, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("Final-Recipient: rfc822;", bounce, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("nobody@foreign.example", bounce, StringComparison.Ordinal);
        Assert.Contains("Status: 5.1.1", bounce, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task What_cannot_be_delivered_now_is_tried_again_also_after_a_restart()
    {
        string postfix = Peer.Require("postfix", "postfix"), dnsmasq = Peer.Require("dnsmasq", "dnsmasq-base");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        using TemporaryFolder folder = new();
        int postfixPort = Ports.Free(), dnsPort = Ports.Free();
        using Daemon dns = Daemon.Start(dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1",
            "--user=root", "--pid-file=", $"--port={dnsPort}", "--mx-host=foreign.example,mx.foreign.example,10", "--address=/mx.foreign.example/127.0.0.1");
        string root = Path.Combine(folder.Path, "q");
        Account ann;
        await using (PosthornProcess quick = await PosthornProcess.StartAsync(directory: root))
        {
            ann = quick["ann"];
            await quick.StopAsync();
        }
        string configuration = Path.Combine(root, "posthorn.toml");
        await File.AppendAllTextAsync(configuration, string.Create(CultureInfo.InvariantCulture,
            $"\n[dns]\nservers = [\"127.0.0.1:{dnsPort}\"]\n[outbound]\nport = {postfixPort}\nfirst-retry = \"300ms\"\nlongest-retry = \"500ms\"\n"));
        await using (PosthornProcess first = await PosthornProcess.ServeAsync(configuration))
        {
            await SubmitAsync(first, ann, "carl@foreign.example", "patience"); // nobody listens there yet
            await first.KillAsync();
        }
        await using PosthornProcess second = await PosthornProcess.ServeAsync(configuration);
        await using PostfixServer peer = await PostfixServer.StartAsync(postfix, folder.Path, postfixPort, "");
        Assert.Contains("Subject: patience", await peer.WaitForMailAsync(), StringComparison.Ordinal);
        Assert.Equal(1, peer.MailCount);
    }

    internal static async Task SubmitAsync(PosthornProcess server, Account from, string to, string subject)
    {
        using MailKit.Net.Smtp.SmtpClient client = await Mail.SubmissionAsync(server, from);
        await client.SendAsync(Mail.Compose(from, to, subject, "text"));
        await client.DisconnectAsync(true);
    }
}
