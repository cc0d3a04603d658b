using System.CommandLine;
using System.Globalization;
using Posthorn.Bench.Compare.Report;
using Posthorn.Bench.Compare.Servers;

namespace Posthorn.Bench.Compare.Growth;

/// <summary><c>growth</c>: how cost grows with the size of a mailbox and with the number of idle connections, as tables and pictures of <c>docs/performance.md</c>.</summary>
internal static class GrowthCommand
{
    private static readonly int[] Sizes = [1_000, 10_000, 100_000, 1_000_000], Connections = [100, 1_000, 10_000];

    internal static Command Create()
    {
        Option<string?> program = new("--posthorn") { Description = "the program to measure (posthorn or posthorn.dll); built when not named" };
        Option<int> most = new("--most") { Description = "no larger mailbox, and no more connections, than this", DefaultValueFactory = _ => int.MaxValue };
        Option<string[]> only = new("--only") { Description = "mailbox or idle, not both", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => ["mailbox", "idle"] };
        Option<bool> noWrite = new("--no-write") { Description = "leave docs/performance.md and its pictures alone" };
        Command command = new("growth", "Measures how cost grows with mailboxes and connections, on Posthorn alone") { program, most, only, noWrite };
        command.SetAction(parsed =>
        {
            string posthorn = parsed.GetValue(program) ?? Checkout.Build(native: true);
            foreach (string what in parsed.GetValue(only)!)
            {
                string folder = Directory.CreateTempSubdirectory("phg.").FullName;
                Plot plot;
                using (MailServer server = new PosthornServer(folder, 120, posthorn))
                {
                    int[] steps = [.. (what == "idle" ? Connections : Sizes).Where(step => step <= parsed.GetValue(most))];
                    plot = what == "idle" ? new IdleGrowth(server).Run(steps) : new MailboxGrowth(server).Run(steps);
                }

                Directory.Delete(folder, recursive: true);
                Console.Write(PlotImage.Table(plot));
                if (!parsed.GetValue(noWrite)) Write(what, plot, posthorn);
            }

            return 0;
        });
        return command;
    }

    private static void Write(string what, Plot plot, string program)
    {
        string picture = $"performance-{what}.svg";
        string build = program.EndsWith(".dll", StringComparison.Ordinal) ? "Release build" : "native program";
        string date = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        PerformancePage.Write(Checkout.Root, "growth " + what, $"![{plot.Title}]({picture})\n\n{PlotImage.Table(plot)}\n{plot.Unit}; {date}, {Machine.This()}; {build}. The dashed line of the picture is growth in proportion.\n");
        File.WriteAllText(Path.Combine(Checkout.Root, "docs", picture), PlotImage.Of(plot));
    }
}
