using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>One criterion of SEARCH (RFC 9051 section 6.4.4).</summary>
internal abstract record SearchKey
{
    private SearchKey() { }

    /// <summary>The same with sequence numbers and <c>$</c> as the UIDs that they mean now.</summary>
    public SearchKey Frozen(ImapSession session) => this switch
    {
        Numbers { By: Numbering.Sequence } numbers => new Numbers(NumberSet.Of(numbers.Set.IsSavedResult ? session.SavedResult : new SearchRun(session, session.Selected).UidsAt(numbers)), Numbering.Uid),
        Numbers { Set.IsSavedResult: true } => new Numbers(NumberSet.Of(session.SavedResult), Numbering.Uid),
        Not not => new Not(not.Inner.Frozen(session)),
        Or or => new Or([.. or.Keys.Select(key => key.Frozen(session))]),
        And and => new And([.. and.Keys.Select(key => key.Frozen(session))]),
        _ => this,
    };

    /// <summary>How dear it is to ask: cheap ones are asked first and leave less to the others.</summary>
    public virtual int Cost => 0;

    /// <summary>How many of its keys are asked message by message: only of a single one is it known how far the search has come.</summary>
    public int Passes => this switch
    {
        Not not => not.Inner.Passes,
        Or or => or.Keys.Sum(key => key.Passes),
        And and => and.Keys.Sum(key => key.Passes),
        _ => Cost > 0 ? 1 : 0,
    };

    /// <summary>Something that a message's row tells.</summary>
    public sealed record Row(RowTest Test) : SearchKey;

    /// <summary>Sequence numbers or UIDs.</summary>
    public sealed record Numbers(NumberSet Set, Numbering By) : SearchKey;

    /// <summary>The Date header's day (SENTBEFORE, SENTON, SENTSINCE).</summary>
    public sealed record Sent(DayTest Test) : SearchKey
    {
        public override int Cost => 2;
    }

    /// <summary>The day it came into the mailbox (RFC 8514).</summary>
    public sealed record Saved(DayTest Test) : SearchKey
    {
        public override int Cost => 2;
    }

    /// <summary>EMAILID or THREADID (RFC 8474 section 5.4).</summary>
    public sealed record ObjectId(string Value, bool IsThread) : SearchKey
    {
        public override int Cost => 2;
    }

    /// <summary>Text in header or body.</summary>
    public sealed record Text(TextCriterion Criterion) : SearchKey
    {
        public override int Cost => Criterion.Scope == TextScope.Header ? 3 : 4;
    }

    public sealed record Not(SearchKey Inner) : SearchKey
    {
        public override int Cost => Inner.Cost;
    }

    public sealed record Or(IReadOnlyList<SearchKey> Keys) : SearchKey
    {
        public override int Cost => Keys.Max(key => key.Cost);
    }

    public sealed record And(IReadOnlyList<SearchKey> Keys) : SearchKey
    {
        public override int Cost => Keys.Count == 0 ? 0 : Keys.Max(key => key.Cost);
    }
}

/// <summary>A command that searches.</summary>
internal interface ISearches
{
    SearchTraits Traits { get; }
}

/// <summary>A test of a row; <paramref name="recent"/> says whether the message is recent for the session.</summary>
internal delegate bool RowTest(in MessageRow row, bool recent);

/// <summary>Compares days: the comparison's sign must be one of those allowed.</summary>
internal sealed record DayTest(DateOnly Day, bool Before, bool On, bool After)
{
    public bool Holds(DateTimeOffset date)
    {
        // Time and zone do not count (RFC 9051 section 6.4.4): the day as the message itself says it.
        int order = DateOnly.FromDateTime(date.DateTime).CompareTo(Day);
        return order < 0 ? Before : order == 0 ? On : After;
    }
}

/// <summary>Finds the messages that fit, by positions in the client's view.</summary>
/// <param name="session">Whose client.</param>
/// <param name="box">Where.</param>
/// <param name="isPart">The search is a part of more work, of which it is not known how far it has come.</param>
internal sealed class SearchRun(ImapSession session, SelectedMailbox box, bool isPart = false)
{
    private bool _counts;
    private bool _metGone;

    /// <summary>The response code that says which messages were not looked at any more; null when all were (RFC 9738).</summary>
    public string? Limited { get; private set; }

    /// <summary>A message that others have expunged could not be looked at any more: the result lacks it, and the end says so.</summary>
    public void MetGone() => _metGone = true;

    /// <summary>How it ended.</summary>
    public Completion Done(string text) =>
        Limited is not null ? Completion.Ok(Limited, text + " as far as one command goes")
        : _metGone ? Completion.Ok("EXPUNGEISSUED", text + ", but for messages that are gone")
        : Completion.Ok(text);

    /// <summary>All positions that fit, in order.</summary>
    public ValueTask<List<int>> FindAsync(SearchKey key, CancellationToken cancel)
    {
        List<int> all = new(box.Count);
        for (int i = 0; i < box.Count; i++) all.Add(i);
        if (session.Options.MessageLimit is { } most && all.Count > most) all = Limit(key, all, most);
        _counts = !isPart && key.Passes == 1;
        return FilterAsync(key, all, cancel);
    }

    // Numbers in the search say where to look, so they count before the limit does.
    private List<int> Limit(SearchKey key, List<int> all, int most)
    {
        foreach (SearchKey inner in key is SearchKey.And and ? and.Keys : [key])
            if (inner is SearchKey.Numbers numbers) all = Within(all, Resolve(numbers));
        if (all.Count <= most) return all;
        all = all.GetRange(all.Count - most, most);
        Limited = $"MESSAGELIMIT {most} {box.View[all[0]].Uid}";
        return all;
    }

