using System.Diagnostics;
using System.Text;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>What a finished program said.</summary>
internal sealed record PeerResult(int Status, string Output, string Errors)
{
    public string All => $"status {Status}\n{Output}\n{Errors}";
}

/// <summary>Runs real programs.</summary>
internal static class Peer
{
    /// <summary>No program of these tests takes this long; it ends what hangs.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>The program's path. Where it is missing the test skips, saying what to install; with <c>CI=true</c> it fails.</summary>
    public static string Require(string program, string package)
    {
        string path = Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin:/sbin";
        foreach (string folder in path.Split(':', StringSplitOptions.RemoveEmptyEntries))
            if (File.Exists(Path.Combine(folder, program))) return Path.Combine(folder, program);
        string text = $"needs the program '{program}': install the package {package}";
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail(text);
        Assert.Skip(text);
        return "";
    }

    public static Task<PeerResult> RunAsync(string program, params string[] arguments) => RunAsync(program, arguments, null, null);

    /// <summary>Runs a program to its end.</summary>
    public static async Task<PeerResult> RunAsync(string program, IEnumerable<string> arguments, string? input, string? home, TimeSpan? longer = null)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        if (home is not null)
        {
            start.WorkingDirectory = home;
            start.Environment["HOME"] = home;
        }
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment["TERM"] = "xterm";
        using Process process = Process.Start(start)!;
        using CancellationTokenSource patience = new(longer ?? Patience);
        Task<string> output = process.StandardOutput.ReadToEndAsync(patience.Token), errors = process.StandardError.ReadToEndAsync(patience.Token);
        if (input is not null) await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        try { await process.WaitForExitAsync(patience.Token); }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} did not end");
        }
        return new(process.ExitCode, await output, await errors);
    }

    /// <summary>Runs a program and fails the test when it fails.</summary>
    public static async Task<PeerResult> SucceedAsync(string program, IEnumerable<string> arguments, string? input = null, string? home = null, TimeSpan? patience = null)
    {
        PeerResult result = await RunAsync(program, arguments, input, home, patience);
        Assert.True(result.Status == 0, $"{program} {string.Join(' ', arguments)}\n{result.All}");
        return result;
    }
}
