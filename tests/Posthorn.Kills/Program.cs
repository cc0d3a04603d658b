using System.CommandLine;
using System.Runtime.CompilerServices;
using Posthorn.Kills;

[assembly: InternalsVisibleTo("Posthorn.Interop.Tests")]

Option<int> kills = new("--kills") { Description = "How often the server is killed", DefaultValueFactory = _ => 1000 };
Option<int> seed = new("--seed") { Description = "Of moments, letters and commands; printed, to run the same choice again", DefaultValueFactory = _ => Environment.TickCount & 0xFFFFFF };
Option<string?> directory = new("--directory") { Description = "Where to make the server's folder; kept afterwards" };
RootCommand root = new("Kills the server at random moments under load and accounts for every acknowledged message") { kills, seed, directory };
root.SetAction(async (parsed, _) =>
{
    using TemporaryFolder folder = new();
    KillReport report = await new KillRun(new(parsed.GetValue(kills), parsed.GetValue(seed), parsed.GetValue(directory) ?? folder.Path, Console.Error.WriteLine)).RunAsync();
    foreach (string violation in report.Violations) Console.Out.WriteLine(violation);
    Console.Out.WriteLine(report);
    return report.IsClean ? 0 : 1;
});
return await root.Parse(args).InvokeAsync();
