using System.Diagnostics.CodeAnalysis;
using Posthorn.Core;
using Posthorn.Imap.Commands;
using Posthorn.Imap.Wire;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Session;

/// <summary>Positions <see cref="First"/> up to and without <see cref="End"/>, from 0.</summary>
internal readonly record struct PositionRange(int First, int End);

/// <summary>The selected mailbox as its client has been told of it. Positions (sequence numbers less one) always count this view.</summary>
/// <remarks>
/// The view is a version of the store, or, while expunges may not be told, the newest version with the expunged rows put back.
/// So every sequence number means what the client believes it to mean, and comparing view and current version gives all that is untold.
/// </remarks>
internal sealed class SelectedMailbox : IAsyncDisposable
{
    private readonly IMailbox _box;
    private readonly List<(Uid Uid, ModSeq ModSeq)> _toldAhead = [];
    private readonly HashSet<Uid> _own = [];
    private readonly List<(Uid First, Uid Next)> _recent = [];
    private MailboxVersion _view;
    private MailboxVersion _compared;
    private KeywordSet _toldKeywords;
    private int _toldRecent;
    private ModSeq _safe;
    private MailboxRights _toldRights;

    public SelectedMailbox(IMailbox box, bool isReadOnly)
    {
        _box = box;
        IsReadOnly = isReadOnly;
        _view = _compared = box.Current;
        if (box.FirstRecent < box.FirstNew) _recent.Add((box.FirstRecent, box.FirstNew));
        ClaimRecent(box.FirstNew);
        _toldKeywords = _view.Keywords;
        _toldRecent = RecentCount;
        _safe = _view.HighestModSeq;
        _toldRights = Rights;
    }

    public MailboxId Id => _box.Info.Id ?? throw new InvalidOperationException("An open mailbox has an id.");
    public MailboxInfo Info => _box.Info;
    public bool IsReadOnly { get; }

    /// <summary>What the user may do with it now.</summary>
    public MailboxRights Rights => _box.Info.Rights;

    /// <summary>False once somebody has deleted it.</summary>
    public bool Exists => _box.Exists;

    /// <summary>Whether it is not gone, but must be selected again.</summary>
    public bool IsReplaced => _box.IsReplaced;

    /// <summary>What the client knows.</summary>
    public MailboxVersion View => _view;

    public int Count => _view.Count;

    /// <summary>There is something to tell.</summary>
    public bool HasNews => !ReferenceEquals(_compared, _box.Current) || !_box.Exists;

    /// <summary>Expunges that the client has not been told of.</summary>
    public bool HoldsExpunges { get; private set; }

    /// <summary>Messages that are <c>\Recent</c> for this session (RFC 3501 section 2.3.2).</summary>
    public int RecentCount
    {
        get
        {
            int count = 0;
            foreach ((Uid first, Uid next) in _recent) count += PositionAtOrAfter(next) - PositionAtOrAfter(first);
            return count;
        }
    }

    public bool IsRecent(Uid uid)
    {
        for (int i = _recent.Count - 1; i >= 0; i--)
            if (uid >= _recent[i].First) return uid < _recent[i].Next;
        return false;
    }

    /// <summary>The newest state of the message at a position: what another session has done and this client has not heard is in it already.</summary>
    public MessageRow Newest(int position)
    {
        MessageRow told = _view[position];
        MailboxVersion current = _box.Current;
        if (ReferenceEquals(current, _compared) && !HoldsExpunges) return told;
        int at = current.IndexOf(told.Uid);
        return at >= 0 ? current[at] : told;
    }

    /// <summary>Whether these messages are all there still.</summary>
    public bool HasAll(Uid[] uids) => ReferenceEquals(_box.Current, _compared) && !HoldsExpunges || Array.TrueForAll(uids, uid => _box.Current.IndexOf(uid) >= 0);

    /// <summary>The newest state of all messages.</summary>
    public MailboxVersion Newest() => _box.Current;

    /// <summary>The first position whose UID is at least this.</summary>
    public int PositionAtOrAfter(Uid uid)
    {
        int at = _view.IndexOf(uid);
        return at >= 0 ? at : ~at;
    }

