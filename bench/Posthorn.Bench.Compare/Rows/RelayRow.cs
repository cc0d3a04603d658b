using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>Mail in by SMTP and out by SMTP to a fast sink (Postfix's smtp-sink): a relay with nothing else to do. The rate is that of messages which the sink has taken.</summary>
internal sealed class RelayRow : Row
{
    internal int Sessions { get; init; } = 20;
    internal int Ours { get; init; } = 10_000;
    internal int Peers { get; init; } = 1_500;

    internal override string Unit => "messages/s";

    /// <summary>Messages that go the whole way before the clock starts: both servers are to be measured as they are when they have been up for a while.</summary>
    private const int Warm = 4_000, WarmPeer = 400;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        LoadPlan plan = new()
        {
            Kind = LoadKind.Smtp, Port = server.SmtpPort, Messages = scope.Scale(Ours, Peers), Message = new(4096, scope.Tag), Sessions = Sessions, Kept = true, Users = 100, Domain = MailServer.RelayedDomain,
        };
        using MailSink sink = new(server.SinkPort);
        int already = scope.Scale(Warm, WarmPeer);
        LoadDriver.Run(plan with { Messages = already, Message = new(4096, scope.Tag + "w") });
        sink.WaitFor(already);
        server.WaitUntilQuiet();
        double cpu = server.Meter.Cpu(), machine = ServerMeter.MachineCpu(), taking = sink.Meter.Cpu();
        long start = TimeProvider.System.GetTimestamp();
        LoadResult result = LoadDriver.Run(plan);
        sink.WaitFor(already + plan.Messages);
        double seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        double used = server.Meter.Cpu() - cpu, others = result.ClientCpu + sink.Meter.Cpu() - taking;
        double foreign = Math.Max(0, ServerMeter.MachineCpu() - machine - used - others) / seconds / Environment.ProcessorCount * 100;
        return new(plan.Messages / seconds, used / plan.Messages * 1000, others / plan.Messages * 1000, foreign);
    }
}
