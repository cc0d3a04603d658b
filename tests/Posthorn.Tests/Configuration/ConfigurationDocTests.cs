using System.Text.RegularExpressions;
using Posthorn.Configuration;
using Posthorn.Testing;

namespace Posthorn.Tests.Configuration;

/// <summary>docs/configuration.md and the code name the same keys.</summary>
public sealed partial class ConfigurationDocTests
{
    private static readonly HashSet<string> Documented =
        [.. File.ReadLines(Path.Combine(SharedFolder.Checkout, "docs", "configuration.md")).Where(l => l.StartsWith("| `", StringComparison.Ordinal))
            .SelectMany(l => Quoted().Matches(l.Split('|')[1]).Select(m => m.Groups[1].Value))];

    [Fact]
    public void Every_key_is_documented() => Assert.Empty(ConfigurationLoader.KnownKeys().Except(Documented));

    [Fact]
    public void Every_documented_key_exists() => Assert.Empty(Documented.Except(ConfigurationLoader.KnownKeys()));

    [GeneratedRegex("`([a-z0-9.-]+)`")]
    private static partial Regex Quoted();
}
