using System.Globalization;
using System.Text;

namespace Posthorn.Bench.Compare.Report;

/// <summary>The results as a Markdown table: medians, and in brackets the least and the most.</summary>
internal static class Table
{
    internal static string Of(IReadOnlyList<RowResult> results)
    {
        StringBuilder text = new();
        text.AppendLine("| work | unit | Postfix + Dovecot | Posthorn | times | CPU of each, ms: peer | ours | times | goal | reached |");
        text.AppendLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach (RowResult r in results)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {r.Title} | {r.Unit} | {Spread(r.Peer.Values)} | {Spread(r.Ours.Values)} | {Number(r.Ratio)} | {Spread(r.Peer.Cpu)} | {Spread(r.Ours.Cpu)} | {Number(r.CpuRatio)} | {Goal(r)} | {Verdict(r)} |");
        }

        return text.ToString();
    }

    internal static string Number(double? value) => value switch
    {
        null => "",
        >= 100 => value.Value.ToString("F0", CultureInfo.InvariantCulture),
        >= 10 => value.Value.ToString("F1", CultureInfo.InvariantCulture),
        >= 1 => value.Value.ToString("F2", CultureInfo.InvariantCulture),
        _ => value.Value.ToString("F3", CultureInfo.InvariantCulture),
    };

    private static string Spread(List<double> values)
    {
        if (values.Count == 0) return "";
        Side side = new() { Version = "", Values = values, Cpu = [] };
        return values.Count == 1 ? Number(values[0]) : $"{Number(side.Median)} [{Number(values.Min())}–{Number(values.Max())}]";
    }

    private static string Goal(RowResult r)
    {
        List<string> goals = [];
        if (r.Goal is { } times) goals.Add($"{Number(times)} times");
        if (r.CpuGoal is { } cpu) goals.Add($"CPU {Number(cpu)} times");
        if (r.Limit is { } limit) goals.Add($"at most {Number(limit)}");
        return string.Join(", ", goals);
    }

    private static string Verdict(RowResult r) => r.IsReached switch { true => "yes", false => "no", null => "" };
}
