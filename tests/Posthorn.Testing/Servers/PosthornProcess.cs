using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Posthorn.Testing;

/// <summary>An account of a started server.</summary>
public sealed record ServerAccount(string Address, string Login, string Password)
{
    public string LocalPart => Address[..Address.IndexOf('@', StringComparison.Ordinal)];
}

/// <summary>The built program as a process of its own, set up by quickstart on free ports in a folder of its own.</summary>
public sealed partial class PosthornProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private const int Terminate = 15;

    private readonly TemporaryFolder? _folder;
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _log = new();
    private readonly Dictionary<string, int> _ports = [];

    private PosthornProcess(Process process, TemporaryFolder? folder) => (_process, _folder) = (process, folder);

    public IReadOnlyList<ServerAccount> Accounts { get; private set; } = [];
    public string Configuration { get; private set; } = "";
    public string Directory => Path.GetDirectoryName(Configuration)!;
    public int Id => _process.Id;
    public bool HasExited => _process.HasExited;

    /// <summary>What it wrote to its standard error so far.</summary>
    public string Log => string.Join('\n', _log);

    public int Port(string listener) => _ports[listener];

    public ServerAccount this[string localPart] => Accounts.Single(a => a.LocalPart == localPart);

    /// <summary>The program's file: the native one that <c>$POSTHORN_PROGRAM</c> names, else the one built beside the tests.</summary>
    public static (string File, string[] Arguments) Program =>
        Environment.GetEnvironmentVariable("POSTHORN_PROGRAM") is { Length: > 0 } native ? (native, []) : ("dotnet", [Path.Combine(AppContext.BaseDirectory, "posthorn.dll")]);

    /// <summary>Starts quickstart and waits until all listeners accept.</summary>
    public static async Task<PosthornProcess> StartAsync(string accounts = "ann,bob", string? directory = null, string domain = "posthorn.test", string? program = null)
    {
        TemporaryFolder? folder = directory is null ? new() : null;
        string root = directory ?? Path.Combine(folder!.Path, "q");
        (string file, string[] arguments) = program is null ? Program : (program, []);
        PosthornProcess server = Launch(file, [.. arguments, "quickstart", "--directory", root, "--port-base", "0", "--domain", domain, "--accounts", accounts, "--json"], folder);
        using CancellationTokenSource patience = new(Patience);
        string? line = await server._process.StandardOutput.ReadLineAsync(patience.Token);
        if (line is null)
        {
            await server._process.WaitForExitAsync(patience.Token);
            Assert.Fail($"the server ended with status {server._process.ExitCode}\n{server.Log}");
        }
        server.Read(line);
        return server;
    }

    /// <summary>Starts <c>serve</c> with a configuration and waits for the event that says it is ready.</summary>
    public static async Task<PosthornProcess> ServeAsync(string configuration)
    {
        PosthornProcess server = Serve(configuration);
        await server.ReadyAsync();
        return server;
    }

    /// <summary>Starts <c>serve</c> with a configuration; it may not be ready yet.</summary>
    public static PosthornProcess Serve(string configuration)
    {
        (string file, string[] arguments) = Program;
        PosthornProcess server = Launch(file, [.. arguments, "serve", "--config", configuration], null);
        server.Configuration = configuration;
        return server;
    }

    /// <summary>Waits until all listeners accept.</summary>
    public async Task ReadyAsync()
    {
        using CancellationTokenSource patience = new(Patience);
        while (!_log.Any(l => l.Contains(" ready ", StringComparison.Ordinal) || l.Contains("\"event\":\"ready\"", StringComparison.Ordinal)))
        {
            if (_process.HasExited) Assert.Fail($"the server ended with status {_process.ExitCode}\n{Log}");
            await Task.Delay(5, patience.Token);
        }
        foreach (string line in _log)
        {
            System.Text.RegularExpressions.Match match = Listening().Match(line);
            if (match.Success) _ports[match.Groups[1].Value] = int.Parse(match.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Sends SIGTERM and waits; the exit status.</summary>
    public async Task<int> StopAsync()
    {
        if (!_process.HasExited)
        {
            Assert.Equal(0, Kill(_process.Id, Terminate));
            using CancellationTokenSource patience = new(Patience);
            await _process.WaitForExitAsync(patience.Token);
        }
        return _process.ExitCode;
    }

    /// <summary>Kills it as a power cut would.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public void Signal(int signal) => Assert.Equal(0, Kill(_process.Id, signal));

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _ = Kill(_process.Id, Terminate);
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(20));
            try { await _process.WaitForExitAsync(patience.Token); }
            catch (OperationCanceledException) { _process.Kill(); }
        }
        _process.Dispose();
        _folder?.Dispose();
    }

    private static PosthornProcess Launch(string file, IEnumerable<string> arguments, TemporaryFolder? folder)
    {
        ProcessStartInfo start = new(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        Process process = Process.Start(start)!;
        PosthornProcess server = new(process, folder);
        process.ErrorDataReceived += (_, line) => { if (line.Data is { } text) server._log.Enqueue(text); };
        process.BeginErrorReadLine();
        return server;
    }

    private void Read(string line)
    {
        using JsonDocument report = JsonDocument.Parse(line);
        foreach (JsonElement listener in report.RootElement.GetProperty("listeners").EnumerateArray())
            if (listener.TryGetProperty("port", out JsonElement port)) _ports[listener.GetProperty("name").GetString()!] = port.GetInt32();
        Accounts = [.. report.RootElement.GetProperty("accounts").EnumerateArray().Select(a =>
            new ServerAccount(a.GetProperty("address").GetString()!, a.GetProperty("login").GetString()!, a.GetProperty("password").GetString()!))];
        Configuration = report.RootElement.GetProperty("configuration").GetString()!;
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [System.Text.RegularExpressions.GeneratedRegex(@"listening listener=(\w+) .*?:(\d+)$")]
    private static partial System.Text.RegularExpressions.Regex Listening();
}
