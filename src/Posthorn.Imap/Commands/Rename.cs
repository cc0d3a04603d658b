using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>RENAME, children included (RFC 9051 section 6.3.6).</summary>
internal sealed record Rename(MailboxName From, MailboxName Target) : IImapCommand<Rename>, IChangesNames
{
    public IReadOnlyList<MailboxName> Names => [From, Target];

    public static Rename Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName from = args.Mailbox();
        args.Space();
        MailboxName target = args.NewMailbox();
        args.End();
        return new(from, target);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        Result<Done> renamed = await session.Store.RenameAsync(From, Target, cancel);
        return renamed.IsOk ? Completion.Ok("Renamed") : Completion.From(renamed.Refusal);
    }
}
