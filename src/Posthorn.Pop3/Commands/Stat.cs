using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>STAT: how many messages, how many octets, the deleted ones left out (RFC 1939 section 5).</summary>
internal sealed record Stat : IPop3Command<Stat>
{
    public static Stat Parse(ref Pop3Reader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel) => new(Reply.Ok($"{session.Drop.Messages} {session.Drop.Octets}"));
}
