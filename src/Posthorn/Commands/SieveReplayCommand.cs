using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Configuration;
using Posthorn.Control;
using Posthorn.Core;
using Posthorn.Filtering;
using Posthorn.Journal.Volume;
using Posthorn.Serving;
using Posthorn.Sieve;
using Posthorn.Store.Scripts;
using Posthorn.Transport.Filtering;

namespace Posthorn.Commands;

/// <summary><c>posthorn sieve replay --account A --script NEW</c>: runs a draft over mail already received and shows what would have gone elsewhere, changing nothing.</summary>
internal static class SieveReplayCommand
{
    public static Command Create()
    {
        Option<string> account = new("--account", "-a") { Description = "Whose mail", HelpName = "ADDRESS", Required = true };
        Option<string> script = new("--script", "-s") { Description = "The draft", HelpName = "FILE", Required = true };
        Option<string> since = new("--since") { Description = "How far back, such as 30d or 12h", HelpName = "TIME", DefaultValueFactory = _ => "30d" };
        Option<string?> config = CommonOptions.Config();
        Option<bool> json = CommonOptions.Json();
        Command command = new("replay", "Run a draft over mail already received and show what would have gone elsewhere") { account, script, since, config, json };
        command.SetAction((parsed, cancel) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
            RunAsync(configuration, parsed.GetRequiredValue(account), parsed.GetRequiredValue(script), parsed.GetRequiredValue(since), parsed.GetValue(json), cancel)));
        return command;
    }

    private static async Task<int> RunAsync(ServerConfiguration configuration, string account, string file, string since, bool json, CancellationToken cancel)
    {
        if (!Units.TryParseDuration(since, out TimeSpan back) || back <= TimeSpan.Zero)
        {
            Console.Error.WriteLine($"--since: '{since}' is not a time such as 30d or 12h");
            return ExitStatus.Usage;
        }
        if (WithConfiguration.Address(configuration, account) is not { } address) return ExitStatus.Wrong;
        if (!ScriptFile.TryRead(file, out byte[] draft, out string? problem))
        {
            Console.Error.WriteLine($"{file}: error: {problem}");
            return ExitStatus.Wrong;
        }
        SieveCompilation compiled = SieveCompiler.Compile(draft, file, OptionsFor.Sieve(configuration).Language);
        foreach (SieveDiagnostic remark in compiled.Diagnostics) Console.Error.WriteLine($"{file}:{remark}");
        if (compiled.Script is not { } script) return ExitStatus.Wrong;
        DateTimeOffset from = TimeProvider.System.GetUtcNow() - back;
        return await ControlClient.RunOrElseAsync(configuration,
            async (client, stop) => Show(await ThroughServerAsync(client, address, draft, from, stop), file, json),
            async stop => await FromDiskAsync(configuration, address, script, from, stop) is { } report ? Show(report, file, json) : ExitStatus.Wrong,
            cancel);
    }

    private static async Task<ReplayReport> ThroughServerAsync(ControlClient client, EmailAddress account, byte[] draft, DateTimeOffset since, CancellationToken cancel)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"sieve/replay?account={Uri.EscapeDataString(account.ToString())}&since={since.ToUnixTimeSeconds()}");
        await foreach (ReplayNews news in client.StreamAsync(path, draft, SieveJson.Default.ReplayNews, cancel))
        {
            if (news.Error is { } error) throw new ControlRefusedException(error);
            if (news.Report is { } report)
            {
                Progress.End();
                return report;
            }
            Progress.Tell(news.Done ?? 0, news.Total ?? 0);
        }
        throw new ControlRefusedException("The server ended the replay early.");
    }

    private static async Task<ReplayReport?> FromDiskAsync(ServerConfiguration configuration, EmailAddress address, SieveScript script, DateTimeOffset since, CancellationToken cancel)
    {
        if (await StoppedMail.OpenAsync(configuration, address, cancel) is not { } stopped) return null;
        await using IReplayMail mail = stopped.Mail;
        LinuxVolume volume = new();
        SieveOptions options = OptionsFor.Sieve(configuration);
        ScriptLibrary library = new(new FileScriptStore(options.Scripts, volume, TimeProvider.System), volume, TimeProvider.System, NullLogger.Instance);
        ReplayReport report = await new Replayer(options, library, new(volume, TimeProvider.System), stopped.Account, mail, TimeProvider.System).RunAsync(script, since, (done, total) =>
        {
            Progress.Tell(done, total);
            return ValueTask.CompletedTask;
        }, cancel);
        Progress.End();
        return report;
    }

    private static int Show(ReplayReport report, string file, bool json)
    {
        if (json) Console.Out.WriteLine(JsonSerializer.Serialize(report, SieveJson.Default.ReplayReport));
        else WriteText(report, file);
        return ExitStatus.Done;
    }

    private static void WriteText(ReplayReport report, string file)
    {
        foreach (ReplayedMessage message in report.Messages)
        {
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{message.Received.ToLocalTime():yyyy-MM-dd HH:mm}  {message.Mailbox}  <{Plain(message.From)}>  {Plain(message.Subject)}"));
            Console.Out.WriteLine($"    now:   {string.Join("; ", message.Active.Select(Plain))}");
            Console.Out.WriteLine($"    draft: {string.Join("; ", message.Draft.Select(Plain))}{(message.Error is { } error ? $" (error: {Plain(error)})" : "")}");
        }
        int reached = report.Lines.Count(line => line.Times > 0);
        Console.Out.WriteLine($"{Quantity.Of(report.Examined, "message")} since {report.Since.ToLocalTime():yyyy-MM-dd}: {report.Differ} would be treated otherwise than by {(report.HasActive ? "the active script" : "no script")}, "
            + $"{report.Elsewhere} would not lie where they are{(report.Failed > 0 ? $", {report.Failed} end in an error and would be kept" : "")}");
        if (report.Messages.Count < report.Differ) Console.Out.WriteLine($"({report.Differ - report.Messages.Count} more are not listed)");
        Console.Out.WriteLine($"{file}: {reached} of {report.Lines.Count} lines with commands were reached{(reached == report.Lines.Count ? "" : $"; never line {string.Join(", ", report.Lines.Where(l => l.Times == 0).Select(l => l.Line))}")}");
        if (report.Gone > 0) Console.Out.WriteLine($"{report.Gone} more went while they were looked at");
        foreach (string limit in report.Limits) Console.Out.WriteLine($"not known: {limit}");
        Console.Out.WriteLine("not in it: mail that was discarded, refused, sent on without a copy, or removed since");
    }

    private static string Plain(string text) => string.Concat(text.Select(c => char.IsControl(c) || char.IsSurrogate(c) && !SieveText.IsWellFormed(text) ? '\uFFFD' : c));

    // One line on a terminal, nothing in a file.
    private static class Progress
    {
        private static long _last;

        public static void Tell(int done, int total)
        {
            long now = TimeProvider.System.GetTimestamp();
            if (Console.IsErrorRedirected || TimeProvider.System.GetElapsedTime(_last, now) < TimeSpan.FromMilliseconds(100)) return;
            _last = now;
            Console.Error.Write($"\r{done} of {total} messages ");
        }

        public static void End()
        {
            if (!Console.IsErrorRedirected) Console.Error.Write("\r                                   \r");
        }
    }
}
