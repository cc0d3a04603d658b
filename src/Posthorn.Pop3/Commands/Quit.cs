using Posthorn.Core;
using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>QUIT: after a login the UPDATE state, in which marked messages are removed (RFC 1939 section 6), and the goodbye.</summary>
internal sealed record Quit : IPop3Command<Quit>
{
    public static Quit Parse(ref Pop3Reader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        session.Close("logout");
        if (session.State == States.Authorization) return Reply.Ok("Goodbye");
        Result<Done> updated = await session.Drop.UpdateAsync(cancel);
        return updated.IsOk ? Reply.Ok("Goodbye") : Reply.Error("SYS/TEMP", "Some deleted messages were not removed: " + updated.Refusal.Text);
    }
}
