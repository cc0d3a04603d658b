using System.CommandLine;
using System.Text.Json;
using Posthorn.Control;
using Posthorn.Transport.Trace;

namespace Posthorn.Commands;

/// <summary><c>posthorn trace WHAT</c>: the life of a message, step by step; the server may run or not.</summary>
internal static class TraceCommand
{
    public static Command Create()
    {
        Argument<string> what = new("WHAT") { Description = "A Message-ID, a queue id, or the address of a sender, recipient or account" };
        Option<int> limit = new("--limit", "-n") { Description = "Tell of at most so many messages, the newest", HelpName = "NUMBER", DefaultValueFactory = _ => 20 };
        limit.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 10_000) result.AddError("--limit takes a number from 1 to 10000");
        });
        Option<bool> json = CommonOptions.Json();
        Option<string?> config = CommonOptions.Config();
        Command command = new("trace", "Tell the life of a message: where it came from, what was decided, where it is") { what, limit, json, config };
        command.SetAction((parsed, cancel) => WithConfiguration.LookAsync(parsed.GetValue(config), async (configuration, _) =>
        {
            // A running server first writes down what has just happened.
            int status = await ControlClient.RunOrElseAsync(configuration, async (client, stop) =>
            {
                await client.PostAsync("trace/flush", ControlJson.Default.TraceFlushed, stop);
                return ExitStatus.Done;
            }, _ => Task.FromResult(ExitStatus.Done), cancel);
            if (status != ExitStatus.Done) return status;
            string wanted = parsed.GetRequiredValue(what);
            TraceResult result = TraceReader.Open(configuration.Trace.Folder).Find(wanted, parsed.GetValue(limit));
            if (parsed.GetValue(json)) WriteJson(wanted, result);
            else Write(wanted, result, configuration.Trace);
            return result.Messages.Count > 0 ? ExitStatus.Done : ExitStatus.Wrong;
        }));
        return command;
    }

    private static void Write(string wanted, TraceResult result, TraceOptions options)
    {
        if (result.Messages.Count == 0)
        {
            Console.Error.WriteLine(options.IsOn ? $"nothing is known of {wanted}; messages are remembered for {Configuration.Units.Duration(options.Keep)}" : $"nothing is known of {wanted}; nothing is remembered, since 'trace.enabled' is false");
            return;
        }
        bool first = true;
        foreach (TracedMessage message in result.Messages)
        {
            if (!first) Console.Out.WriteLine();
            first = false;
            foreach (string line in TraceText.Of(message)) Console.Out.WriteLine(line);
        }
        if (result.HasMore) Console.Error.WriteLine("there are older messages too; --limit shows more");
        if (result.Lost > 0) Console.Error.WriteLine($"{result.Lost} steps of that time were not written down: more happened than could be kept");
    }

    private static void WriteJson(string wanted, TraceResult result)
    {
        using Stream output = Console.OpenStandardOutput();
        using Utf8JsonWriter json = new(output);
        json.WriteStartObject();
        json.WriteString("query", wanted);
        json.WriteStartArray("messages");
        foreach (TracedMessage message in result.Messages)
        {
            json.WriteStartObject();
            json.WriteString("id", message.Id);
            json.WriteStartArray("children");
            foreach (string child in message.Children) json.WriteStringValue(child);
            json.WriteEndArray();
            json.WriteStartArray("steps");
            foreach (TraceLine step in message.Steps) step.Fields.WriteTo(json);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteBoolean("hasMore", result.HasMore);
        json.WriteNumber("lost", result.Lost);
        json.WriteEndObject();
        json.Flush();
        output.Write("\n"u8);
    }
}
