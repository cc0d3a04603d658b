using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>LIST: the size of one message or of all (RFC 1939 section 5).</summary>
internal sealed record List(int? Number) : IPop3Command<List>
{
    public static List Parse(ref Pop3Reader args)
    {
        int? number = args.IsBlank ? null : args.MessageNumber();
        args.End();
        return new(number);
    }

    public async ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        Maildrop drop = session.Drop;
        if (Number is { } one) return drop.Check(one) ?? Reply.Ok($"{one} {drop.SizeOf(one)}");
        session.Out.Write(Reply.Ok($"{drop.Messages} messages ({drop.Octets} octets)"));
        for (int number = 1; number <= drop.Last; number++)
        {
            if (drop.IsDeleted(number)) continue;
            session.Out.Line(number, drop.SizeOf(number));
            await session.FlushIfLargeAsync(cancel);
        }
        session.Out.EndOfLines();
        return null;
    }
}
