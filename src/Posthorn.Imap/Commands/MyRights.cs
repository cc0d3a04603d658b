using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>MYRIGHTS: what the user may do with a mailbox (RFC 4314 section 3.5).</summary>
/// <remarks><c>myrights = "MYRIGHTS" SP mailbox</c></remarks>
internal sealed record MyRights(MailboxName Name) : IImapCommand<MyRights>
{
    public static MyRights Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName name = args.Mailbox();
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        MailboxRights rights = await session.Store.RightsToAsync(Name, cancel);
        if ((rights & MailboxAcl.ToKnow) == 0) return Completion.From(new(RefusalKind.NoSuchMailbox, "No such mailbox"));
        Write(session, Name.Value, rights);
        return Completion.Ok("Rights told");
    }

    /// <summary>Writes one MYRIGHTS response.</summary>
    public static void Write(ImapSession session, string name, MailboxRights rights)
    {
        session.Out.Begin("MYRIGHTS "u8);
        session.Out.Mailbox(name);
        session.Out.Raw(" "u8);
        session.Out.String(RightsText.Format(rights));
        session.Out.End();
    }
}
