using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>SELECT (RFC 9051 section 6.3.2).</summary>
internal sealed record Select(Opening Opening) : IImapCommand<Select>
{
    public static Select Parse(ref ImapReader args) => new(Opening.Parse(ref args));

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel) => Opening.RunAsync(session, false, cancel);
}

/// <summary>EXAMINE: the same, read-only (RFC 9051 section 6.3.3).</summary>
internal sealed record Examine(Opening Opening) : IImapCommand<Examine>
{
    public static Examine Parse(ref ImapReader args) => new(Opening.Parse(ref args));

    public ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel) => Opening.RunAsync(session, true, cancel);
}

/// <summary>What a client knew of a mailbox when it last left it (RFC 7162 section 3.2.5).</summary>
internal sealed record Resync(uint Validity, long ModSeq, NumberSet? KnownUids);

/// <summary>The arguments and the work that SELECT and EXAMINE share.</summary>
/// <remarks><c>select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]</c></remarks>
internal sealed record Opening(GivenName Name, bool Condstore, Resync? Resync)
{
    private const MailboxRights ToWrite = MailboxRights.Insert | MailboxRights.Expunge | MailboxRights.KeepSeen | MailboxRights.Write | MailboxRights.DeleteMessages;

    public static Opening Parse(ref ImapReader args)
    {
        args.Space();
        GivenName name = args.GivenMailbox();
        bool condstore = false;
        Resync? resync = null;
        if (args.TrySpace())
        {
            args.Take((byte)'(');
            do
            {
                if (args.TryWord("CONDSTORE"u8)) condstore = true;
                else if (args.TryWord("QRESYNC"u8)) resync = ParseResync(ref args);
                else args.Fail("CONDSTORE or QRESYNC");
            }
            while (args.TrySpace());
            args.Take((byte)')');
        }
        args.End();
        return new(name, condstore, resync);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, bool readOnly, CancellationToken cancel)
    {
        if (Resync is not null && !session.Mode.Qresync) return Completion.Bad("ENABLE QRESYNC first");
        await session.CloseSelectedAsync();
        // RFC 4314 section 5.2: read-only for whoever may change nothing of it.
        if ((await session.Store.RightsToAsync(Name.Name, cancel) & ToWrite) == 0) readOnly = true;
        Result<IMailbox> opened = await session.Store.OpenMailboxAsync(Name.Name, readOnly, cancel);
        if (!opened.IsOk) return Completion.From(opened.Refusal);
        if (Condstore) session.EnableCondstore();
        SelectedMailbox box = new(opened.Value, readOnly);
        await session.SelectAsync(box);
        Describe(session, box);
        if (session.Mode.Rev2) await MailboxTree.TellNameAsync(session, Name, cancel);
        if (Resync is not null && Resync.Validity == box.View.Validity.Value) await ResyncAsync(session, box, Resync, cancel);
        return readOnly ? Completion.Ok("READ-ONLY", "Selected, for reading only") : Completion.Ok("READ-WRITE", "Selected");
    }

    private static Resync ParseResync(ref ImapReader args)
    {
        args.Space();
        args.Take((byte)'(');
        uint validity = args.NzNumber();
        args.Space();
        long modSeq = args.Number64();
        NumberSet? known = null;
        if (args.TrySpace())
        {
            if (args.Next != '(')
            {
                known = args.SequenceSet();
                if (args.TrySpace()) SkipMatchData(ref args);
            }
            else SkipMatchData(ref args);
        }
        args.Take((byte)')');
        return new(validity, modSeq, known);
    }

    // Sequence numbers and their UIDs help servers that have forgotten expunges; this one has not.
    private static void SkipMatchData(ref ImapReader args)
    {
        if (args.Dialect.UidOnly) args.Refuse(Completion.UidRequired);
        args.Take((byte)'(');
        args.SequenceSet();
        args.Space();
        args.SequenceSet();
        args.Take((byte)')');
    }

