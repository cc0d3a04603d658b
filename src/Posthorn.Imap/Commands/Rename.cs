using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>RENAME, children included (RFC 9051 section 6.3.6).</summary>
internal sealed record Rename(GivenName From, GivenName Target) : IImapCommand<Rename>, IChangesNames
{
    public IReadOnlyList<MailboxName> Names => [From.Name, Target.Name];

    public static Rename Parse(ref ImapReader args)
    {
        args.Space();
        GivenName from = args.GivenMailbox();
        args.Space();
        GivenName target = args.NewMailbox();
        args.End();
        return new(from, target);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        Result<Done> renamed = await session.Store.RenameAsync(From.Name, Target.Name, cancel);
        if (!renamed.IsOk) return Completion.From(renamed.Refusal);
        // One line speaks for both names: the new one as it is, and the old one as it was written.
        if (From.IsOther || Target.IsOther) await MailboxTree.TellOldNameAsync(session, Target with { Text = From.Text }, cancel);
        return Completion.Ok("Renamed");
    }
}
