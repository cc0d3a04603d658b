using System.Text.Json;
using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary><c>posthorn undelete</c> as an operator would call it, with and without a running server.</summary>
public sealed class UndeleteCommandTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private PosthornProcess _server = null!;

    public async ValueTask InitializeAsync() => _server = await PosthornProcess.StartAsync("ann,bob", Path.Combine(_folder.Path, "q"));

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    private Task<(int Status, string Output, string Errors)> RunAsync(params string[] arguments) => ProgramRun.RunAsync(null, [.. arguments, "--config", _server.Configuration]);

    // The welcome mail goes.
    private async Task ExpungeAsync()
    {
        await using RawClient client = await RawClient.ConnectAsync(_server.Port("imap"));
        await client.SendAsync($"a LOGIN {_server["ann"].Login} {_server["ann"].Password}\r\nb SELECT INBOX\r\nc STORE 1 +FLAGS (\\Deleted)\r\nd EXPUNGE\r\n");
        Assert.StartsWith("d OK", (await client.TaggedAsync("d"))[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_deleted_is_listed_and_comes_back()
    {
        await ExpungeAsync();
        JsonElement[] gone = [];
        // The file follows its record in the background.
        for (int tries = 0; tries < 300 && gone.Length == 0; tries++)
        {
            (int listed, string output, string errors) = await RunAsync("undelete", "list", "-a", "ann", "--json");
            Assert.True(listed == 0, errors);
            gone = [.. JsonDocument.Parse(output).RootElement.GetProperty("messages").EnumerateArray()];
            if (gone.Length == 0) await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        string id = gone.Single().GetProperty("id").GetString()!;
        Assert.Equal("INBOX", gone[0].GetProperty("mailbox").GetString());
        (int status, string text, _) = await RunAsync("undelete", "list", "-a", "ann", "--within", "1h", "--mailbox", "INBOX");
        Assert.Equal(0, status);
        Assert.Contains(id, text, StringComparison.Ordinal);
        Assert.Contains("1 message\n", text, StringComparison.Ordinal);
        Assert.Contains("0 messages", (await RunAsync("undelete", "list", "-a", "ann", "--mailbox", "Sent")).Output, StringComparison.Ordinal);

        (status, text, _) = await RunAsync("undelete", "restore", "-a", "ann", id);
        Assert.Equal(0, status);
        Assert.Contains($"{id}: back in INBOX as 2", text, StringComparison.Ordinal);
        (status, _, string problem) = await RunAsync("undelete", "restore", "-a", "ann", id);
        Assert.Equal(1, status);
        Assert.Contains("No such message is kept, or not any more", problem, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync("undelete", "restore", "-a", "ann")).Status);
        Assert.Equal(2, (await RunAsync("undelete", "list", "-a", "ann", "--within", "soon")).Status);
        Assert.NotEqual(0, (await RunAsync("undelete", "list", "-a", "nobody")).Status);
    }

    [Fact]
    public async Task A_stopped_server_is_no_hindrance()
    {
        await ExpungeAsync();
        Assert.Equal(0, await _server.StopAsync());
        (int status, string text, string errors) = await RunAsync("undelete", "restore", "-a", "ann", "--all", "--into", "Archive");
        Assert.True(status == 0, errors);
        Assert.Contains("back in Archive as 1", text, StringComparison.Ordinal);
    }
}
