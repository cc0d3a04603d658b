using System.Text.Json;
using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary><c>posthorn explain</c> as an operator would call it, with and without a running server.</summary>
public sealed class ExplainCommandTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private PosthornProcess _server = null!;
    private string _config = "";

    public async ValueTask InitializeAsync()
    {
        _server = await PosthornProcess.StartAsync("ann,bob", Path.Combine(_folder.Path, "q"));
        _config = _server.Configuration;
        await File.AppendAllTextAsync(_config, $"""

            [[rule]]
            name = "no eve"
            stage = "sender"
            sender = "eve@example.net"
            action = "reject"
            reply = "Not you"
            [[rule]]
            recipient = "bob@example.org"
            action = "hold"
            reason = "odd"
            [[milter]]
            name = "asked"
            address = "unix:/nonexistent/milter"
            [rewrite]
            recipient-canonical = ["hash:{_folder.Write("canonical", "old@posthorn.test bob@posthorn.test\n")}"]
            sender-canonical = ["hash:{_folder.Write("senders", "a@example.net a@new.example\n")}"]
            recipient-bcc = ["hash:{_folder.Write("copies", "bob@posthorn.test archive@elsewhere.invalid\n")}"]
            """);
        Assert.Equal(0, (await ProgramRun.RunAsync(null, "reload", "--config", _config)).Status);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    private Task<(int Status, string Output, string Errors)> ExplainAsync(params string[] arguments) => ProgramRun.RunAsync(null, ["explain", "--config", _config, .. arguments]);

    [Fact]
    public async Task The_rule_is_named_and_both_ways_say_the_same()
    {
        string ann = _server["ann"].Address, bob = _server["bob"].Address;
        string[][] questions = [["--from", "eve@example.net", "--to", ann, "--ip", "192.0.2.7"], ["--from", "<>", "--to", ann, "--to", bob, "--ip", "192.0.2.7", "--json"],
            ["--from", ann, "--to", "x@elsewhere.invalid", "--login", _server["ann"].Login, "--tls"], ["--from", "a@example.net", "--to", "x@elsewhere.invalid", "--ip", "192.0.2.7"],
            ["--from", "a@example.net", "--to", "old@posthorn.test", "--ip", "192.0.2.7"]];
        List<string> running = [];
        foreach (string[] question in questions)
        {
            (int status, string output, string errors) = await ExplainAsync(question);
            Assert.True(errors.Length == 0, errors);
            Assert.Equal(output.Contains("The message is refused.", StringComparison.Ordinal) ? 1 : 0, status);
            running.Add(output);
        }
        Assert.Contains("554 5.7.1 Not you, told at RCPT", running[0], StringComparison.Ordinal);
        Assert.Matches(@"\[posthorn\.toml:\d+ \(no eve\)\]", running[0]);
        Assert.Contains("The message is refused.", running[0], StringComparison.Ordinal);
        JsonElement told = JsonDocument.Parse(running[1]).RootElement;
        Assert.True(told.GetProperty("accepted").GetBoolean());
        Assert.Contains(ann, running[1], StringComparison.Ordinal);
        Assert.Contains("account", running[1], StringComparison.Ordinal);
        Assert.Contains("elsewhere.invalid", running[2], StringComparison.Ordinal);
        Assert.Contains("554 5.7.1 Relay access denied   [server]", running[3], StringComparison.Ordinal);

        Assert.Contains("milter asked: would be asked", running[0], StringComparison.Ordinal);
        Assert.Contains($"<old@posthorn.test> is <{bob}> -> account {bob}", running[4], StringComparison.Ordinal);
        Assert.Contains("a copy to <archive@elsewhere.invalid> -> ", running[4], StringComparison.Ordinal);
        Assert.Contains("The sender becomes <a@new.example>.", running[4], StringComparison.Ordinal);

        Assert.Equal(2, (await ExplainAsync("--from", "a@example.net", "--to", "no address")).Status);
        Assert.Equal(2, (await ExplainAsync("--from", "a@example.net", "--to", ann, "--ip", "300.1.1.1")).Status);
        Assert.Equal(2, (await ExplainAsync("--from", "a@example.net", "--to", ann, "--login", "nobody-here")).Status);
        Assert.Equal(2, (await ExplainAsync("--from", "a@example.net")).Status);
        Assert.Equal(2, (await ExplainAsync("--from", "a@example.net", "--to", ann, "--listener", "imap")).Status);

        await _server.StopAsync();
        for (int i = 0; i < questions.Length; i++) Assert.Equal(running[i], (await ExplainAsync(questions[i])).Output);
        Assert.Equal(2, (await ExplainAsync("--from", "a@example.net", "--to", "no address")).Status);
    }
}
