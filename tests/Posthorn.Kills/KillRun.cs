using System.Diagnostics;
using System.Globalization;

namespace Posthorn.Kills;

/// <summary>What to do.</summary>
/// <param name="Kills">How often the server is killed.</param>
/// <param name="Seed">Of the moments, the letters and the choice of commands; how the commands meet is up to the machine.</param>
/// <param name="Directory">Where the server's folder is made.</param>
/// <param name="Tell">Progress, for people.</param>
internal sealed record KillOptions(int Kills, int Seed, string Directory, Action<string> Tell);

/// <summary>What came of it.</summary>
internal sealed record KillReport(int Kills, int CleanStops, int Seed, long Acknowledged, long Refused, long Lost, long Twice, long Lies, int Relayed, int RelayedAgain, double Seconds, IReadOnlyList<string> Violations)
{
    public bool IsClean => Lost == 0 && Twice == 0 && Lies == 0;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"seed {Seed}: {Kills} kills and {CleanStops} clean stops in {Seconds:F0} s; {Acknowledged} messages acknowledged, {Refused} refused; {Lost} lost, {Twice} twice, {Lies} other violations; {Relayed} relayed, {RelayedAgain} of them again since the kill took the answer");
}

/// <summary>Starts the server, loads it, kills it, starts it again on the same folder and reads everything back, again and again.</summary>
internal sealed class KillRun(KillOptions options)
{
    /// <summary>Every so many rounds the content of all messages is read, and the server is stopped in peace.</summary>
    private const int Checkpoint = 25;

    private readonly Ledger _ledger = new([new("ann@kill.example", "ann", "pwann"), new("bob@kill.example", "bob", "pwbob")]);
    private int _kills, _cleanStops;

    public async Task<KillReport> RunAsync()
    {
        Stopwatch watch = Stopwatch.StartNew();
        await using SinkLedger sink = new(_ledger, TimeProvider.System);
        string configuration = await PrepareAsync(sink);
        for (int round = 1; _kills < options.Kills && _ledger.IsClean; round++)
        {
            try { await RoundAsync(configuration, sink, round); }
            catch (Xunit.Sdk.XunitException e) { _ledger.SayLie($"round {round}: {e.Message}"); } // it does not start
            if (round % Checkpoint == 0) options.Tell(Report(sink, watch).ToString());
        }
        if (_ledger.IsClean) await FinishAsync(configuration, sink);
        return Report(sink, watch);
    }

    private KillReport Report(SinkLedger sink, Stopwatch watch) =>
        new(_kills, _cleanStops, options.Seed, _ledger.Acknowledged, _ledger.Refused, _ledger.Lost, _ledger.Twice, _ledger.Lies, sink.Taken, sink.Again, watch.Elapsed.TotalSeconds, _ledger.Violations);

    // Small segments, so that the ring goes round many times; short waits, so that what a kill broke off is tried again soon.
    private async Task<string> PrepareAsync(SinkLedger sink)
    {
        (int dns, int port) = sink.Start();
        Folder.CreateDirectory(options.Directory);
        await File.WriteAllLinesAsync(Path.Combine(options.Directory, "users"), _ledger.Accounts.Select(a => $"{a.Account.Address}:{{PLAIN}}{a.Account.Password}"));
        string configuration = Path.Combine(options.Directory, "posthorn.toml");
        await File.WriteAllTextAsync(configuration, string.Create(CultureInfo.InvariantCulture, $"""
            hostname = "mx.kill.example"
            data = "data"
            [[domain]]
            name = "kill.example"
            [mail]
            keep-expunged = "1s"
            [auth]
            passwd-file = "users"
            [listen]
            smtp = ["127.0.0.1:0"]
            lmtp = ["127.0.0.1:0"]
            imap = ["127.0.0.1:0"]
            [dns]
            servers = ["127.0.0.1:{dns}"]
            [outbound]
            port = {port}
            first-retry = "1s"
            [journal]
            segment-size = "4 MiB"
            segments = 3
            [log]
            file = false

            """));
        return configuration;
    }

    private async Task RoundAsync(string configuration, SinkLedger sink, int round)
    {
        Random random = new(unchecked(options.Seed * 7919 + round));
        await using PosthornProcess server = PosthornProcess.Serve(configuration);
        // Starting is replaying: one kill in eight comes within it.
        if (random.Next(8) == 0)
        {
            await Task.Delay(random.Next(600));
            await KillAsync(server, sink);
            return;
        }
        await server.ReadyAsync();
        await InspectAsync(server, everything: round % Checkpoint == 0);
        if (!_ledger.IsClean) return;
        TimeSpan moment = TimeSpan.FromMilliseconds(random.Next(4) == 0 ? random.Next(100) : random.Next(100, 1500));
        bool peaceful = round % Checkpoint == Checkpoint / 2;
        Load load = new(server, _ledger, sink, options.Seed, round);
        Task[] workers = Start(load);
        await Task.Delay(moment);
        load.IsEnding = true;
        if (peaceful) await StopAsync(server, sink);
        else await KillAsync(server, sink);
        await Task.WhenAll(workers);
    }

    private Task[] Start(Load load)
    {
        List<Task> workers = [];
        for (int i = 0; i < 6; i++) Add("SMTP", new SmtpWorker(load, workers.Count, relays: false).WorkAsync);
        for (int i = 0; i < 2; i++) Add("relaying", new SmtpWorker(load, workers.Count, relays: true).WorkAsync);
        for (int i = 0; i < 3; i++) Add("LMTP", new LmtpWorker(load, workers.Count).WorkAsync);
        foreach (AccountLedger account in _ledger.Accounts)
        {
            for (int i = 0; i < 2; i++) Add("APPEND", new AppendWorker(load, workers.Count, account).WorkAsync);
            for (int i = 0; i < 2; i++) Add("filing", new FilingWorker(load, workers.Count, account).WorkAsync);
            Add("folders", new FolderWorker(load, workers.Count, account).WorkAsync);
            Add("watching", new Watcher(load, account).WorkAsync);
        }
        return [.. workers];

        void Add(string name, Func<Task> work) => workers.Add(load.RunAsync(name, work));
    }

    private async Task KillAsync(PosthornProcess server, SinkLedger sink)
    {
        if (server.HasExited) _ledger.SayLie($"the server ended by itself\n{server.Log}");
        await server.KillAsync();
        sink.Killed();
        _kills++;
    }

    private async Task StopAsync(PosthornProcess server, SinkLedger sink)
    {
        int status = await server.StopAsync();
        if (status != 0) _ledger.SayLie($"SIGTERM under load ended the server with status {status}\n{server.Log}");
        sink.Killed();
        _cleanStops++;
    }

    private async Task InspectAsync(PosthornProcess server, bool everything)
    {
        foreach (AccountLedger account in _ledger.Accounts) await new Inspector(_ledger, account, server.Port("imap")).InspectAsync(everything);
    }

    private async Task FinishAsync(string configuration, SinkLedger sink)
    {
        await using PosthornProcess server = await PosthornProcess.ServeAsync(configuration);
        await InspectAsync(server, everything: true);
        using CancellationTokenSource patience = new(TimeSpan.FromMinutes(1));
        while (sink.Missing > 0 && !patience.IsCancellationRequested) await Task.WhenAny(Task.Delay(50, patience.Token));
        sink.Settle();
        await StopAsync(server, sink);
    }
}
