using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Posthorn.Core;
using Posthorn.Filtering;
using Posthorn.Transport.Filtering;
using Posthorn.Sieve;

namespace Posthorn.Commands;

/// <summary><c>posthorn sieve run SCRIPT MESSAGE…</c>: what a script would do with messages in files. Nothing is sent or stored.</summary>
internal static class SieveRunCommand
{
    /// <summary>A message that is tried by hand, octets; the server's own limit is smaller.</summary>
    private const long MaxMessage = 256L * 1024 * 1024;

    public static Command Create()
    {
        Argument<string> script = new("SCRIPT") { Description = "The script" };
        Argument<string[]> messages = new("MESSAGE") { Description = "Messages in files; '-' reads standard input", Arity = ArgumentArity.OneOrMore };
        Option<string?> from = new("--from") { Description = "The envelope's sender; '<>' is the null path (default: from the header)", HelpName = "ADDRESS" };
        Option<string?> to = new("--to") { Description = "The envelope's recipient, and the owner of the script (default: from the header)", HelpName = "ADDRESS" };
        Option<string[]> mailboxes = new("--mailbox") { Description = "A mailbox that exists, besides INBOX; may be repeated", HelpName = "NAME" };
        Option<string?> globals = new("--global") { Description = "The folder of scripts for 'include :global'", HelpName = "DIR" };
        Option<bool> trace = new("--trace") { Description = "Print each command, test and comparison with its values" };
        Option<string?> config = CommonOptions.SieveConfig(), account = CommonOptions.SieveAccount();
        Option<bool> json = CommonOptions.Json();
        Command command = new("run", "Show what a script would do with messages; nothing is sent or stored") { script, messages, from, to, mailboxes, globals, config, account, trace, json };
        command.SetAction((parsed, cancel) => SieveSurroundings.WithAsync(parsed.GetValue(config), parsed.GetValue(account), around => RunAsync(new(parsed.GetRequiredValue(script), parsed.GetRequiredValue(messages))
        {
            From = parsed.GetValue(from),
            To = parsed.GetValue(to),
            Mailboxes = parsed.GetValue(mailboxes) ?? [],
            Globals = parsed.GetValue(globals),
            Trace = parsed.GetValue(trace),
            Json = parsed.GetValue(json),
        }, around, cancel), cancel));
        return command;
    }

    private static async Task<int> RunAsync(SieveRunWishes wishes, SieveSurroundings around, CancellationToken cancel)
    {
        EmailAddress owner = default;
        if (wishes.To is not null && !EmailAddress.TryParse(wishes.To, out owner))
        {
            Console.Error.WriteLine($"--to: '{wishes.To}' is not an address");
            return ExitStatus.Usage;
        }
        SieveCompilation? compiled = null;
        if (!ScriptFile.TryRead(wishes.Script, out byte[] octets, out string? problem)) Console.Error.WriteLine($"{wishes.Script}: error: {problem}");
        else
        {
            compiled = SieveCompiler.Compile(octets, wishes.Script, around.Language, around.Check);
            foreach (SieveDiagnostic remark in compiled.Diagnostics) Console.Error.WriteLine($"{wishes.Script}:{remark}");
        }
        if (compiled?.Script is not { } script) return ExitStatus.Wrong;
        List<SieveScript> chain = around is { Options: { } options, Library: { } library } ? Replayer.Around(script, options, library) : [script];
        List<SieveMessageReport> reports = [];
        foreach (string file in wishes.Messages)
        {
            SieveMessageReport report = await TryAsync(chain, file, wishes, around, wishes.To is not null ? owner : around.Account?.Account.Address, cancel);
            if (!wishes.Json) WriteText(report);
            reports.Add(report);
        }
        SieveRunReport all = new(wishes.Script, reports.TrueForAll(r => r.Error is null), reports);
        if (wishes.Json) Console.Out.WriteLine(JsonSerializer.Serialize(all, SieveJson.Default.SieveRunReport));
        return all.Good ? ExitStatus.Done : ExitStatus.Wrong;
    }

