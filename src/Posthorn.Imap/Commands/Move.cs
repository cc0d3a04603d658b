using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>MOVE and UID MOVE: copy, then expunge, as one step (RFC 9051 section 6.4.8, RFC 6851).</summary>
/// <remarks><c>move = "MOVE" SP sequence-set SP mailbox</c></remarks>
internal sealed record Move(NumberSet Messages, MailboxName Target) : IImapCommand<Move>, IReadsMailbox
{
    public static Move Parse(ref ImapReader args)
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
        string? limited = session.Limit(ref positions);
        Uid[] uids = box.UidsOf(positions);
        Result<Store.Placement> moved = await LongWork.CountAsync(session, uids.Length, done => session.Store.MoveAsync(box.Id, uids, Target, cancel, done), cancel);
        if (!moved.IsOk) return Completion.From(moved.Refusal, creatable: true);
        if (moved.Value.Sources.Count == 0)
            return positions.Count == 0 ? Completion.Ok("Nothing to move") : Completion.No("EXPUNGEISSUED", "All of these messages are gone");

        session.News.HasPut(moved.Value.Target, moved.Value.Targets);
        // COPYUID goes out before the expunges, while the client can still match the numbers (RFC 6851 section 4.3).
        if (await session.Store.MayReadAsync(Target, cancel)) session.Out.UntaggedOk(ImapOutput.CopyUid(moved.Value), "Moved");
        await session.News.TellAsync(mayExpunge: true, cancel);
        return session.Within(limited, session.Mode.Condstore ? Completion.Ok($"HIGHESTMODSEQ {box.View.HighestModSeq}", "Moved") : Completion.Ok("Moved"));
    }
}
