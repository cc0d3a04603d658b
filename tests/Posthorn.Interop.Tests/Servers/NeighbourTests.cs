using System.Globalization;
using System.Text;
using Posthorn.Interop.Tests.Harness;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>Exim and OpenSMTPD as neighbours in both directions; messages are compared octet for octet. And nothing can be smuggled past either of us.</summary>
public sealed class NeighbourTests
{
    /// <summary>What a body may hold that a careless server would change: dots, blanks, long lines, empty lines, 8 bits, no line end at the end.</summary>
    internal static IReadOnlyList<string> Bodies { get; } =
    [
        "plain\r\n", ".\r\n..\r\n.x\r\n\r\n.\r\n", "trailing \t \r\n\r\n\r\n", "\u00fc\u00e4\u00f6 \u00ff\r\n", new string('x', 990) + "\r\n" + new string('.', 500) + "\r\n", "From here\r\n>From there\r\n",
    ];

    [Theory]
    [InlineData("exim")]
    [InlineData("opensmtpd")]
    public async Task Mail_goes_both_ways_octet_for_octet(string kind)
    {
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: a mount namespace");
        using TemporaryFolder folder = new();
        int port = Ports.Free(), smtp = Ports.Free();
        using Neighbour peer = kind == "exim" ? await Neighbour.EximAsync(folder.Path, port, smtp) : await Neighbour.OpenSmtpdAsync(folder.Path, port, smtp);
        await using PosthornProcess server = await ServeAsync(folder.Path, smtp, $"[[outbound.route]]\nto = \"{peer.Domain}\"\nhost = \"127.0.0.1\"\nport = {port}\n");
        Account ann = new("ann@posthorn.test", "ann@posthorn.test", Password);

        // From us to them, handed in on port 25 of a trusted network, since nothing there touches the header but for Received lines.
        foreach (string body in Bodies) await SendAsync(smtp, "ann@posthorn.test", $"u@{peer.Domain}", body);
        IReadOnlyList<string> arrived = await peer.WaitForAsync(Bodies.Count);
        AssertBodies(arrived);

        // And back: what they take for us goes on to us.
        foreach (string body in Bodies) await SendAsync(port, "carl@elsewhere.example", ann.Address, body);
        IReadOnlyList<byte[]> inbox = await Mail.WaitForAsync(server, ann, Bodies.Count);
        AssertBodies([.. inbox.Select(Encoding.Latin1.GetString)]);
    }

    /// <summary>Every odd end of data, handed in to us before them and to them before us: one message stays one message, or is refused.</summary>
    [Theory]
    [InlineData("exim")]
    [InlineData("opensmtpd")]
    [InlineData("postfix")]
    public async Task Nothing_is_smuggled_past_a_pair(string kind)
    {
        if (!Environment.IsPrivilegedProcess) Assert.Skip("needs root: a mount namespace");
        string postfixProgram = kind == "postfix" ? Peer.Require("postfix", "postfix") : "";
        using TemporaryFolder folder = new();
        int port = Ports.Free(), smtp = Ports.Free();
        using Neighbour? peer = kind switch { "exim" => await Neighbour.EximAsync(folder.Path, port, smtp), "opensmtpd" => await Neighbour.OpenSmtpdAsync(folder.Path, port, smtp), _ => null };
        await using PostfixServer? postfix = peer is null ? await PostfixServer.StartAsync(postfixProgram, folder.Path, port, $"[127.0.0.1]:{smtp}") : null;
        string to = peer is null ? "carl@foreign.example" : $"u@{peer.Domain}";
        await using PosthornProcess server = await ServeAsync(folder.Path, smtp, $"[[outbound.route]]\nto = \"{to.Split('@')[1]}\"\nhost = \"127.0.0.1\"\nport = {port}\n");
        Account ann = new("ann@posthorn.test", "ann@posthorn.test", Password);
        string[] ends = ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n. \r\n", "\r\n.\r\r\n", "\n\r.\r\n", "\r\n.\n\r\n"];
        string Smuggled(string end, string from, string rcpt) => $"Subject: outer\r\n\r\nfirst{end}MAIL FROM:<{from}>\r\nRCPT TO:<{rcpt}>\r\nDATA\r\nSubject: smuggled\r\n\r\nsecond\r\n.\r\n";
        int taken = 0;
        foreach (string end in ends)
            if (await HandInAsync(smtp, "ann@posthorn.test", to, Smuggled(end, "admin@posthorn.test", to))) taken++;
        // In a chunk the very end of data is text (RFC 3030): what goes on by DATA must not end there.
        Assert.True(await HandInChunkAsync(smtp, "ann@posthorn.test", to, Smuggled("\r\n.\r\n", "admin@posthorn.test", to)));
        taken++;
        // A mark at the end: when it is there, all before it has come.
        await SendAsync(smtp, "ann@posthorn.test", to, "mark\r\n");
        int there;
        if (peer is not null) AssertNotSmuggled(await peer.WaitForAsync(taken + 1), taken + 1);
        else
        {
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
            while ((there = postfix!.MailCount) < taken + 1) await Task.Delay(50, patience.Token);
            Assert.Equal(taken + 1, there);
        }

        int passed = 0;
        foreach (string end in ends)
            if (await HandInAsync(port, "carl@elsewhere.example", ann.Address, Smuggled(end, "admin@elsewhere.example", ann.Address))) passed++;
        await SendAsync(port, "carl@elsewhere.example", ann.Address, "mark\r\n");
        // What they took and we refuse for its line ends comes back to them; what we took holds no second message of its own.
        IReadOnlyList<byte[]> inbox = [];
        using CancellationTokenSource late = new(TimeSpan.FromSeconds(60));
        while (!inbox.Any(message => Encoding.Latin1.GetString(message).Contains("\r\n\r\nmark", StringComparison.Ordinal)))
        {
            await Task.Delay(100, late.Token);
            try { inbox = await Mail.ReadAllAsync(server, ann); }
            catch (MailKit.Net.Imap.ImapCommandException) { /* there is no mailbox before the first message */ }
        }
        Assert.True(inbox.Count <= passed + 1, $"{inbox.Count} messages of {passed + 1}");
        AssertNotSmuggled([.. inbox.Select(Encoding.Latin1.GetString)], inbox.Count);
    }

