using System.CommandLine;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Configuration;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;
using Posthorn.Serving;
using Posthorn.Setup;

namespace Posthorn.Commands;

/// <summary><c>posthorn check</c>: reads the configuration as the server would and names every mistake.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        Option<bool> json = CommonOptions.Json();
        Option<string?> config = CommonOptions.Config();
        Command command = new("check", "Check the configuration and name every mistake with its place") { config, json };
        command.SetAction(parsed => Run(ConfigurationLoader.Locate(parsed.GetValue(config)), parsed.GetValue(json)));
        return command;
    }

    private static int Run(string file, bool json)
    {
        ConfigurationResult result = WithAccounts(ConfigurationLoader.Load(file));
        if (json) WriteJson(file, result);
        else WriteText(file, result);
        return result.HasErrors ? ExitStatus.Wrong : ExitStatus.Done;
    }

    // Passwd-files, alias files and tables are read as the server would read them.
    private static ConfigurationResult WithAccounts(ConfigurationResult loaded)
    {
        if (loaded.Configuration is not { } configuration) return loaded;
        using MailDirectory directory = new(OptionsFor.Directory(configuration), TimeProvider.System, NullLogger.Instance);
        LookupTables tables = new(OptionsFor.Lookups(configuration), TimeProvider.System, NullLogger.Instance);
        IEnumerable<ConfigProblem> found = directory.Problems.Concat(tables.Problems).Select(p => new ConfigProblem(new(p.File, Math.Max(p.Line, 1), 1), p.Text, p.Severity != ProblemSeverity.Error));
        if (PrivateFile.OpenTo(configuration.Data) is { } danger)
            found = found.Append(new ConfigProblem(new(configuration.File, 1, 1), $"the folder {configuration.Data} holds everybody's mail, and {danger}; say: chmod 700 {configuration.Data}", true));
        if (ServerUser.FindForeign(configuration.Data) is var (path, owner))
            found = found.Append(new ConfigProblem(new(configuration.File, 1, 1), $"{path} belongs to {owner}, and {configuration.Data} to somebody else: the server may not be able to use it; say: chown -R --reference={configuration.Data} {configuration.Data}", true));
        return loaded with { Problems = [.. loaded.Problems, .. found] };
    }

    private static void WriteText(string file, ConfigurationResult result)
    {
        foreach (ConfigProblem problem in result.Problems) Console.Out.WriteLine(problem);
        int errors = result.Problems.Count(p => !p.IsWarning), warnings = result.Problems.Count - errors;
        if (errors == 0) Console.Out.WriteLine(warnings == 0 ? $"{file}: good" : $"{file}: good, {warnings} to look at");
        else Console.Out.WriteLine($"{file}: {Quantity.Of(errors, "mistake")}{(warnings > 0 ? $", {warnings} more to look at" : "")}");
    }

    private static void WriteJson(string file, ConfigurationResult result)
    {
        CheckReport report = new(file, !result.HasErrors,
            [.. result.Problems.Select(p => new CheckFinding(p.Place.File, p.Place.Line, p.Place.Column, p.IsWarning ? "warning" : "error", p.Text))]);
        Console.Out.WriteLine(JsonSerializer.Serialize(report, CommandJson.Default.CheckReport));
    }
}

/// <summary>What <c>check --json</c> prints.</summary>
internal sealed record CheckReport(string File, bool Good, IReadOnlyList<CheckFinding> Problems);

/// <summary>One mistake.</summary>
internal sealed record CheckFinding(string File, int Line, int Column, string Severity, string Text);
