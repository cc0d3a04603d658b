using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>Mail by SMTP or LMTP into mailboxes. The rate is that of messages in mailboxes, not of those that were accepted.</summary>
internal sealed class MailInRow : Row
{
    internal LoadKind Kind { get; init; } = LoadKind.Smtp;
    internal int Size { get; init; } = 4096;
    internal int Sessions { get; init; } = 20;
    internal bool Kept { get; init; }
    internal bool Pipelined { get; init; }
    internal int Ours { get; init; } = 12_000;
    internal int Peers { get; init; } = 1_500;

    internal override string Unit => "messages/s";

    internal override int Users => 100;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        LoadPlan plan = new()
        {
            Kind = Kind,
            Port = Kind == LoadKind.Smtp ? server.SmtpPort : server.LmtpPort,
            Messages = scope.Scale(Ours, Peers),
            Message = new(Size, scope.Tag),
            Sessions = Sessions,
            Kept = Kept,
            Pipelined = Pipelined,
            FirstUser = scope.FirstUser,
            Users = Users,
        };

        // Accounts that have had mail before, as those of a server that lives.
        LoadDriver.Run(plan with { Kind = LoadKind.Lmtp, Port = server.LmtpPort, Messages = Users, Message = new(1024, scope.Tag + "t"), Kept = true, Sessions = 10 });
        return Loaded.Run(server, plan, already: Users);
    }
}

/// <summary>A load and what it cost.</summary>
internal static class Loaded
{
    internal static Measure Run(MailServer server, LoadPlan plan, int already)
    {
        server.WaitUntilQuiet();
        double cpu = server.Meter.Cpu(), machine = ServerMeter.MachineCpu();
        DateTime start = TimeProvider.System.GetUtcNow().UtcDateTime;
        LoadResult result = LoadDriver.Run(plan);
        MailCheck check = new(server, plan, already);
        double delivered = Math.Max((check.WaitForAll() - start).TotalSeconds, result.Seconds);
        double used = server.Meter.Cpu() - cpu;
        double foreign = Math.Max(0, ServerMeter.MachineCpu() - machine - used - result.ClientCpu) / delivered / Environment.ProcessorCount * 100;
        check.Verify();
        return new(plan.Messages / delivered, used / plan.Messages * 1000, result.ClientCpu / plan.Messages * 1000, foreign);
    }
}
