using System.Diagnostics;
using System.Text.Json;

namespace Posthorn.Bench.Tests;

/// <summary>bench/compare works: every row runs on both sides and finds all mail. What it measures here means nothing.</summary>
[Collection("one at a time")]
public sealed class CompareTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task A_quick_comparison_runs_every_row_on_both_sides()
    {
        string[] rows = [.. (await RunAsync("--list")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0])];
        Assert.NotEmpty(rows);
        string output = await RunAsync("--quick", "--json", "--posthorn", Path.Combine(AppContext.BaseDirectory, "posthorn.dll"));
        using JsonDocument results = JsonDocument.Parse(output);
        Assert.Equal(rows, results.RootElement.EnumerateArray().Select(row => row.GetProperty("id").GetString()));
        foreach (JsonElement row in results.RootElement.EnumerateArray())
            foreach (string side in (string[])["peer", "ours"])
                Assert.True(Assert.Single(row.GetProperty(side).GetProperty("values").EnumerateArray()).GetDouble() > 0, $"{row}");
    }

    [Fact]
    public async Task An_unknown_row_is_a_wrong_usage()
    {
        (int status, _, string errors) = await StartAsync("--rows", "nonsense");
        Assert.Equal(2, status);
        Assert.Contains("'nonsense'", errors, StringComparison.Ordinal);
    }

    // Exit status 1 with "this needs": the peer cannot run on this machine, which only CI must not accept.
    private static async Task<string> RunAsync(params string[] arguments)
    {
        (int status, string output, string errors) = await StartAsync(arguments);
        if (status == 1 && errors.Contains("this needs", StringComparison.Ordinal) && Environment.GetEnvironmentVariable("CI") != "true") Assert.Skip(errors);
        Assert.True(status == 0, $"status {status}\n{errors}");
        return output;
    }

    private static async Task<(int Status, string Output, string Errors)> StartAsync(params string[] arguments)
    {
        ProcessStartInfo start = new("dotnet", [Path.Combine(AppContext.BaseDirectory, "Posthorn.Bench.Compare.dll"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        using CancellationTokenSource patience = new(Patience);
        Task<string> output = process.StandardOutput.ReadToEndAsync(patience.Token), errors = process.StandardError.ReadToEndAsync(patience.Token);
        await process.WaitForExitAsync(patience.Token);
        return (process.ExitCode, await output, await errors);
    }
}
