using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>CLOSE: removes what is marked deleted without a word, then closes the mailbox (RFC 9051 section 6.4.1).</summary>
internal sealed record Close : IImapCommand<Close>
{
    public static Close Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SelectedMailbox box = session.Selected;
        IReadOnlyList<Uid> expunged = [];
        // RFC 4314 section 4: without the right to expunge it is closed all the same.
        if (!box.IsReadOnly && box.Exists && box.Rights.HasFlag(Posthorn.Store.Sharing.MailboxRights.Expunge))
        {
            Result<IReadOnlyList<Uid>> gone = await session.Store.ExpungeAsync(box.Id, null, cancel);
            if (!gone.IsOk) return Completion.From(gone.Refusal);
            expunged = gone.Value;
        }
        await session.DeselectAsync(expunged);
        return Completion.Ok("Closed");
    }
}
