using System.Diagnostics;
using System.Text.RegularExpressions;
using Posthorn.Testing;

namespace Posthorn.Tests.Structure;

/// <summary>docs/commands.md and the program name the same commands.</summary>
public sealed partial class CommandDocTests
{
    [Fact]
    public async Task Every_command_is_documented_and_every_documented_command_exists()
    {
        string documented = await File.ReadAllTextAsync(Path.Combine(SharedFolder.Checkout, "docs", "commands.md"));
        ProcessStartInfo start = new("dotnet", [Path.Combine(AppContext.BaseDirectory, "posthorn.dll"), "--help"]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string help = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        string[] commands = [.. Listed().Matches(help[help.IndexOf("Commands:", StringComparison.Ordinal)..]).Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal)];
        string[] named = [.. Named().Matches(documented).Select(m => m.Groups[1].Value).Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(commands, named);
    }

    [GeneratedRegex(@"^  ([a-z]+)", RegexOptions.Multiline)]
    private static partial Regex Listed();

    [GeneratedRegex(@"^\| `posthorn ([a-z]+)", RegexOptions.Multiline)]
    private static partial Regex Named();
}
