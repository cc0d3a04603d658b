using System.Text;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Postfix;

/// <summary>A real Postfix with <c>smtpd_sasl_type = dovecot</c> asks Posthorn whether its clients are who they say.</summary>
public sealed class SaslTests
{
    [Fact]
    public async Task Postfix_checks_its_users_against_our_accounts()
    {
        string postfix = Peer.Require("postfix", "postfix");
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: Postfix's master runs as root");
        using TemporaryFolder folder = new();
        string socket = Path.Combine(folder.Path, "auth");
        (PosthornProcess server, IReadOnlyList<Account> accounts) = await QuickServer.StartAsync(Path.Combine(folder.Path, "q"),
            text => text.Replace("[listen]\n", $"[listen]\ndovecot-auth = [{{ unix = \"{socket}\", mode = \"0666\" }}]\n", StringComparison.Ordinal));
        await using PosthornProcess _ = server;
        Account ann = accounts.Single(a => a.LocalPart == "ann");
        int port = Ports.Free();
        await using PostfixServer peer = await PostfixServer.StartAsync(postfix, folder.Path, port, "");
        await Peer.SucceedAsync("postconf", ["-c", peer.ConfigurationFolder, "-e", "smtpd_sasl_auth_enable = yes", "smtpd_sasl_type = dovecot", $"smtpd_sasl_path = {socket}",
            "smtpd_relay_restrictions = permit_sasl_authenticated, reject"]);
        await peer.RestartAsync();

        Assert.Contains("AUTH PLAIN LOGIN", await SayAsync(port, "EHLO client.example"), StringComparison.Ordinal);
        Assert.StartsWith("235 ", await SayAsync(port, "EHLO client.example", $"AUTH PLAIN {Base64($"\0{ann.Login}\0{ann.Password}")}"), StringComparison.Ordinal);
        Assert.StartsWith("235 ", await SayAsync(port, "EHLO client.example", "AUTH LOGIN", Base64(ann.Address), Base64(ann.Password)), StringComparison.Ordinal);
        Assert.StartsWith("535 ", await SayAsync(port, "EHLO client.example", $"AUTH PLAIN {Base64($"\0{ann.Login}\0wrong")}"), StringComparison.Ordinal);
        Assert.StartsWith("535 ", await SayAsync(port, "EHLO client.example", "AUTH LOGIN", Base64(ann.Address), Base64("wrong")), StringComparison.Ordinal);
        Assert.StartsWith("535 ", await SayAsync(port, "EHLO client.example", $"AUTH PLAIN {Base64("\0nobody\0x")}"), StringComparison.Ordinal);

        // Who has logged in may relay, others not.
        string login = $"AUTH PLAIN {Base64($"\0{ann.Login}\0{ann.Password}")}";
        Assert.StartsWith("250 ", await SayAsync(port, "EHLO client.example", login, $"MAIL FROM:<{ann.Address}>", "RCPT TO:<x@else.example>"), StringComparison.Ordinal);
        Assert.StartsWith("554 ", await SayAsync(port, "EHLO client.example", $"MAIL FROM:<{ann.Address}>", "RCPT TO:<x@else.example>"), StringComparison.Ordinal);
        Assert.Contains("auth-ok", server.Log, StringComparison.Ordinal);
        Assert.Contains("auth-failed", server.Log, StringComparison.Ordinal);
    }

    private static async Task<string> SayAsync(int port, params string[] lines)
    {
        await using RawClient client = await RawClient.ConnectAsync(port);
        await client.ReplyAsync();
        string reply = "";
        foreach (string line in lines) reply = await client.CommandAsync(line);
        return reply;
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
