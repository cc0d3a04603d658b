using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>SORT and UID SORT (RFC 5256 section 3; DISPLAYFROM and DISPLAYTO of RFC 5957; RETURN of RFC 5267).</summary>
/// <remarks><c>sort = "SORT" [SP "RETURN" SP "(" ... ")"] SP "(" sort-criterion *(SP sort-criterion) ")" SP charset 1*(SP search-key)</c></remarks>
internal sealed record Sort(SearchReturn? Return, SortCriterion[] Criteria, SearchKey Key, SearchTraits Traits) : IImapCommand<Sort>, IReadsMailbox, ISearches
{
    public static Sort Parse(ref ImapReader args)
    {
        args.Space();
        SearchReturn? wanted = SearchReturn.ParseIfAny(ref args);
        SortCriterion[] criteria = ParseCriteria(ref args);
        args.Space();
        string charset = System.Text.Encoding.ASCII.GetString(args.AString());
        args.Space();
        wanted ??= SearchReturn.ParseIfAny(ref args); // before the criteria by RFC 5267 section 5; some clients write it here
        SearchKey key = SearchGrammar.Parse(ref args, charset, out SearchTraits traits);
        wanted?.CheckRelevancy(ref args, traits);
        if (!traits.HasFlag(SearchTraits.Fuzzy) && Array.Exists(criteria, criterion => criterion.By == SortBy.Relevancy)) args.Fail("FUZZY with RELEVANCY"); // RFC 6203 section 6
        return new(wanted, criteria, key, traits);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SelectedMailbox box = session.Selected;
        if (Return?.IsTagTaken(session) == true) return SearchReturn.TagTaken;
        if (Traits.HasFlag(SearchTraits.ModSeq)) session.EnableCondstore();
        SearchRun run = new(session, box, isPart: true);
        List<int> found = await run.FindAsync(Key, cancel);
        List<int> sorted = await InOrderAsync(session, box, run, found, cancel);
        if (Return is not null)
        {
            Return.Write(session, box, sorted, by, Traits.HasFlag(SearchTraits.ModSeq), null);
            Return.Watch(session, by, Key, this, run.UidsOf(sorted));
            if (Return.Has(SearchOptions.Save)) session.SavedResult = run.UidsOf(Return.Saved(sorted));
            return run.Done("Sorted");
        }
        session.Out.Begin("SORT"u8);
        await Search.WriteNumbersAsync(session, box, sorted, by, Traits.HasFlag(SearchTraits.ModSeq), cancel);
        return run.Done("Sorted");
    }

    /// <summary>Positions in the order of the criteria.</summary>
    public async ValueTask<List<int>> InOrderAsync(ImapSession session, SelectedMailbox box, SearchRun run, List<int> found, CancellationToken cancel)
    {
        MailboxVersion version = box.View;
        if (SortOrders.Of(version, Criteria, found) is { } known) return known;
        bool withKeys = Array.Exists(Criteria, c => c.By is not (SortBy.Arrival or SortBy.Size or SortBy.Relevancy));
        SortEntry[] entries = withKeys ? await LoadAsync(session, box, run, found, Key, cancel) : [.. found.Select(position => new SortEntry(position, box.View[position], NoKeys))];
        List<int> sorted = InOrder(entries);
        if (ReferenceEquals(version, box.View)) SortOrders.Keep(version, Criteria, sorted);
        return sorted;
    }

    /// <summary>The messages at positions with what SORT and THREAD compare; those that are gone are left out.</summary>
    /// <param name="session">Whose client.</param>
    /// <param name="box">Where they are.</param>
    /// <param name="run">The search that found them.</param>
    /// <param name="positions">Which.</param>
    /// <param name="key">What was searched: after a search that itself took long, how far all has come is not known.</param>
    /// <param name="cancel">Gives up.</param>
    public static async ValueTask<SortEntry[]> LoadAsync(ImapSession session, SelectedMailbox box, SearchRun run, List<int> positions, SearchKey key, CancellationToken cancel)
    {
        WorkTally? tally = key.Passes == 0 ? new(positions.Count) : null;
        return await LongWork.RunAsync(session, async () =>
        {
            List<SortEntry> entries = new(positions.Count);
            int next = 0;
            await foreach (MessageSummary summary in WholeMessage.SummariesAsync(session, box, run.UidsOf(positions), SummaryFields.SortKeys, run.MetGone, cancel))
            {
                tally?.Step();
                // In the order asked, those that are gone left out.
                while (box.View[positions[next]].Uid != summary.Uid) next++;
                entries.Add(new(positions[next], box.View[positions[next]], summary.Sort ?? NoKeys));
            }

            return entries.ToArray();
        }, cancel, tally);
    }

    private static SortKeys NoKeys { get; } = new(null, "", false, "", "", "", "", "", "", []);

    private static SortCriterion[] ParseCriteria(ref ImapReader args)
    {
        List<SortCriterion> criteria = [];
        args.Take((byte)'(');
        do
        {
            bool reverse = args.TryWord("REVERSE"u8);
            if (reverse) args.Space();
            criteria.Add(new(ParseCriterion(ref args), reverse));
            if (criteria.Count > 50) args.Fail("fewer sort criteria"); // there are ten of them
        }
        while (args.TrySpace());
        args.Take((byte)')');
        return [.. criteria];
    }

