using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>IMAP APPEND over one connection into a folder that is not selected.</summary>
internal sealed class AppendRow : Row
{
    /// <summary>APPENDs under way; 1 waits for each.</summary>
    internal int Window { get; init; } = 1;

    internal int Ours { get; init; } = 4_000;
    internal int Peers { get; init; } = 1_000;

    internal override string Unit => "messages/s";

    internal override int Users => 1;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        LoadPlan plan = new()
        {
            Kind = LoadKind.Append,
            Port = server.ImapPort,
            Messages = scope.Scale(Ours, Peers),
            Message = new(4096, scope.Tag),
            FirstUser = scope.FirstUser,
            Users = 1,
            Mailbox = "App",
            Window = Window,
        };
        Imap.Run(server.ImapPort, plan.UserOf(0), "CREATE App");
        return Loaded.Run(server, plan, already: 0);
    }
}
