using System.Globalization;
using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>How often the disk is told to keep what it has, for each message; counted by strace in a run of its own, since strace slows what it watches.</summary>
internal sealed class FlushRow : Row
{
    private static readonly string[] Calls = ["fsync(", "fdatasync(", "syncfs(", "sync(", "msync("];

    internal int Sessions { get; init; } = 100;

    internal override string Unit => "flushes/message";

    internal override bool HigherIsBetter => false;

    internal override bool NeedsRunning => false;

    internal override int Users => 100;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        string trace = Path.Combine(server.Folder, "log", $"strace.{scope.Tag}");
        server.Start("strace", "-ff", "--seccomp-bpf", "-qq", "-ttt", "-e", "signal=none", "-e", "trace=fsync,fdatasync,syncfs,sync,msync", "-o", trace);
        LoadPlan plan = new()
        {
            Kind = LoadKind.Smtp,
            Port = server.SmtpPort,
            Messages = scope.Scale(10_000, 1_000),
            Message = new(4096, scope.Tag),
            Sessions = Sessions,
            Kept = true,
            FirstUser = scope.FirstUser,
            Users = Users,
        };
        LoadDriver.Run(plan with { Kind = LoadKind.Lmtp, Port = server.LmtpPort, Messages = Users, Message = new(1024, scope.Tag + "t"), Sessions = 10 });
        server.WaitUntilQuiet();
        double start = Now();
        LoadDriver.Run(plan);
        MailCheck check = new(server, plan, Users);
        check.WaitForAll();
        server.WaitUntilQuiet();
        double end = Now();
        check.Verify();
        server.End();
        return new((double)Count(trace, start, end) / plan.Messages);
    }

    private static double Now() => (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;

    // One file for each process, each line "SECONDS call(...) = result".
    private static int Count(string trace, double start, double end)
    {
        int count = 0;
        foreach (string file in Directory.EnumerateFiles(Path.GetDirectoryName(trace)!, Path.GetFileName(trace) + ".*"))
        {
            foreach (string line in File.ReadLines(file))
            {
                int space = line.IndexOf(' ', StringComparison.Ordinal);
                if (space < 0 || !double.TryParse(line.AsSpan(0, space), CultureInfo.InvariantCulture, out double at) || at < start || at > end) continue;
                if (Calls.Any(call => line.AsSpan(space + 1).StartsWith(call, StringComparison.Ordinal))) count++;
            }
        }

        return count;
    }
}