    private static SortBy ParseCriterion(ref ImapReader args)
    {
        if (args.TryWord("ARRIVAL"u8)) return SortBy.Arrival;
        if (args.TryWord("CC"u8)) return SortBy.Cc;
        if (args.TryWord("DATE"u8)) return SortBy.Date;
        if (args.TryWord("FROM"u8)) return SortBy.From;
        if (args.TryWord("SIZE"u8)) return SortBy.Size;
        if (args.TryWord("SUBJECT"u8)) return SortBy.Subject;
        if (args.TryWord("TO"u8)) return SortBy.To;
        if (args.TryWord("DISPLAYFROM"u8)) return SortBy.DisplayFrom;
        if (args.TryWord("DISPLAYTO"u8)) return SortBy.DisplayTo;
        if (args.TryWord("RELEVANCY"u8)) return SortBy.Relevancy;
        args.Fail("a sort criterion");
        return SortBy.Arrival;
    }

    // Most pairs are told apart by a number made from the first criterion, without a look at the entries.
    private List<int> InOrder(SortEntry[] entries)
    {
        (ulong First, int Entry)[] order = new (ulong, int)[entries.Length];
        bool reverse = Criteria[0].Reverse;
        for (int i = 0; i < entries.Length; i++)
        {
            ulong first = First(entries[i]);
            order[i] = (reverse ? ~first : first, i);
        }

        order.AsSpan().Sort((left, right) => left.First != right.First ? left.First.CompareTo(right.First) : Compare(entries[left.Entry], entries[right.Entry]));
        List<int> sorted = new(order.Length);
        foreach ((_, int entry) in order) sorted.Add(entries[entry].Position);
        return sorted;
    }

    private ulong First(SortEntry entry) => Criteria[0].By switch
    {
        SortBy.Arrival => Number(entry.Row.Internal),
        SortBy.Size => Number(entry.Row.Size),
        SortBy.Date => Number(entry.SentUtc),
        SortBy.Subject => Beginning(entry.Keys.BaseSubject),
        SortBy.From => Beginning(entry.Keys.From),
        SortBy.To => Beginning(entry.Keys.To),
        SortBy.Cc => Beginning(entry.Keys.Cc),
        SortBy.DisplayFrom => Beginning(entry.Keys.DisplayFrom),
        SortBy.DisplayTo => Beginning(entry.Keys.DisplayTo),
        SortBy.Relevancy => 0,
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static ulong Number(long value) => (ulong)value ^ 1UL << 63;

    // As ordinal comparison sees it: a shorter text stands before one that goes on.
    private static ulong Beginning(string text)
    {
        ulong value = 0;
        for (int i = 0; i < 4; i++) value = value << 16 | (i < text.Length ? text[i] : 0u);
        return value;
    }

    // Equal messages stand in the order of the mailbox, REVERSE or not (RFC 5256 section 3).
    private int Compare(SortEntry left, SortEntry right)
    {
        foreach (SortCriterion criterion in Criteria)
        {
            int order = criterion.By switch
            {
                SortBy.Arrival => left.Row.Internal.CompareTo(right.Row.Internal),
                SortBy.Size => left.Row.Size.CompareTo(right.Row.Size),
                SortBy.Date => left.SentUtc.CompareTo(right.SentUtc),
                SortBy.Subject => string.CompareOrdinal(left.Keys.BaseSubject, right.Keys.BaseSubject),
                SortBy.From => string.CompareOrdinal(left.Keys.From, right.Keys.From),
                SortBy.To => string.CompareOrdinal(left.Keys.To, right.Keys.To),
                SortBy.Cc => string.CompareOrdinal(left.Keys.Cc, right.Keys.Cc),
                SortBy.DisplayFrom => string.CompareOrdinal(left.Keys.DisplayFrom, right.Keys.DisplayFrom),
                SortBy.DisplayTo => string.CompareOrdinal(left.Keys.DisplayTo, right.Keys.DisplayTo),
                SortBy.Relevancy => 0, // all match exactly
                _ => throw new System.Diagnostics.UnreachableException(),
            };
            if (order != 0) return criterion.Reverse ? -order : order;
        }
        return left.Position.CompareTo(right.Position);
    }
}

/// <summary>What messages are sorted by.</summary>
internal enum SortBy
{
    Arrival,
    Cc,
    Date,
    From,
    Size,
    Subject,
    To,
    DisplayFrom,
    DisplayTo,

    /// <summary>RFC 6203 section 6.</summary>
    Relevancy,
}

/// <summary>One criterion.</summary>
internal sealed record SortCriterion(SortBy By, bool Reverse);

/// <summary>A message to be sorted or threaded.</summary>
internal sealed record SortEntry(int Position, MessageRow Row, SortKeys Keys)
{
    /// <summary>The Date header, else when it arrived (RFC 5256 section 2.2).</summary>
    public long SentUtc => Keys.Sent?.ToUnixTimeSeconds() ?? Row.Internal;
}
