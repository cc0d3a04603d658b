using System.Text.Json;
using System.Text.Json.Serialization;
using Posthorn.Bench.Compare.Rows;

namespace Posthorn.Bench.Compare.Report;

/// <summary>All runs of one row on one side.</summary>
internal sealed record Side
{
    public required string Version { get; init; }
    public required List<double> Values { get; init; }
    public required List<double> Cpu { get; init; }

    [JsonIgnore]
    public double Median => Middle(Values);

    [JsonIgnore]
    public double? CpuMedian => Cpu.Count == 0 ? null : Middle(Cpu);

    private static double Middle(List<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }
}

/// <summary>What came of a row.</summary>
internal sealed record RowResult
{
    public required string Id { get; init; }
    public required string Title { get; init; }
    public required string Unit { get; init; }
    public required bool HigherIsBetter { get; init; }
    public double? Goal { get; init; }
    public double? CpuGoal { get; init; }
    public double? Limit { get; init; }
    public required DateTimeOffset Date { get; init; }
    public required Machine Machine { get; init; }
    public required Side Peer { get; init; }
    public required Side Ours { get; init; }

    /// <summary>The driver's CPU for each item with ours, in milliseconds; it takes its part of the same cores.</summary>
    public double? ClientCpu { get; init; }

    /// <summary>The most of the machine that other programs used in any run, in percent.</summary>
    public double? Foreign { get; init; }

    /// <summary>How many times better ours is.</summary>
    [JsonIgnore]
    public double Ratio => HigherIsBetter ? Ours.Median / Peer.Median : Peer.Median / Ours.Median;

    [JsonIgnore]
    public double? CpuRatio => Peer.CpuMedian / Ours.CpuMedian;

    /// <summary>Whether all goals of the row are reached; null when it has none.</summary>
    [JsonIgnore]
    public bool? IsReached => Goal is null && CpuGoal is null && Limit is null ? null : !(Ratio < Goal) && !(CpuRatio < CpuGoal) && !(Ours.Median > Limit);

    internal static RowResult Of(Row row, Side peer, Side ours, double? client, double? foreign) => new()
    {
        Id = row.Id,
        Title = row.Title,
        Unit = row.Unit,
        HigherIsBetter = row.HigherIsBetter,
        Goal = row.Goal,
        CpuGoal = row.CpuGoal,
        Limit = row.Limit,
        Date = TimeProvider.System.GetUtcNow(),
        Machine = Machine.This(),
        Peer = peer,
        Ours = ours,
        ClientCpu = client,
        Foreign = foreign,
    };
}

/// <summary>The rows that were measured last, each with its date; a run of some rows replaces those.</summary>
internal static class ResultFile
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    internal static string Text(IEnumerable<RowResult> results) => JsonSerializer.Serialize(results, Format);

    /// <summary>Takes fresh results into the file and returns all of it, in the order of <see cref="RowList"/>.</summary>
    internal static IReadOnlyList<RowResult> Merge(string path, IReadOnlyList<RowResult> fresh)
    {
        List<RowResult> old = File.Exists(path) ? JsonSerializer.Deserialize<List<RowResult>>(File.ReadAllText(path), Format)! : [];
        List<RowResult> all = [];
        foreach (Row row in RowList.All)
            if ((fresh.FirstOrDefault(r => r.Id == row.Id) ?? old.FirstOrDefault(r => r.Id == row.Id)) is { } result) all.Add(result);
        File.WriteAllText(path, Text(all) + "\n");
        return all;
    }
}
