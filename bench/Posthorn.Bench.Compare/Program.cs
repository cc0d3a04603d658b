using System.CommandLine;
using System.Diagnostics;
using Posthorn.Bench.Compare;
using Posthorn.Bench.Compare.Growth;
using Posthorn.Bench.Compare.Report;
using Posthorn.Bench.Compare.Rows;
using Posthorn.Bench.Compare.Servers;

Option<string[]> rowNames = new("--rows") { Description = "only these rows (see --list)", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [] };
Option<int> runs = new("--runs") { Description = "runs of each row on each server", DefaultValueFactory = _ => 3 };
Option<double> minutes = new("--minutes") { Description = "begin no further row after so many minutes", DefaultValueFactory = _ => double.PositiveInfinity };
Option<bool> quick = new("--quick") { Description = "a few messages and one run: only to see that everything works" };
Option<bool> native = new("--native") { Description = "publish and compare the native program" };
Option<string?> program = new("--posthorn") { Description = "the program to compare (posthorn or posthorn.dll); built when not named" };
Option<bool> json = new("--json") { Description = "print the results as JSON" };
Option<bool> list = new("--list") { Description = "name the rows and end" };
Option<bool> noWrite = new("--no-write") { Description = "leave bench/results.json, docs/performance.md and its picture alone (always so with --quick)" };
Option<string?> directory = new("--directory") { Description = "a folder on the disk to be used; a new one below the temporary folder otherwise" };
RootCommand command = new("Puts the same load on Posthorn and on Postfix + Dovecot") { rowNames, runs, minutes, quick, native, program, json, list, noWrite, directory, GrowthCommand.Create() };
command.SetAction(parsed =>
{
    if (parsed.GetValue(list))
    {
        foreach (Row row in RowList.All) Console.WriteLine($"{row.Id,-24}{row.Title}");
        return 0;
    }

    string[] named = parsed.GetValue(rowNames)!;
    if (named.FirstOrDefault(n => RowList.All.All(r => r.Id != n)) is { } unknown)
    {
        Console.Error.WriteLine($"compare: there is no row '{unknown}'; --list names them");
        return 2;
    }

    if (PostfixDovecot.Missing() is { Length: > 0 } missing)
    {
        Console.Error.WriteLine($"compare: this needs {missing}");
        return 1;
    }

    bool isQuick = parsed.GetValue(quick);
    int count = isQuick ? 1 : parsed.GetValue(runs);
    Row[] rows = [.. RowList.All.Where(r => named.Length == 0 || named.Contains(r.Id))];
    string folder = parsed.GetValue(directory) ?? Directory.CreateTempSubdirectory("phb.").FullName;
    File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute); // Postfix runs as several users
    string posthorn = parsed.GetValue(program) ?? Checkout.Build(parsed.GetValue(native));
    int users = Comparison.UsersFor(rows, count);
    bool keeps = !isQuick && !parsed.GetValue(noWrite);
    List<RowResult> results = [];
    long start = Stopwatch.GetTimestamp();
    using (MailServer peer = new PostfixDovecot(Path.Combine(folder, "peer"), users))
    using (MailServer ours = new PosthornServer(Path.Combine(folder, "ours"), users, posthorn))
    {
        Comparison comparison = new(peer, ours, count, isQuick);
        foreach (Row row in rows.TakeWhile(_ => Stopwatch.GetElapsedTime(start).TotalMinutes < parsed.GetValue(minutes)))
        {
            results.Add(comparison.Run(row));
            if (keeps) PerformancePage.Write(Checkout.Root, ResultFile.Merge(Path.Combine(Checkout.Root, "bench", "results.json"), results));
        }
    }

    if (parsed.GetValue(directory) is null) Directory.Delete(folder, recursive: true);
    if (parsed.GetValue(json)) Console.WriteLine(ResultFile.Text(results));
    else Console.Write(Table.Of(results));
    return 0;
});
return await command.Parse(args).InvokeAsync();
