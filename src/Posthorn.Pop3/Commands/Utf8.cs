using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>UTF8: the client takes UTF-8 headers (RFC 6856 section 2.1).</summary>
/// <remarks>Messages go out as they are stored, in either mode: refusing one would leave it stuck for a client that does not know the command (docs/quirks.md).</remarks>
internal sealed record Utf8 : IPop3Command<Utf8>
{
    public static Utf8 Parse(ref Pop3Reader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel) =>
        new(Reply.Ok("UTF-8 it is"));
}
