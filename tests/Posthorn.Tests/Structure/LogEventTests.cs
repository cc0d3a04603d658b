using System.Text.RegularExpressions;
using Posthorn.Testing;

namespace Posthorn.Tests.Structure;

/// <summary>Every log event has a number of its own, in the range that its file names.</summary>
public sealed partial class LogEventTests
{
    [Fact]
    public void Numbers_are_unique_and_in_their_range()
    {
        Dictionary<int, string> seen = [];
        foreach (string path in Folder.EnumerateFiles(Path.Combine(SharedFolder.Checkout, "src"), "*Log.cs", SearchOption.AllDirectories).Where(p => !p.Contains("/obj/", StringComparison.Ordinal)))
        {
            string text = File.ReadAllText(path);
            if (!text.Contains("[LoggerMessage(", StringComparison.Ordinal)) continue;
            Match range = Range().Match(text);
            Assert.True(range.Success, $"{path} names no range");
            (int low, int high) = (Number(range.Groups[1]), Number(range.Groups[2]));
            foreach (Match match in Event().Matches(text))
            {
                int id = Number(match.Groups[1]);
                Assert.InRange(id, low, high);
                Assert.True(seen.TryAdd(id, path), $"{id} stands in {path} and {seen[id]}");
            }
        }
        Assert.True(seen.Count > 50);
    }

    private static int Number(Group group) => int.Parse(group.Value, System.Globalization.CultureInfo.InvariantCulture);

    [GeneratedRegex(@"numbered (\d+)-(\d+)")]
    private static partial Regex Range();

    [GeneratedRegex(@"\[LoggerMessage\((\d+)")]
    private static partial Regex Event();
}
