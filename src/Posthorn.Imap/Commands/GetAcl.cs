using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>GETACL: who may do what (RFC 4314 sections 3.3 and 3.6). The owner comes first, with all rights if no entry says less.</summary>
/// <remarks><c>getacl = "GETACL" SP mailbox</c></remarks>
internal sealed record GetAcl(MailboxName Name) : IImapCommand<GetAcl>
{
    public static GetAcl Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName name = args.Mailbox();
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        MailboxInfo? info = await session.Store.FindAsync(Name, cancel);
        if (info is null) return Completion.From(new(RefusalKind.NoSuchMailbox, "No such mailbox"));
        if (!info.Rights.HasFlag(MailboxRights.Administer)) return Completion.No("NOPERM", "You have not the right to see who may use this mailbox (a)");
        string owner = MailboxAcl.IdentifierOf(info.Owner ?? session.Account!.Address);
        session.Out.Begin("ACL "u8);
        session.Out.Mailbox(Name.Value);
        if (info.Acl.Find(owner) is null) Write(session, new(owner, MailboxRights.All));
        foreach (AclEntry entry in info.Acl.Entries) Write(session, entry);
        session.Out.End();
        return Completion.Ok("Rights told");
    }

    private static void Write(ImapSession session, AclEntry entry)
    {
        session.Out.Raw(" "u8);
        session.Out.String(entry.Identifier);
        session.Out.Raw(" "u8);
        session.Out.String(RightsText.Format(entry.Rights));
    }
}
