using System.CommandLine;
using System.Text.Json;
using Posthorn.Filtering;
using Posthorn.Sieve;

namespace Posthorn.Commands;

/// <summary><c>posthorn sieve check FILE…</c>: every mistake of every script at once, with its place and advice.</summary>
internal static class SieveCheckCommand
{
    public static Command Create()
    {
        Argument<string[]> files = new("FILE") { Description = "The scripts; '-' reads standard input", Arity = ArgumentArity.OneOrMore };
        Option<string?> config = CommonOptions.SieveConfig(), account = CommonOptions.SieveAccount();
        Option<bool> json = CommonOptions.Json();
        Command command = new("check", "Check scripts and name every mistake with its place") { files, config, account, json };
        command.SetAction((parsed, cancel) => SieveSurroundings.WithAsync(parsed.GetValue(config), parsed.GetValue(account),
            around => Task.FromResult(Run(parsed.GetRequiredValue(files), around, parsed.GetValue(json))), cancel));
        return command;
    }

    private static int Run(IReadOnlyList<string> files, SieveSurroundings around, bool json)
    {
        List<SieveFileReport> reports = [.. files.Select(file => Check(file, around))];
        SieveCheckReport all = new(reports.TrueForAll(r => r.Good), reports);
        if (json) Console.Out.WriteLine(JsonSerializer.Serialize(all, SieveJson.Default.SieveCheckReport));
        else
            foreach (SieveFileReport report in reports) WriteText(report);
        return all.Good ? ExitStatus.Done : ExitStatus.Wrong;
    }

    private static SieveFileReport Check(string file, SieveSurroundings around)
    {
        if (!ScriptFile.TryRead(file, out byte[] octets, out string? problem)) return new(file, false, [new(0, 0, "error", problem, null)]);
        SieveCompilation compiled = SieveCompiler.Compile(octets, file, around.Language, around.Check);
        return new(file, compiled.IsOk, [.. compiled.Diagnostics.Select(SieveRemark.Of)]);
    }

    private static void WriteText(SieveFileReport report)
    {
        foreach (SieveRemark remark in report.Problems) Console.Out.WriteLine(remark.Text(report.File));
        int errors = report.Problems.Count(p => p.Severity == "error"), warnings = report.Problems.Count - errors;
        if (report.Good) Console.Out.WriteLine(warnings == 0 ? $"{report.File}: good" : $"{report.File}: good, {warnings} to look at");
        else Console.Out.WriteLine($"{report.File}: {Quantity.Of(errors, "mistake")}{(warnings > 0 ? $", {warnings} more to look at" : "")}");
    }
}

/// <summary>What <c>sieve check --json</c> prints.</summary>
internal sealed record SieveCheckReport(bool Good, IReadOnlyList<SieveFileReport> Files);

/// <summary>One script.</summary>
internal sealed record SieveFileReport(string File, bool Good, IReadOnlyList<SieveRemark> Problems);

/// <summary>One remark on a script; line and column from 1, or 0 where the file itself is meant.</summary>
internal sealed record SieveRemark(int Line, int Column, string Severity, string Message, string? Advice)
{
    public static SieveRemark Of(SieveDiagnostic d) => new(d.At.Line, d.At.Column, d.Severity == SieveSeverity.Error ? "error" : "warning", d.Message, d.Advice);

    /// <summary>As compilers print it.</summary>
    public string Text(string file) => $"{file}:{(Line > 0 ? $"{Line}:{Column}:" : "")} {Severity}: {Message}{(Advice is null ? "" : $" ({Advice})")}";
}
