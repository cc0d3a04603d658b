using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>UNSELECT: closes the mailbox and removes nothing (RFC 9051 section 6.4.2, RFC 3691).</summary>
internal sealed record Unselect : IImapCommand<Unselect>
{
    public static Unselect Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        await session.DeselectAsync();
        return Completion.Ok("Unselected");
    }
}
