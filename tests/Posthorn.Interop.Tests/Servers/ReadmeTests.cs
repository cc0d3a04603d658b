using System.Diagnostics;
using Posthorn.Interop.Tests.Harness;
using Posthorn.Testing;

namespace Posthorn.Interop.Tests.Servers;

/// <summary>The commands of README work as they stand there; only folders, ports and the password come from the test.</summary>
[Collection("release build")]
public sealed class ReadmeTests
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(SharedFolder.Checkout, "README.md"));

    [Fact]
    public async Task The_first_command_builds_and_serves()
    {
        const string Command = "dotnet run -c Release --project src/Posthorn -- quickstart";
        Assert.Contains(Command + "\n", Readme, StringComparison.Ordinal);
        if (Environment.GetEnvironmentVariable("CI") != "true") Assert.Skip("builds the release configuration, which takes a minute: set CI=true to run this");
        using TemporaryFolder folder = new();
        ProcessStartInfo start = new("dotnet", [.. Command.Split(' ')[1..], "--directory", Path.Combine(folder.Path, "q"), "--port-base", "0", "--json"])
        {
            WorkingDirectory = SharedFolder.Checkout,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        using CancellationTokenSource patience = new(TimeSpan.FromMinutes(15));
        string? line = await process.StandardOutput.ReadLineAsync(patience.Token);
        Assert.True(line?.StartsWith("{\"listeners\":", StringComparison.Ordinal), line);
        Assert.Equal(0, (await Peer.RunAsync("kill", "-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture))).Status);
        await process.WaitForExitAsync(patience.Token);
        Assert.Contains("stopping", await errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_commands_for_a_domain_work_in_their_order()
    {
        foreach (string line in (string[])["posthorn init example.org", "posthorn account add ann@example.org", "posthorn check", "posthorn serve"])
            Assert.Contains("\n" + line, Readme, StringComparison.Ordinal);
        using TemporaryFolder folder = new();
        string config = Path.Combine(folder.Path, "etc", "posthorn.toml");
        (string file, string[] before) = PosthornProcess.Program;
        await Peer.SucceedAsync(file, [.. before, "init", "example.org", "--config", config, "--data", Path.Combine(folder.Path, "data")]);
        await Peer.SucceedAsync(file, [.. before, "account", "add", "ann@example.org", "--config", config], "a good password\n");
        PeerResult check = await Peer.SucceedAsync(file, [.. before, "check", "--config", config]);
        Assert.Contains(": good", check.Output, StringComparison.Ordinal);
        await File.WriteAllTextAsync(config, (await File.ReadAllTextAsync(config)).Replace("[\":", "[\"127.0.0.1:0\"] # [\":", StringComparison.Ordinal));
        await using PosthornProcess server = await PosthornProcess.ServeAsync(config);
        Account ann = new("ann@example.org", "ann", "a good password");
        Assert.Empty(await Mail.ReadAllAsync(server, ann));

        PeerResult list = await Peer.SucceedAsync(file, [.. before, "account", "list", "--config", config]);
        Assert.Equal("ann@example.org", list.Output.Trim());
        await Peer.SucceedAsync(file, [.. before, "alias", "add", "info@example.org", "ann@example.org", "--config", config]);
        await Peer.SucceedAsync(file, [.. before, "domain", "add", "second.example", "--config", config]);
        Assert.Equal(["example.org", "second.example"], (await Peer.SucceedAsync(file, [.. before, "domain", "list", "--config", config])).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        await Peer.SucceedAsync(file, [.. before, "reload", "--config", config]);
        Assert.Equal(0, (await Peer.RunAsync(file, [.. before, "queue", "list", "--config", config])).Status);
        Assert.Equal(1, (await Peer.RunAsync(file, [.. before, "queue", "show", "nosuchid", "--config", config])).Status);
        Assert.Contains(": good", (await Peer.SucceedAsync(file, [.. before, "journal", "verify", "--config", config])).Output, StringComparison.Ordinal);
        Assert.Equal(2, (await Peer.RunAsync(file, [.. before, "nonsense"])).Status);
        await Peer.SucceedAsync(file, [.. before, "account", "remove", "ann@example.org", "--config", config]);
    }
}
