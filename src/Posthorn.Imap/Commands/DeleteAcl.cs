using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>DELETEACL: takes somebody's entry off the list (RFC 4314 section 3.2). An owner without an entry has all rights.</summary>
/// <remarks><c>deleteacl = "DELETEACL" SP mailbox SP identifier</c></remarks>
internal sealed record DeleteAcl(MailboxName Name, string Identifier) : IImapCommand<DeleteAcl>
{
    public static DeleteAcl Parse(ref ImapReader args)
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
        if (info?.Id is not { } id) return Completion.From(new(RefusalKind.NoSuchMailbox, "No such mailbox"));
        if (!info.Rights.HasFlag(MailboxRights.Administer)) return Completion.No("NOPERM", "You have not the right to change who may use this mailbox (a)");
        string identifier = AclIdentifier.Known(session, Identifier);
        if (info.Acl.Find(identifier) is null) return Completion.Ok("There was no such entry");
        Result<Done> done = await session.Store.ShareAsync(id, identifier, null, cancel);
        if (!done.IsOk) return Completion.From(done.Refusal);
        session.Log.RightsChanged(session.Connection.Session, session.Account!.ToString(), Name.Value, identifier, "");
        return Completion.Ok("Entry removed");
    }
}
