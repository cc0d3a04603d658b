using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>UIDL: the unique id of one message or of all (RFC 1939 section 7).</summary>
internal sealed record Uidl(int? Number) : IPop3Command<Uidl>
{
    public static Uidl Parse(ref Pop3Reader args)
    {
        int? number = args.IsBlank ? null : args.MessageNumber();
        args.End();
        return new(number);
    }

    public async ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel)
    {
        Maildrop drop = session.Drop;
        await drop.LoadUniqueIdsAsync(cancel);
        if (Number is { } one) return drop.Check(one) ?? (drop.HasLostUniqueId(one) ? Reply.Error("", "The message is gone, and its unique id with it") : Reply.Ok($"{one} {drop.UniqueIdOf(one)}"));
        session.Out.Write(Reply.Ok("Unique ids"));
        for (int number = 1; number <= drop.Last; number++)
        {
            if (drop.IsDeleted(number) || drop.HasLostUniqueId(number)) continue;
            session.Out.Line(number, drop.UniqueIdOf(number));
            await session.FlushIfLargeAsync(cancel);
        }
        session.Out.EndOfLines();
        return null;
    }
}
