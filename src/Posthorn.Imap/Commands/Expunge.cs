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
        string? limited = null;
        if (session.Options.MessageLimit is not null)
        {
            List<PositionRange> marked = Marked(session.Selected, only);
            limited = session.Limit(ref marked);
            if (limited is not null) only = session.Selected.UidsOf(marked);
        }

        Result<IReadOnlyList<Uid>> gone = await session.Store.ExpungeAsync(session.Selected.Id, only, cancel);
        if (!gone.IsOk) return Completion.From(gone.Refusal);
        await session.News.TellAsync(mayExpunge: true, cancel);
        return session.Within(limited, session.Mode.Condstore && gone.Value.Count > 0
            ? Completion.Ok($"HIGHESTMODSEQ {session.Selected.View.HighestModSeq}", "Expunged")
            : Completion.Ok("Expunged"));
    }

    private static List<PositionRange> Marked(SelectedMailbox box, IReadOnlyList<Uid>? only)
    {
        HashSet<Uid>? among = only is null ? null : [.. only];
        List<Uid> marked = [];
        for (int i = 0; i < box.Count; i++)
            if ((box.Newest(i).Flags & SystemFlags.Deleted) != 0 && among?.Contains(box.View[i].Uid) != false) marked.Add(box.View[i].Uid);
        return box.PositionsOf(marked);
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
