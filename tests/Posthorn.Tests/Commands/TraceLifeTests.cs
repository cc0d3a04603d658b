using System.Globalization;
using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary>
/// Two lives told by <c>posthorn trace</c> over a running server, every step in its order: one from the connection through a rule that warns, an alias, a script, the queue, two deferrals and the orders of an operator
/// to its delivery, and one to its bounce and to what became of that.
/// </summary>
public sealed class TraceLifeTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly TemporaryFolder _folder = new();
    private readonly ScriptedPeer _far = new() { Name = "far.example" };
    private readonly ScriptedPeer _strict = new() { Name = "strict.example" };
    private readonly ScriptedPeer _home = new() { Name = "sender.example" };
    private PosthornProcess _server = null!;

    public async ValueTask InitializeAsync()
    {
        _far.At("RCPT", new PeerAct.Say("451 4.2.1 Mailbox busy, come back later"), new PeerAct.Say("452 4.2.2 Mailbox full just now"), new PeerAct.Say("250 2.1.5 Ok"));
        _strict.At("RCPT", new PeerAct.Say("550-5.1.1 Nobody here by that name\n550 5.1.1 See http://strict.example/"));
        _folder.Write("users", "ann@posthorn.test:{PLAIN}secret::::::\nbob@posthorn.test:{PLAIN}secret::::::\n");
        _folder.Write("virtual", "info@posthorn.test ann@posthorn.test\nold@posthorn.test bob@posthorn.test\n");
        _folder.Write("before.sieve", """
            require ["fileinto", "mailbox", "envelope"];
            if envelope :is "to" "ann@posthorn.test" { fileinto :create "Lists"; redirect "u@far.example"; }
            if envelope :is "to" "bob@posthorn.test" { redirect "nobody@strict.example"; }
            """);
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
            [[rule]]
            name = "odd helo"
            stage = "helo"
            helo = "client.sender.example"
            action = "warn-only"
            [[rule]]
            name = "eve"
            sender = "eve@sender.example"
            action = "warn-only"
            [outbound]
            first-retry = "1h"
            keep-idle = "0s"
            [[outbound.route]]
            to = "far.example"
            host = "127.0.0.1"
            port = {_far.Listen().Port}
            [[outbound.route]]
            to = "strict.example"
            host = "127.0.0.1"
            port = {_strict.Listen().Port}
            [[outbound.route]]
            to = "sender.example"
            host = "127.0.0.1"
            port = {_home.Listen().Port}
            """));
        _server = await PosthornProcess.ServeAsync(configuration);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _far.DisposeAsync();
        await _strict.DisposeAsync();
        await _home.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task From_the_connection_through_deferrals_and_orders_to_delivery()
    {
        await SendAsync("info@posthorn.test", "long@sender.example");
        string[] lines = await UntilAsync("<long@sender.example>", "deferred ", 1);
        string id = lines[0].Split(' ')[0];
        Assert.Equal(0, (await RunAsync("queue", "retry", id)).Status);
        await UntilAsync(id, "deferred ", 2);
        Assert.Equal(0, (await RunAsync("queue", "hold", id)).Status);
        Assert.Equal(0, (await RunAsync("queue", "release", id)).Status);
        InOrder(await UntilAsync(id, "sent ", 1),
            $"{id}  <long@sender\\.example>",
            "connected   127\\.0\\.0\\.1 \\(client\\.sender\\.example\\) on smtp, no TLS, no login, session s.*",
            "checked     helo, .*\\(odd helo\\): .*",
            "checked     recipient, .*\\(eve\\): .*",
            "received    from <eve@sender\\.example> for info@posthorn\\.test, .*",
            "alias       info@posthorn\\.test is ann@posthorn\\.test",
            "sieve       ann@posthorn\\.test: fileinto Lists; redirect u@far\\.example",
            "safe        journal record \\d+: ann@posthorn\\.test Lists, UID 1",
            "            queued \\(relay\\) for u@far\\.example",
            "reached     127\\.0\\.0\\.1\\[127\\.0\\.0\\.1\\]:\\d+, TLS none",
            "deferred    u@far\\.example by 127\\.0\\.0\\.1: 451 4\\.2\\.1 Mailbox busy, come back later",
            "order       retry, by the operator",
            "reached     .*",
            "deferred    u@far\\.example by 127\\.0\\.0\\.1: 452 4\\.2\\.2 Mailbox full just now",
            "order       hold, by the operator",
            "order       release, by the operator",
            "reached     .*",
            "sent        u@far\\.example by 127\\.0\\.0\\.1: 250 2\\.0\\.0 Ok: taken");
        Assert.Single(_far.Messages);
    }

    [Fact]
    public async Task From_the_connection_to_the_bounce_and_what_became_of_it()
    {
        await SendAsync("old@posthorn.test", "short@sender.example");
        string[] lines = await UntilAsync("<short@sender.example>", "sent ", 1);
        string id = lines[0].Split(' ')[0];
        int second = Array.FindIndex(lines, 1, line => char.IsAsciiDigit(line[0]));
        string report = lines[second].Split(' ')[0];
        InOrder(lines,
            $"{id}  <short@sender\\.example>",
            "connected   .*",
            "checked     helo, .*",
            "checked     recipient, .*",
            "received    from <eve@sender\\.example> for old@posthorn\\.test, .*",
            "alias       old@posthorn\\.test is bob@posthorn\\.test",
            "sieve       bob@posthorn\\.test: redirect nobody@strict\\.example",
            "safe        journal record \\d+: queued \\(relay\\) for nobody@strict\\.example",
            "reached     .*",
            "bounced     nobody@strict\\.example by 127\\.0\\.0\\.1: 550 5\\.1\\.1 Nobody here by that name.*See http://strict\\.example/",
            $"report      failed, to eve@sender\\.example as {report}: 250 .*",
            $"{report}  <{report}@mail\\.posthorn\\.test>",
            "received    from <> for eve@sender\\.example, .*",
            "safe        journal record \\d+: queued \\(relay\\) for eve@sender\\.example",
            "reached     .*",
            "sent        eve@sender\\.example by 127\\.0\\.0\\.1: 250 .*");
        Assert.StartsWith("<>", Assert.Single(_home.Messages).From, StringComparison.Ordinal);
    }

    private static void InOrder(string[] lines, params string[] expected)
    {
        for (int i = 0; i < Math.Min(lines.Length, expected.Length); i++) Assert.Matches($"^{expected[i]}$", lines[i]);
        Assert.True(lines.Length == expected.Length, string.Join('\n', lines));
    }

    private Task<(int Status, string Output, string Errors)> RunAsync(params string[] arguments) => ProgramRun.RunAsync(null, [.. arguments, "--config", _server.Configuration]);

    // The lines of the trace without their times, once one begins so often with a word.
    private async Task<string[]> UntilAsync(string what, string word, int times)
    {
        using CancellationTokenSource patience = new(Patience);
        string output = "";
        while (true)
        {
            (_, output, string errors) = await RunAsync("trace", what);
            string[] lines = [.. output.Split('\n').Where(line => line.Length > 0).Select(line => line.StartsWith("  20", StringComparison.Ordinal) ? line[27..] : line)];
            if (lines.Count(line => line.StartsWith(word, StringComparison.Ordinal)) >= times) return lines;
            try { await Task.Delay(50, patience.Token); }
            catch (OperationCanceledException) { Assert.Fail($"no {word} came\n{output}{errors}"); }
        }
    }

    private async Task SendAsync(string to, string messageId)
    {
        await using RawClient client = await RawClient.ConnectAsync(_server.Port("smtp"));
        await client.ReplyAsync();
        foreach (string command in (string[])["EHLO client.sender.example", "MAIL FROM:<eve@sender.example>", $"RCPT TO:<{to}>", "DATA", $"From: eve@sender.example\r\nSubject: x\r\nMessage-ID: <{messageId}>\r\n\r\ntext\r\n."])
            Assert.Matches("^[23]", await client.CommandAsync(command));
    }
}
