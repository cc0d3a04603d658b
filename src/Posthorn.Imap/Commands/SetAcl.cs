using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>SETACL: gives somebody rights to a mailbox, or changes them (RFC 4314 section 3.1).</summary>
/// <remarks>The right <c>p</c> is not given to anybody: mailboxes other than INBOX have no address of their own, and to that everybody may write.
/// <c>setacl = "SETACL" SP mailbox SP identifier SP mod-rights</c></remarks>
internal sealed record SetAcl(MailboxName Name, string Identifier, char Change, MailboxRights Rights) : IImapCommand<SetAcl>
{
    public static SetAcl Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName name = args.Mailbox();
        args.Space();
        string identifier = AclIdentifier.Parse(ref args);
        args.Space();
        string text = ImapReader.Text(args.AString());
        args.End();
        char change = text.Length > 0 && text[0] is '+' or '-' ? text[0] : '=';
        if (!RightsText.TryParse(text.AsSpan(change == '=' ? 0 : 1), out MailboxRights rights, out char unknown))
            args.Fail(char.IsAsciiLetterUpper(unknown) ? "rights in lower case" : $"rights of lrswipkxteacd, not '{unknown}',");
        return new(name, identifier, change, rights);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        MailboxInfo? info = await session.Store.FindAsync(Name, cancel);
        if (info?.Id is not { } id) return Completion.From(new(RefusalKind.NoSuchMailbox, "No such mailbox"));
        if (!info.Rights.HasFlag(MailboxRights.Administer)) return Completion.No("NOPERM", "You have not the right to change who may use this mailbox (a)");
        if (AclIdentifier.Canonical(session, Identifier) is not { } identifier) return AclIdentifier.NoSuch(Identifier);
        bool owner = identifier == MailboxAcl.IdentifierOf(info.Owner ?? session.Account!.Address);
        MailboxRights before = info.Acl.Find(identifier) ?? (owner ? MailboxRights.All : MailboxRights.None);
        MailboxRights after = Change switch { '+' => before | Rights, '-' => before & ~Rights, _ => Rights };
        if (owner) after |= MailboxAcl.OwnersMinimum;
        bool withoutPost = !owner && identifier[0] != '-' && after.HasFlag(MailboxRights.Post);
        if (!owner) after &= ~MailboxRights.Post;
        if (info.Acl.Entries.Length >= session.Options.MaxAclEntries && info.Acl.Find(identifier) is null) return Completion.No("LIMIT", $"A list can have {session.Options.MaxAclEntries} entries");
        // An entry without rights says nothing, but for the owner, who has all without one.
        MailboxRights? entry = after == MailboxRights.None ? null : owner && after == MailboxRights.All ? null : after;
        Result<Done> done = await session.Store.ShareAsync(id, identifier, entry, cancel);
        if (!done.IsOk) return Completion.From(done.Refusal);
        session.Log.RightsChanged(session.Connection.Session, session.Account!.ToString(), Name.Value, identifier, RightsText.Format(after));
        return Completion.Ok(withoutPost ? "Rights changed, all but p: no mailbox but INBOX has an address, and to that everybody may write" : "Rights changed");
    }
}