    /// <summary>The positions that a set names, in order. Sequence numbers that do not exist are the client's error; UIDs that do not are passed over.</summary>
    public bool TryResolve(NumberSet set, Numbering by, IReadOnlyList<Uid> saved, out List<PositionRange> positions, [NotNullWhen(false)] out Completion? bad)
    {
        bad = null;
        positions = [];
        if (set.IsSavedResult) positions = PositionsOf(saved);
        else if (by == Numbering.Uid) positions = FromUids(set);
        else if (set.LargestNamed > Count || Count == 0) bad = Completion.Bad($"There are only {Count} messages");
        else foreach (NumberRange range in set.Normalise((uint)Count)) positions.Add(new((int)range.First - 1, (int)range.Last));
        return bad is null;
    }

    /// <summary>The positions of UIDs that still stand in the view; the UIDs are in order.</summary>
    public List<PositionRange> PositionsOf(IReadOnlyList<Uid> uids)
    {
        List<PositionRange> positions = [];
        foreach (Uid uid in uids)
        {
            int at = _view.IndexOf(uid);
            if (at < 0) continue;
            if (positions.Count > 0 && positions[^1].End == at) positions[^1] = positions[^1] with { End = at + 1 };
            else positions.Add(new(at, at + 1));
        }
        return positions;
    }

    public Uid[] UidsOf(List<PositionRange> positions)
    {
        Uid[] uids = new Uid[CountOf(positions)];
        int next = 0;
        foreach (PositionRange range in positions)
            for (int i = range.First; i < range.End; i++) uids[next++] = _view[i].Uid;
        return uids;
    }

    public static int CountOf(List<PositionRange> positions)
    {
        int count = 0;
        foreach (PositionRange range in positions) count += range.End - range.First;
        return count;
    }

    /// <summary>The last so many positions.</summary>
    public static List<PositionRange> Last(List<PositionRange> positions, int count)
    {
        List<PositionRange> last = [];
        for (int i = positions.Count - 1; i >= 0 && count > 0; i--)
        {
            int first = Math.Max(positions[i].First, positions[i].End - count);
            last.Insert(0, positions[i] with { First = first });
            count -= positions[i].End - first;
        }

        return last;
    }

    /// <summary>The client has been told these flags (or wants no word of them): they are no news. In UID order within a command.</summary>
    public void ToldAhead(Uid uid, ModSeq modSeq) => _toldAhead.Add((uid, modSeq));

    /// <summary>A command is over whose news is not told.</summary>
    public void ForgetToldAhead() => _toldAhead.Clear();

    /// <summary>The client has put these messages here itself: nothing of them is fetched for it unasked (RFC 5465 section 5.2).</summary>
    public void OwnMessages(IReadOnlyList<Uid> uids) => _own.UnionWith(uids);

    /// <summary>Tells the client what has happened since it was told last (RFC 9051 sections 7.4.1, 7.5.1, 7.5.2).</summary>
    /// <param name="session">Whose client; much news goes out in pieces.</param>
    /// <param name="mayExpunge">Whether sequence numbers may change now.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask TellAsync(ImapSession session, bool mayExpunge, CancellationToken cancel)
    {
        (ImapOutput output, ClientMode mode) = (session.Out, session.Mode);
        if (Rights != _toldRights) FlagLines(output); // RFC 4314 section 5.1.1
        MailboxVersion newest = _box.Current;
        if (ReferenceEquals(newest, _compared) && (!HoldsExpunges || !mayExpunge))
        {
            _toldAhead.Clear();
            if (HoldsExpunges && mode.Condstore) TellHighest(output, _safe);
            return;
        }
        bool held = HoldsExpunges;
        int known = _view.Count;
        Uid firstNew = _view.UidNext;
        VersionDifference news = newest.Since(_view);
        MailboxVersion current = newest;
        if (known - news.Expunged.Count != news.FirstNew)
        {
            current = WithoutReturned(newest);
            news = current.Since(_view);
        }
        if (news.Expunged.Count > 0 && mayExpunge)
        {
            await TellExpungedAsync(session, news.Expunged, cancel);
            known -= news.Expunged.Count;
        }
        HoldsExpunges = news.Expunged.Count > 0 && !mayExpunge;
        _view = HoldsExpunges ? WithGhosts(current, news.Expunged) : current;
        _compared = newest;
        ClaimRecent(firstNew);
        TellKeywords(output, current);
        if (_view.Count != known) output.Numbered(_view.Count, "EXISTS"u8);
        TellRecent(output, mode);
        if (session.Notifications?.SelectedEvents.HasFlag(NotifyEvents.FlagChange) != false) await TellChangedAsync(session, current, news, cancel);
        if (!session.Contexts.IsEmpty) await session.Contexts.TellAsync(session, this, cancel);
        if (_view.Count > known) await FetchNewAsync(session, known, cancel);
        _toldAhead.Clear(); // the flags of what was fetched just now stand in this view
        _own.RemoveWhere(uid => uid < _view.UidNext);
        if (!HoldsExpunges) _safe = newest.HighestModSeq;
        if (mode.Condstore && (HoldsExpunges || held)) TellHighest(output, _safe);
    }