    private const string Password = "interop-secret";

    private static void AssertNotSmuggled(IReadOnlyList<string> messages, int count)
    {
        Assert.Equal(count, messages.Count);
        // A smuggled message would have "smuggled" as the subject of its own header.
        Assert.DoesNotContain(messages, message => message.ReplaceLineEndings("\n").Split("\n\n")[0].Contains("Subject: smuggled", StringComparison.Ordinal));
    }

    internal static void AssertBodies(IReadOnlyList<string> messages)
    {
        // A Maildir of theirs has lines that end in LF; ours in CRLF. A blank line more at the end is what mbox-minded servers add.
        string[] found = [.. messages.Select(message => message.Replace("\r\n", "\n", StringComparison.Ordinal)).Select(message => message[(message.IndexOf("\n\n", StringComparison.Ordinal) + 2)..]).Order(StringComparer.Ordinal)];
        Assert.Equal(Bodies.Select(body => body.Replace("\r\n", "\n", StringComparison.Ordinal)).Order(StringComparer.Ordinal), found);
    }

    internal static async Task SendAsync(int port, string from, string to, string body) => Assert.True(await HandInAsync(port, from, to, $"From: {from}\r\nTo: {to}\r\nSubject: x\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <{Guid.NewGuid()}@test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + string.Concat(body.Split("\r\n").Select((line, i) => (i == 0 ? "" : "\r\n") + (line.StartsWith('.') ? "." + line : line))) + ".\r\n"));

    // Everything of DATA in one piece, as a smuggler would; true when the first message was taken. What the server says after it to what it takes for commands is not waited for.
    private static async Task<bool> HandInAsync(int port, string from, string to, string data)
    {
        await using RawClient client = await RawClient.ConnectAsync(port);
        await client.ReplyAsync();
        await client.CommandAsync("EHLO tester.example");
        Assert.StartsWith("250", await client.CommandAsync($"MAIL FROM:<{from}>"), StringComparison.Ordinal);
        Assert.StartsWith("250", await client.CommandAsync($"RCPT TO:<{to}>"), StringComparison.Ordinal);
        Assert.StartsWith("354", await client.CommandAsync("DATA"), StringComparison.Ordinal);
        await client.SendAsync(data);
        return (await client.ReplyAsync()).StartsWith("250", StringComparison.Ordinal);
    }

    private static async Task<bool> HandInChunkAsync(int port, string from, string to, string data)
    {
        await using RawClient client = await RawClient.ConnectAsync(port);
        await client.ReplyAsync();
        foreach (string command in (string[])["EHLO tester.example", $"MAIL FROM:<{from}>", $"RCPT TO:<{to}>"]) Assert.StartsWith("250", await client.CommandAsync(command), StringComparison.Ordinal);
        await client.SendAsync(string.Create(CultureInfo.InvariantCulture, $"BDAT {data.Length} LAST\r\n{data}"));
        return (await client.ReplyAsync()).StartsWith("250", StringComparison.Ordinal);
    }

    private static async Task<PosthornProcess> ServeAsync(string folder, int smtp, string outbound)
    {
        string root = Path.Combine(folder, "posthorn");
        Folder.CreateDirectory(root);
        (string certificate, string key) = TestCertificate.WritePem(TestCertificate.Shared, root);
        await File.WriteAllTextAsync(Path.Combine(root, "users"), $"ann@posthorn.test:{{PLAIN}}{Password}::::::\n");
        string configuration = Path.Combine(root, "posthorn.toml");
        await File.WriteAllTextAsync(configuration, string.Create(CultureInfo.InvariantCulture, $"""
            hostname = "mail.posthorn.test"
            data = "data"
            [[domain]]
            name = "posthorn.test"
            [auth]
            passwd-file = "users"
            [tls]
            certificate = "{certificate}"
            key = "{key}"
            [listen]
            smtp = ["127.0.0.1:{smtp}"]
            imaps = ["127.0.0.1:0"]
            [dns]
            servers = ["127.0.0.1:9"]
            [outbound]
            first-retry = "500ms"
            longest-retry = "1s"
            {outbound}
            """));
        return await PosthornProcess.ServeAsync(configuration);
    }
}
