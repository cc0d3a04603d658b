using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Posthorn.Configuration;
using Posthorn.Control;

namespace Posthorn.Commands;

/// <summary><c>posthorn status</c>: how the running server is.</summary>
internal static class StatusCommand
{
    public static Command Create()
    {
        Option<bool> json = CommonOptions.Json();
        Option<string?> config = CommonOptions.Config();
        Command command = new("status", "Show how the running server is") { config, json };
        command.SetAction((parsed, cancel) => ControlClient.RunAsync(parsed.GetValue(config), (client, stop) => RunAsync(client, parsed.GetValue(json), stop), cancel));
        return command;
    }

    private static async Task<int> RunAsync(ControlClient client, bool json, CancellationToken cancel)
    {
        StatusReport report = await client.GetAsync("status", ControlJson.Default.StatusReport, cancel);
        if (json) Console.Out.WriteLine(JsonSerializer.Serialize(report, ControlJson.Default.StatusReport));
        else Write(report);
        return ExitStatus.Done;
    }

    private static void Write(StatusReport report)
    {
        List<IReadOnlyList<string>> rows = [];
        Row("server", $"{report.Hostname}, Posthorn {report.Version}");
        Row("started", report.Started.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture));
        Row("configuration", report.Configuration);
        foreach (ListenerReport listener in report.Listeners)
            Row(listener.Name, (listener.Path ?? $"{listener.Host}:{listener.Port}") + (listener.Tls == "none" ? "" : $" ({listener.Tls})"));
        Row("connections", report.Connections.ToString(CultureInfo.InvariantCulture));
        Row("accounts", report.Accounts.ToString(CultureInfo.InvariantCulture));
        Row("queued", report.Queued.ToString(CultureInfo.InvariantCulture));
        Row("journal", $"{report.JournalRecords} records in {report.JournalFlushes} flushes");
        Row("memory", Units.Size(report.MemoryBytes));
        foreach (SpaceReport one in report.Space)
            Row("space", $"{Units.Size(one.FreeBytes)} free at {one.Folder}; {(one.IsShort ? $"NEW MAIL IS REFUSED until there are {Units.Size(one.ReserveBytes)}" : $"below {Units.Size(one.ReserveBytes)} new mail is refused")}");
        foreach (string line in Columns.Lines(rows)) Console.Out.WriteLine(line);

        void Row(string name, string value) => rows.Add([name, value]);
    }
}