    // What NOTIFY and searches with UPDATE want of messages that have come goes out in one response for each, behind what came to the results (RFC 5465 section 5.2).
    private async ValueTask FetchNewAsync(ImapSession session, int known, CancellationToken cancel)
    {
        IReadOnlyList<FetchItem> always = session.Notifications?.NewItems ?? [];
        List<(IReadOnlyList<FetchItem> Items, HashSet<Uid> Of)> searches = session.Contexts.WantedFrom(_view[known].Uid);
        if (always.Count == 0 && searches.Count == 0) return;
        List<FetchItem> items = [];
        int first = known;
        for (int i = known; i <= _view.Count; i++)
        {
            List<FetchItem> wanted = i < _view.Count ? WantedOf(_view[i].Uid) : [];
            if (i < _view.Count && wanted.SequenceEqual(items)) continue;
            if (items.Count > 0) await new FetchWriter(session, this, items).WriteAsync([new(first, i)], cancel);
            (first, items) = (i, wanted);
        }

        List<FetchItem> WantedOf(Uid uid) => _own.Contains(uid) ? [] : [.. always.Union(searches.Where(search => search.Of.Contains(uid)).SelectMany(search => search.Items))];
    }

    // A client that lost its connection now and came back with a higher value would never hear of the held expunges (RFC 7162 section 3.2).
    private static void TellHighest(ImapOutput output, ModSeq safe) => output.UntaggedOk($"HIGHESTMODSEQ {safe}", "All up to here is told");

    public ValueTask WaitForNewsAsync(CancellationToken cancel) => _box.WaitForChangeAsync(_compared, cancel);

    public ValueTask DisposeAsync() => _box.DisposeAsync();

    private List<PositionRange> FromUids(NumberSet set)
    {
        List<PositionRange> positions = [];
        if (Count == 0) return positions;
        foreach (NumberRange range in set.Normalise(_view[Count - 1].Uid.Value))
        {
            int first = PositionAtOrAfter(new(range.First));
            int last = _view.IndexOf(new Uid(range.Last));
            int end = last >= 0 ? last + 1 : ~last;
            if (first >= end) continue;
            if (positions.Count > 0 && positions[^1].End >= first) positions[^1] = positions[^1] with { End = end };
            else positions.Add(new(first, end));
        }
        return positions;
    }

    // A message that was told as expunged and came back under its UID (somebody moved its file away and back) would stand in the middle
    // of the view, which no response can tell: this session sees it when it selects the mailbox anew.
    private MailboxVersion WithoutReturned(MailboxVersion newest)
    {
        Uid last = _view.Count > 0 ? _view[_view.Count - 1].Uid : default;
        List<Uid> returned = [];
        foreach (ReadOnlyMemory<MessageRow> chunk in newest.Chunks)
        {
            foreach (ref readonly MessageRow row in chunk.Span)
                if (row.Uid <= last && !_view.Contains(row.Uid)) returned.Add(row.Uid);
        }
        return newest.With([], returned, newest.UidNext, newest.HighestModSeq, newest.Keywords);
    }

    private MailboxVersion WithGhosts(MailboxVersion current, IReadOnlyList<Uid> expunged)
    {
        MessageRow[] ghosts = new MessageRow[expunged.Count];
        for (int i = 0; i < ghosts.Length; i++) ghosts[i] = _view[_view.IndexOf(expunged[i])];
        return current.With(ghosts, [], current.UidNext, current.HighestModSeq, current.Keywords);
    }