    private static void Describe(ImapSession session, SelectedMailbox box)
    {
        ImapOutput output = session.Out;
        box.FlagLines(output);
        output.Numbered(box.Count, "EXISTS"u8);
        if (!session.Mode.Rev2)
        {
            output.Numbered(box.RecentCount, "RECENT"u8);
            if (!session.Mode.UidOnly && FirstUnseen(box.View) is > 0 and int unseen) output.UntaggedOk($"UNSEEN {unseen}", "First unseen");
        }
        output.UntaggedOk($"UIDVALIDITY {box.View.Validity}", "UIDs are valid");
        output.UntaggedOk($"UIDNEXT {box.View.UidNext}", "Next UID");
        output.UntaggedOk($"HIGHESTMODSEQ {box.View.HighestModSeq}", "Highest");
        output.UntaggedOk($"MAILBOXID ({box.Id})", "Its id");
    }

    private static int FirstUnseen(MailboxVersion version)
    {
        int position = 0;
        foreach (ReadOnlyMemory<MessageRow> chunk in version.Chunks)
        {
            foreach (ref readonly MessageRow row in chunk.Span)
            {
                position++;
                if ((row.Flags & SystemFlags.Seen) == 0) return position;
            }
        }
        return 0;
    }

    private static async ValueTask ResyncAsync(ImapSession session, SelectedMailbox box, Resync since, CancellationToken cancel)
    {
        await VanishedAsync(session, box, since.KnownUids, new(since.ModSeq), cancel);
        List<NumberRange>? known = since.KnownUids?.Normalise(uint.MaxValue - 1);
        for (int i = 0; i < box.Count; i++)
        {
            MessageRow row = box.View[i];
            if (row.ModSeq.Value <= since.ModSeq || known is not null && !Contains(known, row.Uid.Value)) continue;
            box.TellFlags(session.Out, session.Mode, i, row);
            await session.FlushIfLargeAsync(cancel);
        }
    }

    private const int RangesAtOnce = 4096;

    /// <summary>VANISHED (EARLIER): what was expunged since, of these UIDs (RFC 7162 section 3.2.10.1).</summary>
    public static async ValueTask VanishedAsync(ImapSession session, SelectedMailbox box, NumberSet? uids, ModSeq since, CancellationToken cancel)
    {
        IReadOnlyList<UidRange> expunged = await session.Store.ExpungedSinceAsync(box.Id, since, cancel);
        List<NumberRange> wanted = uids?.Normalise(uint.MaxValue - 1) ?? [new(1, uint.MaxValue - 1)];
        // There may be as many ranges as the mailbox has messages: several responses, so that none is without bound.
        foreach (NumberRange[] vanished in Vanished(expunged, wanted, box.View).Chunk(RangesAtOnce))
        {
            session.Out.Begin("VANISHED (EARLIER) "u8);
            session.Out.Raw(new NumberSet(vanished).ToString());
            session.Out.End();
            await session.FlushIfLargeAsync(cancel);
        }
    }

    // Of what is wanted, less what the client is still to be told of. Both lists are in order.
    private static IEnumerable<NumberRange> Vanished(IReadOnlyList<UidRange> expunged, List<NumberRange> wanted, MailboxVersion view)
    {
        int at = 0;
        foreach (UidRange gone in expunged)
        {
            while (at < wanted.Count && wanted[at].Last < gone.First.Value) at++;
            for (int i = at; i < wanted.Count && wanted[i].First <= gone.Last.Value; i++)
            {
                UidRange both = new(new(Math.Max(wanted[i].First, gone.First.Value)), new(Math.Min(wanted[i].Last, gone.Last.Value)));
                foreach (UidRange range in UidRange.Absent(view, both)) yield return new(range.First.Value, range.Last.Value);
            }
        }
    }

    private static bool Contains(List<NumberRange> ranges, uint number)
    {
        int low = 0, high = ranges.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (number < ranges[middle].First) high = middle - 1;
            else if (number > ranges[middle].Last) low = middle + 1;
            else return true;
        }
        return false;
    }
}
