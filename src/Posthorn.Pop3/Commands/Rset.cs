using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>RSET: takes all marks back (RFC 1939 section 5).</summary>
internal sealed record Rset : IPop3Command<Rset>
{
    public static Rset Parse(ref Pop3Reader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        session.Drop.UndeleteAll();
        return new(Reply.Ok($"{session.Drop.Messages} messages ({session.Drop.Octets} octets)"));
    }
}
