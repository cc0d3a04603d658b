using System.Globalization;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Clients;

/// <summary>curl: reading over IMAP and POP3, with TLS from the start and by STARTTLS, sending over SMTP.</summary>
public sealed class CurlTests
{
    [Fact]
    public async Task Reads_the_welcome_mail_over_tls_and_starttls()
    {
        string curl = Peer.Require("curl", "curl");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"];
        string[] urls = [$"imaps://127.0.0.1:{server.Port("imaps")}/INBOX;MAILINDEX=1", $"imap://127.0.0.1:{server.Port("imap")}/INBOX;MAILINDEX=1",
            $"pop3s://127.0.0.1:{server.Port("pop3s")}/1", $"pop3://127.0.0.1:{server.Port("pop3")}/1"];
        foreach (string url in urls)
        {
            PeerResult result = await Peer.SucceedAsync(curl, ["-sSk", "--ssl-reqd", "-u", $"{ann.Login}:{ann.Password}", url]);
            Assert.Contains("Subject: Welcome to Posthorn", result.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Without_tls_there_is_no_login_from_untrusted_networks()
    {
        string curl = Peer.Require("curl", "curl");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        PeerResult result = await Peer.RunAsync(curl, "-sSv", "-u", "ann:whatever", $"imap://127.0.0.1:{server.Port("imap")}/INBOX");
        Assert.NotEqual(0, result.Status);
    }

    [Fact]
    public async Task Sends_over_submissions()
    {
        string curl = Peer.Require("curl", "curl");
        using TemporaryFolder folder = new();
        string file = folder.Write("mail.txt", "Subject: from curl\r\n\r\nHello\r\n");
        await using PosthornProcess server = await PosthornProcess.StartAsync();
        Account ann = server["ann"], bob = server["bob"];
        await Peer.SucceedAsync(curl, ["-sSk", "-u", $"{ann.Login}:{ann.Password}", "--mail-from", ann.Address, "--mail-rcpt", bob.Address, "-T", file,
            string.Create(CultureInfo.InvariantCulture, $"smtps://127.0.0.1:{server.Port("submissions")}/client.example")]);
        string last = System.Text.Encoding.ASCII.GetString((await Mail.ReadAllAsync(server, bob))[^1]);
        Assert.Contains("Subject: from curl", last, StringComparison.Ordinal);
        Assert.Contains("Message-ID: <", last, StringComparison.OrdinalIgnoreCase); // added on submission
        Assert.Contains("\nDate: ", last, StringComparison.Ordinal);
    }
}
