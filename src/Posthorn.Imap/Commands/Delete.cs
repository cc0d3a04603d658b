using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>DELETE (RFC 9051 section 6.3.5). Deleting the selected mailbox closes it first.</summary>
internal sealed record Delete(GivenName Name) : IImapCommand<Delete>, IChangesNames
{
    public IReadOnlyList<MailboxName> Names => [Name.Name];

    public static Delete Parse(ref ImapReader args)
    {
        args.Space();
        GivenName name = args.GivenMailbox();
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        Result<Done> deleted = await session.Store.DeleteAsync(Name.Name, cancel);
        if (!deleted.IsOk) return Completion.From(deleted.Refusal);
        if (session.HasSelected && !session.Selected.Exists)
        {
            await session.DeselectAsync();
            session.Out.UntaggedOk("CLOSED", "The selected mailbox is gone");
        }
        await MailboxTree.TellOldNameAsync(session, Name, cancel);
        return Completion.Ok("Deleted");
    }
}
