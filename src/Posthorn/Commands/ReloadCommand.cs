using System.CommandLine;
using System.Text.Json;
using Posthorn.Control;

namespace Posthorn.Commands;

/// <summary><c>posthorn reload</c>: the running server takes a changed configuration, or keeps the old one and says why.</summary>
internal static class ReloadCommand
{
    public static Command Create()
    {
        Option<bool> json = CommonOptions.Json();
        Option<string?> config = CommonOptions.Config();
        Command command = new("reload", "Let the running server read its configuration again") { config, json };
        command.SetAction((parsed, cancel) => ControlClient.RunAsync(parsed.GetValue(config), (client, stop) => RunAsync(client, parsed.GetValue(json), stop), cancel));
        return command;
    }

    private static async Task<int> RunAsync(ControlClient client, bool json, CancellationToken cancel)
    {
        ReloadReport report = await client.PostAsync("reload", ControlJson.Default.ReloadReport, cancel);
        if (json) Console.Out.WriteLine(JsonSerializer.Serialize(report, ControlJson.Default.ReloadReport));
        else
        {
            foreach (string problem in report.Problems) Console.Out.WriteLine(problem);
            foreach (string key in report.NeedRestart) Console.Out.WriteLine($"{key}: changed, takes effect when the server is started again");
            Console.Out.WriteLine(report.Reloaded ? "reloaded" : "not reloaded: the server goes on with what it had");
        }
        return report.Reloaded ? ExitStatus.Done : ExitStatus.Refused;
    }
}
