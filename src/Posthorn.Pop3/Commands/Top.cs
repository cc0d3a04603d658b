using Posthorn.Pop3.Session;
using Posthorn.Pop3.Wire;

namespace Posthorn.Pop3.Commands;

/// <summary>TOP: the header, the empty line and the first lines of the body (RFC 1939 section 7). Marks nothing as read.</summary>
internal sealed record Top(int Number, int Lines) : IPop3Command<Top>
{
    public static Top Parse(ref Pop3Reader args)
    {
        int number = args.MessageNumber();
        int lines = args.Number("a number of lines");
        args.End();
        return new(number, lines);
    }

    public ValueTask<Reply?> RunAsync(Pop3Session session, CancellationToken cancel) => MessageSender.SendAsync(session, Number, Lines, cancel);
}
