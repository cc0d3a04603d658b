using System.Globalization;
using System.Text;

namespace Posthorn.Bench.Compare.Report;

/// <summary>Keeps the table in <c>docs/performance.md</c>, between two marks, and the picture beside it.</summary>
internal static class PerformancePage
{
    private const string Begin = "<!-- compare: written by bench/compare -->";
    private const string End = "<!-- compare: end -->";

    internal static void Write(string checkout, IReadOnlyList<RowResult> results)
    {
        string page = Path.Combine(checkout, "docs", "performance.md");
        string text = File.ReadAllText(page);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal), end = text.IndexOf(End, StringComparison.Ordinal);
        if (begin < 0 || end < begin) throw new IOException($"{page}: the marks \"{Begin}\" and \"{End}\" are missing");
        File.WriteAllText(page, text[..(begin + Begin.Length)] + "\n\n" + Block(results) + "\n" + text[end..]);
        File.WriteAllText(Path.Combine(checkout, "docs", "performance.svg"), Chart.Of(results));
    }

    private static string Block(IReadOnlyList<RowResult> results)
    {
        StringBuilder text = new();
        text.AppendLine("![Ratios as bars](performance.svg)").AppendLine();
        text.Append(Table.Of(results)).AppendLine();
        foreach (IGrouping<string, RowResult> group in results.GroupBy(r =>
            string.Create(CultureInfo.InvariantCulture, $"{r.Date:yyyy-MM-dd}, {r.Machine}; {r.Peer.Version}; Posthorn {r.Ours.Version}")))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"- {group.Key}; other programs used at most {Table.Number(group.Max(r => r.Foreign ?? 0))} % of the machine. Rows: {string.Join(", ", group.Select(r => r.Id))}.");
        }

        return text.ToString();
    }
}