    private async ValueTask TellExpungedAsync(ImapSession session, IReadOnlyList<Uid> expunged, CancellationToken cancel)
    {
        ImapOutput output = session.Out;
        session.Contexts.TellExpunged(session, _view, expunged);
        if (session.Mode.TellsVanished)
        {
            output.Begin("VANISHED "u8);
            output.Raw(NumberSet.Format(expunged));
            output.End();
            return;
        }
        // Each number is told as it is after the ones before it; from the end no number shifts another.
        for (int i = expunged.Count - 1; i >= 0; i--)
        {
            output.Numbered(_view.IndexOf(expunged[i]) + 1, "EXPUNGE"u8);
            await session.FlushIfLargeAsync(cancel);
        }
    }

    /// <summary>Names keywords that a response may tell next and this client has not heard of (RFC 9051 section 7.3.5). Not within a response.</summary>
    public void TellKeywords(ImapOutput output) => TellKeywords(output, _box.Current);

    private void TellKeywords(ImapOutput output, MailboxVersion current)
    {
        if (current.Keywords.Equals(_toldKeywords)) return;
        _toldKeywords = current.Keywords;
        FlagLines(output);
    }

    /// <summary>FLAGS and PERMANENTFLAGS (RFC 9051 sections 7.3.5 and 7.1).</summary>
    public void FlagLines(ImapOutput output)
    {
        const SystemFlags All = SystemFlags.Answered | SystemFlags.Flagged | SystemFlags.Deleted | SystemFlags.Seen | SystemFlags.Draft;
        _toldRights = Rights;
        output.Begin("FLAGS "u8);
        output.Flags(All, _toldKeywords, false);
        output.End();
        output.Begin("OK [PERMANENTFLAGS "u8);
        if (IsReadOnly) output.Raw("()] No flags can be changed"u8);
        else
        {
            bool keywords = FlagRights.Keywords(_toldRights);
            output.FlagWords(FlagRights.Flags(_toldRights), keywords ? _toldKeywords : KeywordSet.Empty, keywords && _box.TakesKeywords ? "\\*"u8 : default);
            output.Raw("] Flags that last"u8);
        }
        output.End();
    }

    // What has come into the view from this UID on is recent for the first session that is told of it.
    private void ClaimRecent(Uid from)
    {
        Uid next = _view.UidNext;
        if (from >= next) return;
        Uid first = _box.ClaimRecent(from, next);
        if (first >= next) return;
        if (_recent.Count > 0 && _recent[^1].Next == first) _recent[^1] = (_recent[^1].First, next);
        else _recent.Add((first, next));
    }

    private void TellRecent(ImapOutput output, ClientMode mode)
    {
        int recent = RecentCount;
        if (recent == _toldRecent) return;
        _toldRecent = recent;
        if (!mode.Rev2) output.Numbered(recent, "RECENT"u8);
    }

    private async ValueTask TellChangedAsync(ImapSession session, MailboxVersion current, VersionDifference news, CancellationToken cancel)
    {
        int ahead = 0;
        foreach (int changed in news.Changed)
        {
            MessageRow row = current[changed];
            while (ahead < _toldAhead.Count && _toldAhead[ahead].Uid < row.Uid) ahead++;
            if (ahead < _toldAhead.Count && _toldAhead[ahead].Uid == row.Uid && _toldAhead[ahead].ModSeq >= row.ModSeq) continue;
            int at = HoldsExpunges ? _view.IndexOf(row.Uid) : changed;
            TellFlags(session.Out, session.Mode, at, row);
            await session.FlushIfLargeAsync(cancel);
        }
    }

    /// <summary>One FETCH with the flags of a message: always with its UID, and with its MODSEQ for those who know it (RFC 7162 section 3.2.4).</summary>
    public void TellFlags(ImapOutput output, ClientMode mode, int position, in MessageRow row)
    {
        if (mode.UidOnly) output.Begin(row.Uid.Value, "UIDFETCH (FLAGS "u8);
        else
        {
            output.Begin(position + 1, "FETCH (UID "u8);
            output.Number(row.Uid.Value);
            output.Raw(" FLAGS "u8);
        }

        output.Flags(row.Flags, row.Keywords, !mode.Rev2 && IsRecent(row.Uid));
        if (mode.Condstore)
        {
            output.Raw(" MODSEQ ("u8);
            output.Number(row.ModSeq.Value);
            output.Raw(")"u8);
        }
        output.Raw(")"u8);
        output.End();
    }
}
