using System.Globalization;
using System.Text;

namespace Posthorn.Bench.Compare.Report;

/// <summary>Keeps the table in <c>docs/performance.md</c>, between two marks, and the picture beside it.</summary>
internal static class PerformancePage
{
    internal static void Write(string checkout, IReadOnlyList<RowResult> results)
    {
        Write(checkout, "compare", Block(results));
        File.WriteAllText(Path.Combine(checkout, "docs", "performance.svg"), Chart.Of(results));
    }

    /// <summary>Puts text between the two marks of a name.</summary>
    internal static void Write(string checkout, string name, string block)
    {
        string begin = $"<!-- {name}: written by bench/{name.Split(' ')[0]} -->", end = $"<!-- {name}: end -->";
        string page = Path.Combine(checkout, "docs", "performance.md");
        string text = File.ReadAllText(page);
        int from = text.IndexOf(begin, StringComparison.Ordinal), to = text.IndexOf(end, StringComparison.Ordinal);
        if (from < 0 || to < from) throw new IOException($"{page}: the marks \"{begin}\" and \"{end}\" are missing");
        File.WriteAllText(page, text[..(from + begin.Length)] + "\n\n" + block + "\n" + text[to..]);
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
