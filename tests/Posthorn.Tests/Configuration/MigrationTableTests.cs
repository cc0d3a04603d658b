using System.Text.RegularExpressions;
using Posthorn.Configuration;
using Posthorn.Testing;

namespace Posthorn.Tests.Configuration;

/// <summary>docs/coming-from-postfix-and-dovecot.md names only keys that exist, and misses no line of the how-to.</summary>
public sealed partial class MigrationTableTests
{
    private static readonly string[] Rows =
        [.. File.ReadLines(Path.Combine(SharedFolder.Checkout, "docs", "coming-from-postfix-and-dovecot.md")).Where(l => l.StartsWith("| `", StringComparison.Ordinal))];

    [Fact]
    public void Each_key_named_exists()
    {
        IReadOnlyCollection<string> known = ConfigurationLoader.KnownKeys();
        int seen = 0;
        foreach (string row in Rows)
        {
            string[] cells = row.Split('|');
            if (cells.Length < 5) continue; // the table of steps has two columns
            foreach (Match key in Quoted().Matches(cells[2]))
            {
                seen++;
                Assert.True(known.Contains(key.Groups[1].Value), $"no key '{key.Groups[1].Value}', named in: {row}");
            }
            foreach (Match key in Quoted().Matches(cells[3]).Where(m => SectionKey().IsMatch(m.Groups[1].Value)))
                Assert.True(known.Contains(key.Groups[1].Value), $"no key '{key.Groups[1].Value}', named in: {row}");
        }
        Assert.True(seen > 20);
    }

    [Fact]
    public void Each_line_of_the_how_to_has_a_row()
    {
        string text = File.ReadAllText(SharedFolder.Require("seed/email-server-howto.md"));
        HashSet<string> rows = [.. Rows.Select(r => r.Split('|')[1].Trim().Trim('`'))];
        int seen = 0;
        foreach (Match block in ConfigurationBlock().Matches(text))
            foreach (string line in block.Groups[1].Value.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0))
            {
                seen++;
                Assert.True(rows.Contains(line), $"no row for: {line}");
            }
        Assert.True(seen > 50);
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex("^[a-z]+\\.[a-z-]+$")]
    private static partial Regex SectionKey();

    [GeneratedRegex(@"\{%highlight text%\}\n(.*?)\{%endhighlight%\}", RegexOptions.Singleline)]
    private static partial Regex ConfigurationBlock();
}