    private static async Task<SieveMessageReport> TryAsync(IReadOnlyList<SieveScript> chain, string file, SieveRunWishes wishes, SieveSurroundings around, EmailAddress? owner, CancellationToken cancel)
    {
        if (!ScriptFile.TryRead(file, MaxMessage, out byte[] octets, out string? problem)) return new(file, [], new(problem, null, null, null), [], [], null);
        ISieveMessage message = MimeSieveMessage.Parse(octets);
        SieveEnvelope guessed = SieveEnvelope.Guess(message);
        string recipient = owner?.ToString() ?? guessed.To;
        RunTrace? trace = wishes.Trace ? new() : null;
        SieveContext context = new()
        {
            Envelope = guessed with { From = wishes.From?.Trim('<', '>', ' ') ?? guessed.From, To = recipient, OriginalTo = recipient },
            HostName = around.Options?.Hostname ?? "localhost",
            Owner = owner ?? (EmailAddress.TryParse(recipient, out EmailAddress found) ? found : null),
            Parser = MimeSieveMessage.Parse,
            Trace = trace,
        };
        FileSieveHost host = new(Path.GetDirectoryName(Path.GetFullPath(wishes.Script)) ?? "/", wishes.Globals ?? around.Options?.GlobalFolder, wishes.Mailboxes, around.Language, around.Account);
        SieveResult result = await SieveInterpreter.RunAsync(chain, message, context, around.Language, host, cancel);
        RunProblem? failed = result.Error is { } error ? new(error.Message, error.Failure.ToString().ToLowerInvariant(), error.At?.Line, error.At?.Column) : null;
        return new(file, [.. result.Actions.Select(ActionReport.Of)], failed, [.. result.Notes.Select(n => n.Text)], host.Assumed, trace?.Steps) { TraceIsCut = trace?.IsCut == true ? true : null };
    }

    private static void WriteText(SieveMessageReport report)
    {
        Console.Out.WriteLine($"{report.Message}:");
        foreach (TraceStep step in report.Trace ?? []) Console.Out.WriteLine("  " + Line(step));
        if (report.TraceIsCut == true) Console.Out.WriteLine("  (the trace goes on)");
        foreach (string assumed in report.Assumed) Console.Out.WriteLine($"  assumed: {assumed}");
        foreach (string note in report.Notes) Console.Out.WriteLine($"  note: {note}");
        if (report.Error is { } error) Console.Out.WriteLine($"  error{(error.Line is null ? "" : string.Create(CultureInfo.InvariantCulture, $" at {error.Line}:{error.Column}"))}: {error.Text}");
        foreach (ActionReport action in report.Actions) Console.Out.WriteLine($"  -> {action.Line()}");
    }

    private static string Line(TraceStep step) => step.Kind switch
    {
        "compare" => $"          \"{OneLine(step.Value)}\" against \"{OneLine(step.Key)}\": {(step.Result == true ? "yes" : "no")}",
        "test" => string.Create(CultureInfo.InvariantCulture, $"  {step.Line,4}:{step.Column,-3} test {step.Name}: {(step.Result == true ? "true" : "false")}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{step.Line,4}:{step.Column,-3} {step.Name}"),
    };

    private static string OneLine(string? text) => string.Concat((text ?? "").Select(c => char.IsControl(c) || char.IsSurrogate(c) && SieveText.IsWellFormed(text) == false ? '\uFFFD' : c));
}

/// <summary>What <c>sieve run</c> was asked.</summary>
internal sealed record SieveRunWishes(string Script, IReadOnlyList<string> Messages)
{
    public string? From { get; init; }
    public string? To { get; init; }
    public IReadOnlyList<string> Mailboxes { get; init; } = [];
    public string? Globals { get; init; }
    public bool Trace { get; init; }
    public bool Json { get; init; }
}

/// <summary>What <c>sieve run --json</c> prints.</summary>
internal sealed record SieveRunReport(string Script, bool Good, IReadOnlyList<SieveMessageReport> Messages);

/// <summary>One message: after an error it is kept as it came.</summary>
internal sealed record SieveMessageReport(
    string Message, IReadOnlyList<ActionReport> Actions, RunProblem? Error, IReadOnlyList<string> Notes, IReadOnlyList<string> Assumed, IReadOnlyList<TraceStep>? Trace)
{
    public bool? TraceIsCut { get; init; }
}

/// <summary>Why a run failed.</summary>
internal sealed record RunProblem(string Text, string? Kind, int? Line, int? Column);
