using System.CommandLine;
using System.Text.Json;
using Posthorn.Configuration;
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
        command.SetAction((parsed, cancel) =>
        {
            // The running server reads the file itself, and says what is wrong with it.
            ConfigurationResult seen = ConfigurationLoader.LoadForData(ConfigurationLoader.Locate(parsed.GetValue(config)));
            bool asJson = parsed.GetValue(json);
            if (seen.Configuration is { } configuration) return ControlClient.RunAsync(configuration, (client, stop) => RunAsync(client, asJson, stop), cancel);
            Write(new(false, [.. seen.Problems.Select(problem => problem.ToString())], []), asJson);
            return Task.FromResult(ExitStatus.Wrong);
        });
        return command;
    }

    private static async Task<int> RunAsync(ControlClient client, bool json, CancellationToken cancel) => Write(await client.PostAsync("reload", ControlJson.Default.ReloadReport, cancel), json);

    private static int Write(ReloadReport report, bool json)
    {
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
