using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>NOOP (RFC 1939 section 5).</summary>
internal sealed record Noop : IPop3Command<Noop>
{
    public static Noop Parse(ref Pop3Reader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel) => new(Reply.Ok(""));
}
