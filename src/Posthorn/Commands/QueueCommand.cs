using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Posthorn.Configuration;
using Posthorn.Control;
using Spectre.Console;

namespace Posthorn.Commands;

/// <summary><c>posthorn queue list|show|retry|hold|release|delete</c>: mail that waits for other servers.</summary>
internal static class QueueCommand
{
    public static Command Create() => new("queue", "See and steer the mail that waits for other servers")
    {
        List(),
        Show(),
        Retry(),
        Change("hold", "Stop trying a message until it is released", "held"),
        Change("release", "Try a held message again", "released"),
        Change("delete", "Throw a message away; its sender is not told", "deleted"),
    };

    private static Command List()
    {
        Option<bool> json = CommonOptions.Json();
        Option<string?> config = CommonOptions.Config();
        (Option<string?> from, Option<string?> to) = Filters();
        Option<bool> held = new("--held") { Description = "Only held messages" };
        Command command = new("list", "List the messages, and totals by destination") { config, json, from, to, held };
        command.SetAction((parsed, cancel) => ControlClient.RunAsync(parsed.GetValue(config), async (client, stop) =>
        {
            string query = Query(("from", parsed.GetValue(from)), ("to", parsed.GetValue(to)), ("held", parsed.GetValue(held) ? "true" : null));
            QueueReport report = await client.GetAsync("queue" + query, ControlJson.Default.QueueReport, stop);
            if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(report, ControlJson.Default.QueueReport));
            else WriteList(report);
            return ExitStatus.Done;
        }, cancel));
        return command;
    }

    private static Command Show()
    {
        Argument<string> id = Id();
        Option<bool> json = CommonOptions.Json();
        Option<string?> config = CommonOptions.Config();
        Command command = new("show", "Show one message with what other servers said") { id, config, json };
        command.SetAction((parsed, cancel) => ControlClient.RunAsync(parsed.GetValue(config), async (client, stop) =>
        {
            QueueReport report = await client.GetAsync("queue" + Query(("id", parsed.GetRequiredValue(id))), ControlJson.Default.QueueReport, stop);
            if (report.Messages.Count == 0)
            {
                Console.Error.WriteLine($"there is no message {parsed.GetRequiredValue(id)} in the queue");
                return ExitStatus.Wrong;
            }
            if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(report.Messages[0], ControlJson.Default.QueueReportMessage));
            else WriteMessage(report.Messages[0]);
            return ExitStatus.Done;
        }, cancel));
        return command;
    }

    private static Command Retry()
    {
        Argument<string?> id = new("ID") { Description = "The message; without it all that match", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> config = CommonOptions.Config();
        (Option<string?> from, Option<string?> to) = Filters();
        Command command = new("retry", "Try messages now") { id, config, from, to };
        command.SetAction((parsed, cancel) => ControlClient.RunAsync(parsed.GetValue(config), async (client, stop) =>
        {
            string query = Query(("id", parsed.GetValue(id)), ("from", parsed.GetValue(from)), ("to", parsed.GetValue(to)));
            QueueChange change = await client.PostAsync("queue/retry" + query, ControlJson.Default.QueueChange, stop);
            Console.Out.WriteLine(change.Messages == 1 ? "1 message is tried now" : $"{change.Messages} messages are tried now");
            return change.Messages > 0 ? ExitStatus.Done : ExitStatus.Wrong;
        }, cancel));
        return command;
    }

    private static Command Change(string verb, string description, string done)
    {
        Argument<string> id = Id();
        Option<string?> config = CommonOptions.Config();
        Command command = new(verb, description) { id, config };
        command.SetAction((parsed, cancel) => ControlClient.RunAsync(parsed.GetValue(config), async (client, stop) =>
        {
            await client.PostAsync($"queue/{verb}" + Query(("id", parsed.GetRequiredValue(id))), ControlJson.Default.QueueChange, stop);
            Console.Out.WriteLine($"{done} {parsed.GetRequiredValue(id)}");
            return ExitStatus.Done;
        }, cancel));
        return command;
    }

    private static void WriteList(QueueReport report)
    {
        if (report.Messages.Count == 0)
        {
            Console.Out.WriteLine("The queue is empty.");
            return;
        }
        Table table = new Table().RoundedBorder().AddColumns("Id", "Arrived", "Size", "From", "To", "Tries", "Next", "Last words");
        foreach (QueueReportMessage message in report.Messages)
        {
            QueueReportRecipient first = message.Recipients.FirstOrDefault(r => r.IsPending) ?? message.Recipients[0];
            string to = message.Recipients.Count == 1 ? first.Address : $"{first.Address} and {message.Recipients.Count - 1} more";
            string next = message.IsHeld ? "held" : Local(message.NextAttempt);
            table.AddRow([.. new[] { message.Id, Local(message.Arrived), Units.Size(message.Size), message.From.Length > 0 ? message.From : "<>", to,
                message.Attempts.ToString(CultureInfo.InvariantCulture), next, first.LastReply ?? "" }.Select(c => new Text(c))]);
        }
        AnsiConsole.Write(table);
        foreach (QueueReportTotal total in report.Totals) Console.Out.WriteLine($"{total.Destination}: {total.Messages} waiting{(total.LastFault is null ? "" : $", last fault: {total.LastFault}")}");
    }

    private static void WriteMessage(QueueReportMessage message)
    {
        Console.Out.WriteLine($"{message.Id}{(message.IsHeld ? " (held)" : "")}");
        Console.Out.WriteLine($"  from     {(message.From.Length > 0 ? message.From : "<>")}");
        Console.Out.WriteLine($"  arrived  {Local(message.Arrived)}, {Units.Size(message.Size)}");
        Console.Out.WriteLine($"  tries    {message.Attempts}, next {Local(message.NextAttempt)}");
        foreach (QueueReportRecipient recipient in message.Recipients)
            Console.Out.WriteLine($"  to       {recipient.Address}{(recipient.IsPending ? "" : " (done)")}{(recipient.LastReply is null ? "" : $": {recipient.LastReply}")}");
    }

    private static string Local(DateTimeOffset time) => time.ToLocalTime().ToString("MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static Argument<string> Id() => new("ID") { Description = "The message's id" };

    private static (Option<string?> From, Option<string?> To) Filters() => (
        new("--from") { Description = "Only from this address, @domain, or <>", HelpName = "ADDRESS" },
        new("--to") { Description = "Only to this address or @domain", HelpName = "ADDRESS" });

    private static string Query(params (string Key, string? Value)[] values)
    {
        string query = string.Join('&', values.Where(v => v.Value is not null).Select(v => $"{v.Key}={Uri.EscapeDataString(v.Value!)}"));
        return query.Length > 0 ? "?" + query : "";
    }
}
