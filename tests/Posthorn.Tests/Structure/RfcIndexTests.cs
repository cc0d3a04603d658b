using System.Text.RegularExpressions;
using Posthorn.Testing;

namespace Posthorn.Tests.Structure;

/// <summary>docs/rfc/index.tsv names every standard that the code cites, with the projects that cite it.</summary>
public sealed partial class RfcIndexTests
{
    [Fact]
    public void The_index_and_the_citations_agree()
    {
        string root = Path.Combine(SharedFolder.Checkout, "src");
        SortedDictionary<int, SortedSet<string>> cited = [];
        foreach (string path in Folder.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories).Where(p => !p.Contains("/obj/", StringComparison.Ordinal)))
            foreach (Match match in Citation().Matches(File.ReadAllText(path)))
            {
                int number = int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
                if (!cited.TryGetValue(number, out SortedSet<string>? projects)) cited[number] = projects = new(StringComparer.Ordinal);
                projects.Add(Path.GetRelativePath(root, path).Split('/')[0]);
            }
        string[] expected = [.. cited.Select(c => $"{c.Key}\t{string.Join(' ', c.Value)}")];
        string[] indexed = [.. File.ReadLines(Path.Combine(SharedFolder.Checkout, "docs", "rfc", "index.tsv")).Skip(1).Where(l => l.Length > 0).Select(l => l.Split('\t')).Select(f => $"{f[0]}\t{f[2]}")];
        Assert.Equal(expected, indexed);
        Assert.DoesNotContain(File.ReadLines(Path.Combine(SharedFolder.Checkout, "docs", "rfc", "index.tsv")), l => l.Contains("\t\t", StringComparison.Ordinal));
    }

    [GeneratedRegex(@"RFC (\d{3,5})")]
    private static partial Regex Citation();
}
