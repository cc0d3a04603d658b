using System.Text.Json;
using Posthorn.Testing;

namespace Posthorn.Tests.Commands;

/// <summary>Commands that look at a server need its <c>data</c> and nothing else of the configuration.</summary>
public sealed class LookingCommandTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private PosthornProcess _server = null!;

    public async ValueTask InitializeAsync() => _server = await PosthornProcess.StartAsync("ann", Path.Combine(_folder.Path, "q"));

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    private Task<(int Status, string Output, string Errors)> RunAsync(params string[] words) => ProgramRun.RunAsync(null, [.. words, "--config", _server.Configuration]);

    [Fact]
    public async Task A_mistake_elsewhere_is_told_and_keeps_nobody_from_looking()
    {
        string good = await File.ReadAllTextAsync(_server.Configuration);
        await File.WriteAllTextAsync(_server.Configuration, good + "\n[limits]\nrecipients = \"many\"\n");
        foreach (string[] words in (string[][])[["status"], ["queue", "list"], ["undelete", "list", "--account", "ann"]])
        {
            (int status, string output, string errors) = await RunAsync(words);
            Assert.Equal(0, status);
            Assert.NotEmpty(output);
            Assert.All(output.Split('\n'), line => Assert.Equal(line.TrimEnd(), line));
            Assert.Contains("'limits.recipients'", errors, StringComparison.Ordinal);
        }
        Assert.Contains(" free at ", (await RunAsync("status")).Output, StringComparison.Ordinal);
        (int traced, _, string said) = await RunAsync("trace", "nobody@elsewhere.example");
        Assert.Equal(1, traced);
        Assert.Contains("nothing is known of nobody@elsewhere.example", said, StringComparison.Ordinal);

        (int refused, string report, _) = await RunAsync("reload", "--json");
        Assert.Equal(4, refused);
        Assert.False(JsonDocument.Parse(report).RootElement.GetProperty("reloaded").GetBoolean());
        Assert.Contains("limits.recipients", report, StringComparison.Ordinal);

        // Without 'data' nobody knows where to look.
        await File.WriteAllTextAsync(_server.Configuration, good.Replace("data", "dada", StringComparison.Ordinal));
        Assert.Equal((1, ""), await WithoutWordsAsync("status"));
        (int lost, report, _) = await RunAsync("reload", "--json");
        Assert.Equal(1, lost);
        Assert.False(JsonDocument.Parse(report).RootElement.GetProperty("reloaded").GetBoolean());

        await File.WriteAllTextAsync(_server.Configuration, good);
        await _server.StopAsync();
        (int stopped, _, said) = await RunAsync("status");
        Assert.Equal(3, stopped);
        Assert.StartsWith("The server does not run: ", said, StringComparison.Ordinal);
    }

    private async Task<(int, string)> WithoutWordsAsync(params string[] words)
    {
        (int status, string output, _) = await RunAsync(words);
        return (status, output);
    }
}
