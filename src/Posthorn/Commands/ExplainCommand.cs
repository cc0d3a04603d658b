using System.CommandLine;
using System.Text.Json;
using Posthorn.Control;
using Posthorn.Serving;

namespace Posthorn.Commands;

/// <summary><c>posthorn explain</c>: what would happen to a message at each stage, which rule decides it, and where it would go. Sends nothing.</summary>
internal static class ExplainCommand
{
    public static Command Create()
    {
        Option<string> from = new("--from", "-f") { Description = "The envelope's sender; <> for the null sender", HelpName = "ADDRESS", Required = true };
        Option<string[]> to = new("--to", "-t") { Description = "A recipient; several may be named", HelpName = "ADDRESS", Required = true };
        Option<string> ip = new("--ip", "-i") { Description = "The client's address", HelpName = "ADDRESS", DefaultValueFactory = _ => "127.0.0.1" };
        Option<string?> helo = new("--helo") { Description = "What the client calls itself (default: its address in brackets)", HelpName = "NAME" };
        Option<string?> login = new("--login") { Description = "As whom the client has logged in", HelpName = "NAME" };
        Option<bool> tls = new("--tls") { Description = "The session is under TLS" };
        Option<string?> listener = new("--listener") { Description = "smtp, submission, submissions or lmtp (default: smtp; with --login submission)", HelpName = "NAME" };
        Option<long?> size = new("--size") { Description = "The size that the client declares, octets", HelpName = "OCTETS" };
        Option<bool> json = CommonOptions.Json();
        Option<string?> config = CommonOptions.Config();
        Command command = new("explain", "Tell what would happen to a message, and which rule decides it; sends nothing") { from, to, ip, helo, login, tls, listener, size, json, config };
        command.SetAction((parsed, cancel) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
        {
            ExplainQuestion question = new(parsed.GetRequiredValue(from), parsed.GetRequiredValue(to), parsed.GetRequiredValue(ip), parsed.GetValue(helo), parsed.GetValue(login), parsed.GetValue(tls), parsed.GetValue(listener), parsed.GetValue(size));
            bool asJson = parsed.GetValue(json);
            return ControlClient.RunOrElseAsync(configuration, async (client, stop) => Write(await client.GetAsync($"explain?{question.Query()}", ControlJson.Default.ExplainReport, stop), asJson), async stop =>
            {
                await using StoppedServer offline = await StoppedServer.OpenAsync(configuration, TimeProvider.System, stop);
                (ExplainReport? report, string? problem) = await offline.ExplainAsync(configuration, question, stop);
                if (report is not null) return Write(report, asJson);
                Console.Error.WriteLine(problem);
                return ExitStatus.Usage;
            }, cancel);
        }));
        return command;
    }

    private static int Write(ExplainReport report, bool json)
    {
        if (json) Console.Out.WriteLine(JsonSerializer.Serialize(report, ControlJson.Default.ExplainReport));
        else
            foreach (string line in Lines(report)) Console.Out.WriteLine(Plain(line));
        return report.Accepted ? ExitStatus.Done : ExitStatus.Wrong;
    }

    private static IEnumerable<string> Lines(ExplainReport report)
    {
        yield return $"{report.Client} ({report.ClientName ?? "no name"}) as {report.Helo} on {report.Listener}{(report.Account is null ? "" : $", logged in as {report.Account}")}";
        foreach (ExplainReportStage stage in report.Stages)
        {
            string what = stage.Stage switch { "sender" => $"MAIL <{report.From}>", "recipient" => $"RCPT <{stage.Recipient}>", "helo" => "EHLO", "data" => "DATA", "message" => "message", _ => "connect" };
            string verdict = stage.Refusal is null ? stage.Reply ?? "ok" : stage.Reply == stage.Refusal ? stage.Refusal : $"{stage.Refusal}, told at RCPT";
            yield return $"{what,-10} {verdict}{(stage.DecidedBy is null ? "" : $"   [{stage.DecidedBy}]")}";
            foreach (ExplainReportRemark remark in stage.Remarks) yield return $"           {remark.By}: {remark.Text}";
        }
        if (!report.Accepted)
        {
            yield return "The message is refused.";
            yield break;
        }
        foreach (string field in report.Prepended) yield return $"A field is put before it: {field}";
        if (report.Discarded is { } discarded) yield return $"The message is taken, and thrown away: {discarded}";
        else if (report.Held is { } held) yield return $"The message is taken, and waits for 'posthorn queue release': {held}. Then:";
        if (report.RedirectedTo is { } to) yield return $"It goes to {to} alone.";
        if (report.RewrittenFrom is { } from) yield return $"The sender becomes <{from}>.";
        foreach (ExplainReportTarget target in report.Targets) yield return $"{(target.Copy ? "a copy to " : "")}<{target.Recipient}>{(target.Address == target.Recipient ? "" : $" is <{target.Address}>")} -> {PlaceOf(target)}";
    }

    private static string PlaceOf(ExplainReportTarget target)
    {
        if (target.Fault is { } fault) return $"does not arrive: {fault}";
        if (target.Account is null) return target.Route ?? "elsewhere";
        string place = target.HasFilter ? $"where {(target.FilterUnusable ? "the administrator's" : "its")} filter puts it, else {target.Mailbox}" : target.Mailbox ?? "";
        return $"account {target.Account}, {place}{(target.FilterUnusable ? " (its own script cannot be used: see 'posthorn sieve check', or .dovecot.sieve.log in its home)" : "")}";
    }

    // Names from the DNS and from peers go to a terminal.
    private static string Plain(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
