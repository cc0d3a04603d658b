using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>COPY and UID COPY: all or none (RFC 9051 section 6.4.7, COPYUID of section 7.1).</summary>
/// <remarks><c>copy = "COPY" SP sequence-set SP mailbox</c></remarks>
internal sealed record Copy(NumberSet Messages, MailboxName Target) : IImapCommand<Copy>, IReadsMailbox
{
    public static Copy Parse(ref ImapReader args)
    {
        args.Space();
        NumberSet messages = args.SequenceSet();
        args.Space();
        MailboxName target = args.Mailbox();
        args.End();
        return new(messages, target);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SelectedMailbox box = session.Selected;
        if (!box.TryResolve(Messages, by, session.SavedResult, out List<PositionRange> positions, out Completion? bad)) return bad;
        // All or none, so too many are refused (RFC 9738).
        if (session.Limit(ref positions) is { } limited) return Completion.No(limited, "That is too much for one command, copy in parts");
        Uid[] uids = box.UidsOf(positions);
        // All or none: what others have expunged, and this client has not heard of, cannot be copied any more.
        if (by == Numbering.Sequence && uids.Length > 0 && !box.HasAll(uids)) return Completion.No("EXPUNGEISSUED", "Some of these messages are gone");
        Result<Store.Placement> copied = await LongWork.CountAsync(session, uids.Length, done => session.Store.CopyAsync(box.Id, uids, Target, cancel, done), cancel);
        if (!copied.IsOk) return Completion.From(copied.Refusal, creatable: true);
        session.News.HasPut(copied.Value.Target, copied.Value.Targets);
        if (copied.Value.Sources.Count > 0) return !await session.Store.MayReadAsync(Target, cancel) ? Completion.Ok("Copied") : Completion.Ok(ImapOutput.CopyUid(copied.Value), "Copied");
        return positions.Count == 0 ? Completion.Ok("Nothing to copy") : Completion.No("EXPUNGEISSUED", "All of these messages are gone");
    }
}
