using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>FETCH and UID FETCH (RFC 9051 section 6.4.5; CHANGEDSINCE and VANISHED of RFC 7162, PARTIAL of RFC 9394).</summary>
/// <remarks><c>fetch = "FETCH" SP sequence-set SP fetch-items [SP "(" fetch-modifier *(SP fetch-modifier) ")"]</c></remarks>
internal sealed record Fetch(NumberSet Messages, IReadOnlyList<FetchItem> Items, ModSeq? ChangedSince, bool Vanished, PartialRange? Partial) : IImapCommand<Fetch>, IReadsMailbox
{
    /// <summary>Messages whose <c>\Seen</c> is set by one change before they are read.</summary>
    private const int SeenBatch = 128;

    public static Fetch Parse(ref ImapReader args)
    {
        args.Space();
        NumberSet messages = args.SequenceSet();
        args.Space();
        List<FetchItem> items = FetchItems.Parse(ref args);
        ModSeq? changedSince = null;
        bool vanished = false;
        PartialRange? partial = null;
        if (args.TrySpace())
        {
            args.Take((byte)'(');
            do
            {
                if (args.TryWord("CHANGEDSINCE"u8))
                {
                    args.Space();
                    changedSince = new(args.Number64());
                }
                else if (args.TryWord("VANISHED"u8)) vanished = true;
                else if (args.TryWord("PARTIAL"u8))
                {
                    if (partial is not null) args.Fail("one PARTIAL");
                    partial = PartialRange.Parse(ref args);
                }
                else args.Fail("a fetch modifier");
            }
            while (args.TrySpace());
            args.Take((byte)')');
        }
        args.End();
        return new(messages, items, changedSince, vanished, partial);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        if (Vanished && (by != Numbering.Uid || ChangedSince is null || !session.Mode.Qresync)) return Completion.Bad("VANISHED needs UID FETCH, CHANGEDSINCE and ENABLE QRESYNC");
        SelectedMailbox box = session.Selected;
        if (!box.TryResolve(Messages, by, session.SavedResult, out List<PositionRange> positions, out Completion? bad)) return bad;
        List<FetchItem> items = [.. Items];
        if (ChangedSince is not null && !items.Contains(FetchItems.ModSeq)) items.Add(FetchItems.ModSeq);
        if (by == Numbering.Uid && !session.Mode.UidOnly && !items.Contains(FetchItems.Uid)) items.Insert(0, FetchItems.Uid);
        if (items.Contains(FetchItems.ModSeq)) session.EnableCondstore();
        if (Vanished) await Opening.VanishedAsync(session, box, Messages, ChangedSince!.Value, cancel);
        // First the window, then what has changed within it (RFC 9394 section 3.4).
        if (Partial is not null) positions = Partial.Of(positions);
        if (ChangedSince is { } since) positions = OnlyChanged(box, positions, since);
        string? limited = session.Limit(ref positions);

        FetchWriter writer = new(session, box, items);
        bool complete = items.Exists(item => item.SetsSeen) && !box.IsReadOnly && box.Rights.HasFlag(MailboxRights.KeepSeen)
            ? await ReadAsync(session, box, writer, positions, cancel)
            : await writer.WriteAsync(positions, cancel);
        if (writer.MetUnknownEncoding) return Completion.No("UNKNOWN-CTE", "The part is in an encoding that is not known here");
        return session.Within(limited, complete ? Completion.Ok("Fetched") : Completion.Ok("EXPUNGEISSUED", "Fetched, but some of these messages are gone"));
    }

    // Reading marks as seen: first the flag, then the answer with the flags as they now are.
    private static async ValueTask<bool> ReadAsync(ImapSession session, SelectedMailbox box, FetchWriter writer, List<PositionRange> positions, CancellationToken cancel)
    {
        bool complete = true;
        foreach (PositionRange range in positions)
        {
            for (int first = range.First; first < range.End; first += SeenBatch)
            {
                PositionRange batch = new(first, Math.Min(first + SeenBatch, range.End));
                List<Uid> unseen = [];
                for (int i = batch.First; i < batch.End; i++)
                    if ((box.Newest(i).Flags & SystemFlags.Seen) == 0) unseen.Add(box.View[i].Uid);
                // A mailbox that cannot take flags now can still be read.
                if (unseen.Count > 0) _ = await session.Store.ChangeFlagsAsync(box.Id, unseen, new(FlagOperation.Add, SystemFlags.Seen, KeywordSet.Empty), null, cancel);
                writer.NowSeen = unseen;
                complete &= await writer.WriteAsync([batch], cancel);
            }
        }
        return complete;
    }

    private static List<PositionRange> OnlyChanged(SelectedMailbox box, List<PositionRange> positions, ModSeq since)
    {
        List<PositionRange> changed = [];
        foreach (PositionRange range in positions)
        {
            for (int i = range.First; i < range.End; i++)
            {
                if (box.Newest(i).ModSeq <= since) continue;
                if (changed.Count > 0 && changed[^1].End == i) changed[^1] = changed[^1] with { End = i + 1 };
                else changed.Add(new(i, i + 1));
            }
        }
        return changed;
    }
}

/// <summary>A window of a result: from its start (<c>1:100</c>) or from its end (<c>-1:-100</c>) (RFC 9394 section 3.1).</summary>
/// <param name="From">Its first number, as the client wrote it; it may be the larger one.</param>
/// <param name="Until">Its second number.</param>
/// <param name="FromEnd">Counts from the end.</param>
internal sealed record PartialRange(uint From, uint Until, bool FromEnd)
{
    public uint First => Math.Min(From, Until);

    public uint Last => Math.Max(From, Until);

    public static PartialRange Parse(ref ImapReader args)
    {
        args.Space();
        bool fromEnd = args.TryTake((byte)'-');
        uint from = args.NzNumber();
        args.Take((byte)':');
        if (fromEnd) args.Take((byte)'-');
        return new(from, args.NzNumber(), fromEnd);
    }

    public List<PositionRange> Of(List<PositionRange> positions)
    {
        (long from, long to) = Window(SelectedMailbox.CountOf(positions));
        List<PositionRange> window = [];
        long passed = 0;
        foreach (PositionRange range in positions)
        {
            long first = Math.Max(range.First, range.First + from - passed), end = Math.Min(range.End, range.First + to - passed);
            if (first < end) window.Add(new((int)first, (int)end));
            passed += range.End - range.First;
        }
        return window;
    }

    /// <summary>The part of a list.</summary>
    public List<T> Of<T>(List<T> list)
    {
        (long from, long to) = Window(list.Count);
        return from >= to ? [] : list.GetRange((int)from, (int)(to - from));
    }

    /// <summary>The range that was asked for, as the answer repeats it (RFC 9394 section 3.1). <c>4:2</c> is <c>2:4</c> (section 4), and clients that know Dovecot look for that.</summary>
    public override string ToString() => FromEnd ? $"-{From}:-{Until}" : $"{First}:{Last}";

    private (long From, long To) Window(long count) => FromEnd
        ? (Math.Max(0, count - Last), Math.Max(0, count - First + 1))
        : (First - 1, Math.Min(Last, count));
}
