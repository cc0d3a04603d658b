using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Posthorn.Configuration;
using Posthorn.Control;

namespace Posthorn.Commands;

/// <summary><c>posthorn queue list|show|retry|hold|release|delete|requeue</c>: mail that waits for other servers.</summary>
internal static class QueueCommand
{
    public static Command Create() => new("queue", "See and steer the mail that waits for other servers")
    {
        List(),
        Show(),
        Retry(),
        Change("hold", "Stop trying messages until they are released", "held"),
        Change("release", "Try held messages again", "released"),
        Change("delete", "Throw messages away; their senders are not told", "deleted"),
        Change("requeue", "Start messages anew: no attempts, their whole time before them, routes as they are now", "requeued"),
    };

    private static Command List()
    {
        Option<bool> json = CommonOptions.Json();
        Option<string?> config = CommonOptions.Config();
        FilterOptions filter = new();
        Option<int> limit = new("--limit") { Description = "List at most so many messages; the totals count all", HelpName = "NUMBER", DefaultValueFactory = _ => 1000 };
        Option<bool> summary = new("--summary") { Description = "Only the totals" };
        Command command = new("list", "List the messages, and totals by destination and reason") { config, json, limit, summary };
        filter.AddTo(command);
        command.SetAction((parsed, cancel) => ControlClient.RunAsync(parsed.GetValue(config), async (client, stop) =>
        {
            int most = parsed.GetValue(summary) ? 0 : parsed.GetValue(limit);
            string query = Query([.. filter.Read(parsed), ("limit", most.ToString(CultureInfo.InvariantCulture))]);
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
            QueueReport report = await client.GetAsync("queue" + Query([("id", parsed.GetRequiredValue(id))]), ControlJson.Default.QueueReport, stop);
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
        (Command command, Argument<string?> id, FilterOptions filter, Option<string?> config, Option<bool> json) = Many("retry", "Try messages now, all of them when none are named");
        command.SetAction((parsed, cancel) => ControlClient.RunAsync(parsed.GetValue(config), async (client, stop) =>
        {
            string query = Query([("id", parsed.GetValue(id)), .. filter.Read(parsed)]);
            QueueChange change = await client.PostAsync("queue/retry" + query, ControlJson.Default.QueueChange, stop);
            if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(change, ControlJson.Default.QueueChange));
            else Console.Out.WriteLine($"{Quantity.Of(change.Messages, "message")} {(change.Messages == 1 ? "is" : "are")} tried now");
            return change.Messages > 0 ? ExitStatus.Done : ExitStatus.Wrong;
        }, cancel));
        return command;
    }

    private static Command Change(string verb, string description, string done)
    {
        (Command command, Argument<string?> id, FilterOptions filter, Option<string?> config, Option<bool> json) = Many(verb, description);
        // Without a word on which, nobody means all of them.
        command.Validators.Add(parsed =>
        {
            if (parsed.GetValue(id) is null && !filter.Any(parsed)) parsed.AddError($"say which messages are to be {done}: an ID, a filter such as --from, --to or --reason, or --all");
        });
        command.SetAction((parsed, cancel) => ControlClient.RunAsync(parsed.GetValue(config), async (client, stop) =>
        {
            QueueChange change = await client.PostAsync($"queue/{verb}" + Query([("id", parsed.GetValue(id)), .. filter.Read(parsed)]), ControlJson.Default.QueueChange, stop);
            if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(change, ControlJson.Default.QueueChange));
            else Console.Out.WriteLine(parsed.GetValue(id) is { } one ? $"{done} {one}" : $"{done} {Quantity.Of(change.Messages, "message")}");
            return change.Messages > 0 ? ExitStatus.Done : ExitStatus.Wrong;
        }, cancel));
        return command;
    }

    private static (Command, Argument<string?>, FilterOptions, Option<string?>, Option<bool>) Many(string verb, string description)
    {
        Argument<string?> id = new("ID") { Description = "The message; without it all that match the filters", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> config = CommonOptions.Config();
        Option<bool> json = CommonOptions.Json();
        FilterOptions filter = new();
        Command command = new(verb, description) { id, config, json };
        filter.AddTo(command);
        command.Options.Add(filter.All);
        command.Validators.Add(parsed =>
        {
            if (parsed.GetValue(filter.All) && (parsed.GetValue(id) is not null || filter.Chooses(parsed))) parsed.AddError("--all means every message: leave out the ID and the filters, or --all");
        });
        return (command, id, filter, config, json);
    }

    private static void WriteList(QueueReport report)
    {
        if (report.Matching == 0)
        {
            Console.Out.WriteLine(report.Totals.Count == 0 ? "The queue is empty." : "No message matches.");
            return;
        }
        if (report.Messages.Count > 0) WriteTable(report);
        if (report.Messages.Count > 0) Console.Out.WriteLine("'posthorn trace ID' tells all that has happened to one of them.");
        if (report.Messages.Count < report.Matching) Console.Out.WriteLine($"{Quantity.Of(report.Matching, "message")} match{(report.Matching == 1 ? "es" : "")}{(report.Messages.Count == 0 ? "" : $"; {report.Messages.Count} {(report.Messages.Count == 1 ? "is" : "are")} listed")}.");
        foreach (QueueReportTotal total in report.Totals) Console.Out.WriteLine($"{total.Destination}: {total.Messages} waiting{(total.LastFault is null ? "" : $", last fault: {total.LastFault}")}");
        foreach (QueueReportReason reason in report.Reasons) Console.Out.WriteLine($"{Quantity.Of(reason.Recipients, "recipient")}: {(reason.Status.Length > 0 ? $"{reason.Status} {reason.Example}" : "not tried since the server started")}");
    }

    private static void WriteTable(QueueReport report)
    {
        List<IReadOnlyList<string>> rows = [["Id", "Arrived", "Size", "Tries", "Next", "From", "To", "Last words"]];
        foreach (QueueReportMessage message in report.Messages)
        {
            QueueReportRecipient first = message.Recipients.FirstOrDefault(r => r.IsPending) ?? message.Recipients[0];
            string to = message.Recipients.Count == 1 ? first.Address : $"{first.Address} and {message.Recipients.Count - 1} more";
            rows.Add([message.Id, Local(message.Arrived), Units.Size(message.Size), message.Attempts.ToString(CultureInfo.InvariantCulture), message.IsHeld ? "held" : Local(message.NextAttempt),
                message.From.Length > 0 ? message.From : "<>", to, first.LastReply ?? ""]);
        }
        foreach (string line in Columns.Lines(rows)) Console.Out.WriteLine(line);
    }

    private static void WriteMessage(QueueReportMessage message)
    {
        Console.Out.WriteLine($"{message.Id}{(message.IsHeld ? message.HoldReason is { } reason ? $" (held: {reason})" : " (held)" : "")}");
        Console.Out.WriteLine($"  from     {(message.From.Length > 0 ? message.From : "<>")}");
        Console.Out.WriteLine($"  arrived  {Local(message.Arrived)}, {Units.Size(message.Size)}");
        if (message.ReleaseAt is { } release) Console.Out.WriteLine($"  not before {release.ToLocalTime():yyyy-MM-dd HH:mm:ss}, as its sender asked");
        Console.Out.WriteLine($"  tries    {message.Attempts}, next {Local(message.NextAttempt)}");
        foreach (QueueReportRecipient recipient in message.Recipients)
            Console.Out.WriteLine($"  to       {recipient.Address}{(recipient.IsPending ? "" : " (done)")}{(recipient.LastReply is null ? "" : $": {recipient.LastReply}")}");
        Console.Out.WriteLine($"  its life so far: posthorn trace {message.Id}");
    }

    private static string Local(DateTimeOffset time) => time.ToLocalTime().ToString("MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static Argument<string> Id() => new("ID") { Description = "The message's id" };

    /// <summary>Which messages are meant.</summary>
    private sealed class FilterOptions
    {
        private readonly Option<string?> _from = new("--from") { Description = "Only from this address, @domain, or <>", HelpName = "ADDRESS" };
        private readonly Option<string?> _to = new("--to") { Description = "Only to this address or @domain", HelpName = "ADDRESS" };
        private readonly Option<string?> _reason = new("--reason") { Description = "Only those of which a recipient's last words hold this, such as a status code", HelpName = "TEXT" };
        private readonly Option<string?> _destination = new("--destination") { Description = "Only what waits for this destination, as the totals name it", HelpName = "NAME" };
        private readonly Option<bool> _held = new("--held") { Description = "Only held messages" };

        /// <summary>For commands that change messages.</summary>
        public Option<bool> All { get; } = new("--all") { Description = "All messages in the queue" };

        public void AddTo(Command command)
        {
            foreach (Option option in (Option[])[_from, _to, _reason, _destination, _held]) command.Options.Add(option);
        }

        public (string Key, string? Value)[] Read(ParseResult parsed) =>
            [("from", parsed.GetValue(_from)), ("to", parsed.GetValue(_to)), ("reason", parsed.GetValue(_reason)), ("destination", parsed.GetValue(_destination)), ("held", parsed.GetValue(_held) ? "true" : null)];

        /// <summary>It is said which ones, be it all.</summary>
        public bool Any(System.CommandLine.Parsing.CommandResult parsed) => parsed.GetValue(All) || Chooses(parsed);

        /// <summary>Not all of them.</summary>
        public bool Chooses(System.CommandLine.Parsing.CommandResult parsed) =>
            parsed.GetValue(_held) || new[] { _from, _to, _reason, _destination }.Any(option => parsed.GetValue(option) is not null);
    }

    private static string Query((string Key, string? Value)[] values)
    {
        string query = string.Join('&', values.Where(v => v.Value is not null).Select(v => $"{v.Key}={Uri.EscapeDataString(v.Value!)}"));
        return query.Length > 0 ? "?" + query : "";
    }
}
