using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>UNSUBSCRIBE (RFC 9051 section 6.3.8). A name that is not subscribed is no error.</summary>
internal sealed record Unsubscribe(MailboxName Name) : IImapCommand<Unsubscribe>, IChangesNames
{
    public IReadOnlyList<MailboxName> Names => [Name];

    public static Unsubscribe Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName name = args.NewMailbox().Name;
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        Result<Done> done = await session.Store.SubscribeAsync(Name, false, cancel);
        return done.IsOk ? Completion.Ok("Unsubscribed") : Completion.From(done.Refusal);
    }
}
