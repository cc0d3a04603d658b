using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>DELE: marks a message, which QUIT removes (RFC 1939 section 5).</summary>
internal sealed record Dele(int Number) : IPop3Command<Dele>
{
    public static Dele Parse(ref Pop3Reader args)
    {
        int number = args.MessageNumber();
        args.End();
        return new(number);
    }

    public ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        if (session.Drop.Check(Number) is { } wrong) return new(wrong);
        session.Drop.Delete(Number);
        return new(Reply.Ok("Marked as deleted"));
    }
}
