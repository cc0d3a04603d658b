using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>LISTRIGHTS: which rights somebody always has and which he can be given (RFC 4314 section 3.4). No two are tied to each other; <c>p</c> cannot be given to others, see <see cref="SetAcl"/>.</summary>
/// <remarks><c>listrights = "LISTRIGHTS" SP mailbox SP identifier</c></remarks>
internal sealed record ListRights(MailboxName Name, string Identifier) : IImapCommand<ListRights>
{
    public static ListRights Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName name = args.Mailbox();
        args.Space();
        string identifier = AclIdentifier.Parse(ref args);
        args.End();
        return new(name, identifier);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        MailboxInfo? info = await session.Store.FindAsync(Name, cancel);
        if (info is null) return Completion.From(new(RefusalKind.NoSuchMailbox, "No such mailbox"));
        if (!info.Rights.HasFlag(MailboxRights.Administer)) return Completion.No("NOPERM", "You have not the right to see who may use this mailbox (a)");
        if (AclIdentifier.Canonical(session, Identifier) is not { } identifier) return AclIdentifier.NoSuch(Identifier);
        bool owner = identifier == MailboxAcl.IdentifierOf(info.Owner ?? session.Account!.Address);
        session.Out.Begin("LISTRIGHTS "u8);
        session.Out.Mailbox(Name.Value);
        session.Out.Raw(" "u8);
        session.Out.String(Identifier); // as the client wrote it, so that it knows its question again
        // What an owner keeps whatever is said, as in MailboxAcl.OwnersMinimum; p he may have, to no effect.
        session.Out.Raw(owner ? " \"la\" r s w i p k x t e c d" : " \"\" l r s w i k x t e c d a");
        session.Out.End();
        return Completion.Ok("Rights told");
    }
}
