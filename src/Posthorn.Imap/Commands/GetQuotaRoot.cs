using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>GETQUOTAROOT (RFC 9208 section 4.1.2).</summary>
internal sealed record GetQuotaRoot(MailboxName Name) : IImapCommand<GetQuotaRoot>
{
    public static GetQuotaRoot Parse(ref ImapReader args)
    {
        args.Space();
        MailboxName name = args.Mailbox();
        args.End();
        return new(name);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        MailboxInfo? info = await session.Store.FindAsync(Name, cancel);
        session.Out.Begin("QUOTAROOT "u8);
        session.Out.Mailbox(Name.Value);
        // What another account may use is its own affair.
        if (info?.Owner is null) session.Out.Raw(" \"\""u8);
        session.Out.End();
        if (info?.Owner is null) QuotaRoots.Write(session, "", await session.Store.QuotaAsync(cancel));
        return Completion.Ok("Quota told");
    }
}
