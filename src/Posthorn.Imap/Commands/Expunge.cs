using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>EXPUNGE (RFC 9051 section 6.4.3). The numbers are told with the news at its end.</summary>
internal sealed record Expunge : IImapCommand<Expunge>
{
    public static Expunge Parse(ref ImapReader args)
    {
        args.End();
        return new();
    }

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel) => RunAsync(session, null, cancel);

    public static async ValueTask<Completion> RunAsync(ImapSession session, IReadOnlyList<Uid>? only, CancellationToken cancel)
    {
        Result<IReadOnlyList<Uid>> gone = await session.Store.ExpungeAsync(session.Selected.Id, only, cancel);
        if (!gone.IsOk) return Completion.From(gone.Refusal);
        await session.TellNewsAsync(mayExpunge: true, cancel);
        return session.Mode.Condstore && gone.Value.Count > 0
            ? Completion.Ok($"HIGHESTMODSEQ {session.Selected.View.HighestModSeq}", "Expunged")
            : Completion.Ok("Expunged");
    }
}

/// <summary>UID EXPUNGE: only of these (RFC 9051 section 6.4.9, RFC 4315).</summary>
internal sealed record UidExpunge(NumberSet Messages) : IImapCommand<UidExpunge>
{
    public static UidExpunge Parse(ref ImapReader args)
    {
        args.Space();
        NumberSet messages = args.SequenceSet();
        args.End();
        return new(messages);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SelectedMailbox box = session.Selected;
        if (!box.TryResolve(Messages, Numbering.Uid, session.SavedResult, out List<PositionRange> positions, out Completion? bad)) return bad;
        return await Expunge.RunAsync(session, box.UidsOf(positions), cancel);
    }
}