    private async ValueTask<List<int>> FilterAsync(SearchKey key, List<int> candidates, CancellationToken cancel)
    {
        if (candidates.Count == 0) return candidates;
        switch (key)
        {
            case SearchKey.Row row: return candidates.FindAll(i => row.Test(box.Newest(i), box.IsRecent(box.View[i].Uid)));
            case SearchKey.Numbers numbers: return Within(candidates, Resolve(numbers));
            case SearchKey.Sent sent: return await BySummaryAsync(candidates, SummaryFields.SortKeys, s => s.Sort?.Sent is { } date && sent.Test.Holds(date), cancel);
            case SearchKey.Saved saved: return await BySummaryAsync(candidates, SummaryFields.SaveDate, s => saved.Test.Holds(s.SaveDate), cancel);
            case SearchKey.ObjectId id:
                return await BySummaryAsync(candidates, SummaryFields.Ids, s => string.Equals(id.IsThread ? ThreadIdText.Of(s.ThreadId) : s.EmailId.Value, id.Value, StringComparison.Ordinal), cancel);
            case SearchKey.Text text: return await ByTextAsync(candidates, text.Criterion, cancel);
            case SearchKey.Not not: return Without(candidates, await FilterAsync(not.Inner, candidates, cancel));
            case SearchKey.Or or:
                List<int> found = [], rest = candidates;
                foreach (SearchKey inner in or.Keys.OrderBy(k => k.Cost))
                {
                    List<int> some = await FilterAsync(inner, rest, cancel);
                    if (some.Count == 0) continue;
                    (found, rest) = (Merge(found, some), Without(rest, some));
                }

                return found;
            case SearchKey.And and:
                foreach (SearchKey inner in and.Keys.OrderBy(k => k.Cost)) candidates = await FilterAsync(inner, candidates, cancel);
                return candidates;
            default: throw new System.Diagnostics.UnreachableException();
        }
    }

    // Numbers that no message has find nothing; a search is not refused for them.
    private List<PositionRange> Resolve(SearchKey.Numbers numbers)
    {
        // The saved result speaks of the selected mailbox, wherever else is searched (RFC 5182 section 2.1).
        if (numbers.Set.IsSavedResult && !ReferenceEquals(box, session.OpenBox)) return [];
        if (numbers.Set.IsSavedResult || numbers.By == Numbering.Uid)
        {
            box.TryResolve(numbers.Set, Numbering.Uid, session.SavedResult, out List<PositionRange> positions, out _);
            return positions;
        }
        List<PositionRange> found = [];
        foreach (NumberRange range in numbers.Set.Normalise((uint)box.Count))
            if (range.First >= 1 && range.First <= box.Count) found.Add(new((int)range.First - 1, (int)Math.Min(range.Last, (uint)box.Count)));
        return found;
    }

    private async ValueTask<List<int>> BySummaryAsync(List<int> candidates, SummaryFields fields, Func<MessageSummary, bool> test, CancellationToken cancel)
    {
        WorkTally? tally = _counts ? new(candidates.Count) : null;
        return await LongWork.RunAsync(session, async () =>
        {
            List<int> found = [];
            await foreach (MessageSummary summary in WholeMessage.SummariesAsync(session, box, UidsOf(candidates), fields, MetGone, cancel))
            {
                tally?.Step();
                if (test(summary) && box.View.IndexOf(summary.Uid) is >= 0 and int position) found.Add(position);
            }

            return found;
        }, cancel, tally);
    }

    private async ValueTask<List<int>> ByTextAsync(List<int> candidates, TextCriterion criterion, CancellationToken cancel)
    {
        Uid[] among = UidsOf(candidates);
        WorkTally? tally = _counts ? new(among.Length) : null;
        IReadOnlyList<Uid> uids = await LongWork.RunAsync(session, () => session.Store.FindTextAsync(box.Id, among, criterion, cancel, tally), cancel, tally);
        List<int> found = new(uids.Count);
        foreach (Uid uid in uids)
            if (box.View.IndexOf(uid) is >= 0 and int position) found.Add(position);
        return found;
    }

    /// <summary>The UIDs that numbers of a search mean now.</summary>
    public Uid[] UidsAt(SearchKey.Numbers numbers) => box.UidsOf(Resolve(numbers));

    public Uid[] UidsOf(List<int> positions)
    {
        Uid[] uids = new Uid[positions.Count];
        for (int i = 0; i < uids.Length; i++) uids[i] = box.View[positions[i]].Uid;
        return uids;
    }

    private static List<int> Within(List<int> candidates, List<PositionRange> ranges)
    {
        List<int> found = [];
        int r = 0;
        foreach (int candidate in candidates)
        {
            while (r < ranges.Count && ranges[r].End <= candidate) r++;
            if (r == ranges.Count) break;
            if (ranges[r].First <= candidate) found.Add(candidate);
        }
        return found;
    }

    private static List<int> Without(List<int> all, List<int> some)
    {
        List<int> rest = new(all.Count - some.Count);
        int s = 0;
        foreach (int each in all)
        {
            while (s < some.Count && some[s] < each) s++;
            if (s == some.Count || some[s] != each) rest.Add(each);
        }
        return rest;
    }

    private static List<int> Merge(List<int> left, List<int> right)
    {
        List<int> both = new(left.Count + right.Count);
        int l = 0, r = 0;
        while (l < left.Count || r < right.Count)
            both.Add(r == right.Count || l < left.Count && left[l] < right[r] ? left[l++] : right[r++]);
        return both;
    }
}
