using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>UTF8: the client takes UTF-8 headers (RFC 6856 section 2.1).</summary>
internal sealed record Utf8 : IPop3Command<Utf8>
{
    public static Utf8 Parse(ref Pop3Reader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        session.IsUtf8 = true;
        return new(Reply.Ok("UTF-8 it is"));
    }
}
