using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>STORE and UID STORE (RFC 9051 section 6.4.6, UNCHANGEDSINCE of RFC 7162 section 3.1.3).</summary>
/// <remarks><c>store = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence ")"] SP ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / (flag *(SP flag)))</c></remarks>
internal sealed record StoreCommand(NumberSet Messages, FlagChange Change, bool Silent, ModSeq? UnchangedSince) : IImapCommand<StoreCommand>, IReadsMailbox
{
    public static StoreCommand Parse(ref ImapReader args)
    {
        args.Space();
        NumberSet messages = args.SequenceSet();
        args.Space();
        ModSeq? unchangedSince = null;
        if (args.TryTake((byte)'('))
        {
            if (!args.TryWord("UNCHANGEDSINCE"u8)) args.Fail("UNCHANGEDSINCE");
            args.Space();
            unchangedSince = new(args.Number64());
            args.Take((byte)')');
            args.Space();
        }
        FlagOperation operation = args.TryTake((byte)'+') ? FlagOperation.Add : args.TryTake((byte)'-') ? FlagOperation.Remove : FlagOperation.Replace;
        bool silent = args.TryWord("FLAGS.SILENT"u8);
        if (!silent && !args.TryWord("FLAGS"u8)) args.Fail("FLAGS or FLAGS.SILENT");
        args.Space();
        (SystemFlags flags, KeywordSet keywords) = args.Flags();
        if (keywords.Count > args.Dialect.Limits.MaxKeywords) args.Refuse(Completion.No("LIMIT", "Too many keywords"));
        args.End();
        return new(messages, new(operation, flags, keywords), silent, unchangedSince);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SelectedMailbox box = session.Selected;
        if (!box.TryResolve(Messages, by, session.SavedResult, out List<PositionRange> positions, out Completion? bad)) return bad;
        if (UnchangedSince is not null) session.EnableCondstore();
        string? limited = session.Limit(ref positions);
        Result<FlagOutcome> outcome = await session.Store.ChangeFlagsAsync(box.Id, box.UidsOf(positions), Change, UnchangedSince is { } mark ? new(mark, box.View) : null, cancel);
        if (!outcome.IsOk) return Completion.From(outcome.Refusal);
        bool gone = await TellAsync(session, box, positions, outcome.Value, cancel);
        return session.Within(limited,
            outcome.Value.Modified.Count > 0 ? Completion.Ok($"MODIFIED {ModifiedSet(box, outcome.Value.Modified, by)}", "Some messages were changed by others")
            : gone && by == Numbering.Sequence ? Completion.Ok("EXPUNGEISSUED", "Stored, but some of these messages are gone")
            : Completion.Ok("Stored"));
    }

    // Answers as a FETCH of the flags would; with .SILENT only where the outcome is not what this client must expect.
    private async ValueTask<bool> TellAsync(ImapSession session, SelectedMailbox box, List<PositionRange> positions, FlagOutcome outcome, CancellationToken cancel)
    {
        box.TellKeywords(session.Out);
        MailboxVersion now = box.Newest();
        int next = 0;
        bool gone = false;
        foreach (PositionRange range in positions)
        {
            for (int i = range.First; i < range.End; i++)
            {
                MessageRow told = box.View[i];
                int at = now.IndexOf(told.Uid);
                gone |= at < 0;
                while (next < outcome.Changed.Count && outcome.Changed[next] < told.Uid) next++;
                bool changed = next < outcome.Changed.Count && outcome.Changed[next] == told.Uid;
                if (!changed || at < 0) continue;
                MessageRow row = now[at];
                if (!Silent) box.TellFlags(session.Out, session.Mode, i, row);
                else if (!IsExpected(told, row)) continue;
                else if (session.Mode.Condstore && (UnchangedSince is not null || row.ModSeq != told.ModSeq)) TellModSeq(session, i, row);
                box.ToldAhead(row.Uid, row.ModSeq);
                await session.FlushIfLargeAsync(cancel);
            }
        }
        return gone;
    }

    private bool IsExpected(in MessageRow told, in MessageRow row) => Change.Operation switch
    {
        FlagOperation.Replace => row.Flags == Change.Flags && row.Keywords.Equals(Change.Keywords),
        FlagOperation.Add => row.Flags == (told.Flags | Change.Flags) && row.Keywords.Equals(told.Keywords.Union(Change.Keywords)),
        _ => row.Flags == (told.Flags & ~Change.Flags) && row.Keywords.Equals(told.Keywords.Except(Change.Keywords)),
    };

    // RFC 7162 section 3.1.3: the MODSEQ is told even with .SILENT, after UNCHANGEDSINCE also where nothing had to change.
    private static void TellModSeq(ImapSession session, int position, in MessageRow row)
    {
        if (session.Mode.UidOnly) session.Out.Begin(row.Uid.Value, "UIDFETCH (MODSEQ ("u8);
        else
        {
            session.Out.Begin(position + 1, "FETCH (UID "u8);
            session.Out.Number(row.Uid.Value);
            session.Out.Raw(" MODSEQ ("u8);
        }

        session.Out.Number(row.ModSeq.Value);
        session.Out.Raw("))"u8);
        session.Out.End();
    }

    private static string ModifiedSet(SelectedMailbox box, IReadOnlyList<Uid> modified, Numbering by) => NumberSet.Format(
        by == Numbering.Uid ? modified : [.. modified.Select(uid => new Uid((uint)box.View.IndexOf(uid) + 1))]);
}
