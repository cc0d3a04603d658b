using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>RETR: a whole message (RFC 1939 section 5).</summary>
internal sealed record Retr(int Number) : IPop3Command<Retr>
{
    public static Retr Parse(ref Pop3Reader args)
    {
        int number = args.MessageNumber();
        args.End();
        return new(number);
    }

    public async ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        if (await MessageSender.SendAsync(session, Number, null, cancel) is { } failed) return failed;
        session.Drop.WasRetrieved(Number);
        return null;
    }
}
