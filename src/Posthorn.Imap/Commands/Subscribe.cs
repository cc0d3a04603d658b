using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>SUBSCRIBE (RFC 9051 section 6.3.7). The mailbox need not exist.</summary>
internal sealed record Subscribe(MailboxName Name) : IImapCommand<Subscribe>, IChangesNames
{
    public IReadOnlyList<MailboxName> Names => [Name];

    public static Subscribe Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName name = args.NewMailbox().Name;
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        Result<Done> done = await session.Store.SubscribeAsync(Name, true, cancel);
        return done.IsOk ? Completion.Ok("Subscribed") : Completion.From(done.Refusal);
    }
}
