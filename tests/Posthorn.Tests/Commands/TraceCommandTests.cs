using System.Globalization;
using System.Text.Json;
using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary><c>posthorn trace</c> over a running server and without one: the life of a message through alias, script, queue, deferral and delivery.</summary>
public sealed class TraceCommandTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private readonly ScriptedPeer _far = new();
    private PosthornProcess _server = null!;

    public async ValueTask InitializeAsync()
    {
        _far.At("RCPT", new PeerAct.Say("451 4.2.1 Mailbox busy, come back later"), new PeerAct.Say("250 2.1.5 Ok"));
        _folder.Write("users", "ann@posthorn.test:{PLAIN}secret::::::\nbob@posthorn.test:{PLAIN}secret::::::\n");
        _folder.Write("virtual", "info@posthorn.test ann@posthorn.test, bob@posthorn.test\n");
        _folder.Write("before.sieve", "require [\"fileinto\", \"mailbox\", \"copy\", \"envelope\"];\nif envelope :is \"to\" \"ann@posthorn.test\" { fileinto :create \"Lists\"; redirect \"u@far.example\"; }\n");
        string configuration = _folder.Write("posthorn.toml", string.Create(CultureInfo.InvariantCulture, $"""
            hostname = "mail.posthorn.test"
            data = "data"
            [[domain]]
            name = "posthorn.test"
            aliases = "virtual"
            [auth]
            passwd-file = "users"
            [listen]
            smtp = ["127.0.0.1:0"]
            [network]
            trusted = []
            [dns]
            servers = ["127.0.0.1:9"]
            [sieve]
            before = "before.sieve"
            [outbound]
            first-retry = "100ms"
            longest-retry = "200ms"
            keep-idle = "0s"
            [[outbound.route]]
            to = "far.example"
            host = "127.0.0.1"
            port = {_far.Listen().Port}
            """));
        _server = await PosthornProcess.ServeAsync(configuration);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _far.DisposeAsync();
        _folder.Dispose();
    }

    private Task<(int Status, string Output, string Errors)> RunAsync(params string[] arguments) => ProgramRun.RunAsync(null, [.. arguments, "--config", _server.Configuration]);

    private async Task SendAsync(string to, string expected = "250", string messageId = "life@sender.example")
    {
        await using RawClient client = await RawClient.ConnectAsync(_server.Port("smtp"));
        await client.LineAsync();
        foreach (string command in (string[])["HELO client.sender.example", "MAIL FROM:<eve@sender.example>", $"RCPT TO:<{to}>", "DATA"])
        {
            await client.SendAsync(command + "\r\n");
            string reply = await client.LineAsync() ?? "";
            if (reply[0] is '2' or '3') continue;
            Assert.StartsWith(expected, reply, StringComparison.Ordinal);
            return;
        }
        await client.SendAsync($"From: eve@sender.example\r\nSubject: private words\r\nMessage-ID: <{messageId}>\r\n\r\nmore private words\r\n.\r\n");
        Assert.StartsWith(expected, await client.LineAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_life_of_a_message_is_told_step_by_step()
    {
        await SendAsync("info@posthorn.test");
        string output = "", errors = "";
        int status = -1;
        for (int tries = 0; tries < 600 && !output.Contains("sent ", StringComparison.Ordinal); tries++)
        {
            (status, output, errors) = await RunAsync("trace", "<life@sender.example>");
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
        Assert.True(status == 0, errors);
        string[] lines = [.. output.Split('\n').Where(line => line.Length > 0).Select(line => line.StartsWith("  20", StringComparison.Ordinal) ? line[27..] : line)];
        string id = lines[0].Split(' ')[0];
        Assert.Equal($"{id}  <life@sender.example>", lines[0]);
        Assert.StartsWith("connected   127.0.0.1 (client.sender.example) on smtp, no TLS, no login, session s", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("received    from <eve@sender.example> for info@posthorn.test, ", lines[2], StringComparison.Ordinal);
        Assert.Equal("alias       info@posthorn.test is ann@posthorn.test, bob@posthorn.test", lines[3]);
        Assert.Equal("sieve       ann@posthorn.test: fileinto Lists; redirect u@far.example", lines[4]);
        Assert.Equal("sieve       bob@posthorn.test: keep", lines[5]);
        Assert.Matches(@"^safe        journal record \d+: ann@posthorn.test Lists, UID 1$", lines[6]);
        Assert.Equal("            bob@posthorn.test INBOX, UID 1", lines[7]);
        Assert.Equal("            queued (relay) for u@far.example", lines[8]);
        Assert.Matches(@"^reached     127\.0\.0\.1\[127\.0\.0\.1\]:\d+, TLS none$", lines[9]);
        Assert.Equal("deferred    u@far.example by 127.0.0.1: 451 4.2.1 Mailbox busy, come back later", lines[10]);
        Assert.Matches(@"^reached     ", lines[11]);
        Assert.Equal("sent        u@far.example by 127.0.0.1: 250 2.0.0 Ok: taken", lines[12]);
        Assert.Equal(13, lines.Length);

        // By address and id, as JSON, and when the server is gone.
        foreach (string what in (string[])["eve@sender.example", "info@posthorn.test", "ann@posthorn.test", "u@far.example", id]) Assert.Contains(id, (await RunAsync("trace", what)).Output, StringComparison.Ordinal);
        Assert.Equal(0, await _server.StopAsync());
        (status, output, errors) = await RunAsync("trace", id, "--json");
        Assert.True(status == 0, errors);
        JsonElement message = JsonDocument.Parse(output).RootElement.GetProperty("messages")[0];
        Assert.Equal(["received", "alias", "sieve", "sieve", "stored", "connected", "deferred", "connected", "sent"], message.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("event").GetString()));
        string folder = Path.Combine(_server.Directory, "data", "trace");
        Assert.All(System.IO.Directory.GetFiles(folder), file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file)));
        Assert.DoesNotContain("private words", string.Concat(System.IO.Directory.GetFiles(folder).Select(File.ReadAllText)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refused_mail_and_bounces_are_told()
    {
        await SendAsync("nobody@posthorn.test", expected: "550");
        (int status, string output, _) = await RunAsync("trace", "nobody@posthorn.test");
        Assert.Equal(0, status);
        Assert.Contains("refused     from <eve@sender.example> to nobody@posthorn.test: 550 5.1.1 No such user here (127.0.0.1 (client.sender.example) on smtp", output, StringComparison.Ordinal);
        (status, _, string errors) = await RunAsync("trace", "somebody@else.example");
        Assert.Equal(1, status);
        Assert.Contains("nothing is known of somebody@else.example; messages are remembered for 30d", errors, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync("trace")).Status);
        Assert.Equal(2, (await RunAsync("trace", "x", "--limit", "0")).Status);
    }
}
