using System.Text;
using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>SEARCH and UID SEARCH (RFC 9051 section 6.4.4; RETURN of RFC 4731, SAVE of RFC 5182, PARTIAL of RFC 9394).</summary>
/// <remarks><c>search = "SEARCH" [SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"] [SP "CHARSET" SP astring] 1*(SP search-key)</c></remarks>
internal sealed record Search(SearchReturn? Return, SearchKey Key, SearchTraits Traits) : IImapCommand<Search>, IReadsMailbox, ISearches
{
    public static Search Parse(ref ImapReader args)
    {
        args.Space();
        SearchReturn? wanted = SearchReturn.ParseIfAny(ref args);
        SearchKey key = SearchGrammar.ParseProgram(ref args, out SearchTraits traits);
        wanted?.CheckRelevancy(ref args, traits);
        return new(wanted, key, traits);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SelectedMailbox box = session.Selected;
        if (Return?.IsTagTaken(session) == true) return SearchReturn.TagTaken;
        if (Traits.HasFlag(SearchTraits.ModSeq)) session.EnableCondstore();
        SearchRun run = new(session, box);
        List<int> found = await run.FindAsync(Key, cancel);
        SearchReturn? wanted = Return ?? (session.Mode.Rev2 ? SearchReturn.All : null);
        if (wanted is null)
        {
            session.Out.Begin("SEARCH"u8);
            await WriteNumbersAsync(session, box, found, by, Traits.HasFlag(SearchTraits.ModSeq), cancel);
        }
        else wanted.Write(session, box, found, by, Traits.HasFlag(SearchTraits.ModSeq), null);
        wanted?.Watch(session, by, Key, null, run.UidsOf(found));
        if (wanted?.Has(SearchOptions.Save) == true) session.SavedResult = run.UidsOf(wanted.Saved(found));
        return run.Done("Searched");
    }

    /// <summary>The rest of an untagged SEARCH or SORT, with the highest MODSEQ where the search names one (RFC 7162 sections 3.1.5 and 3.1.9).</summary>
    public static async ValueTask WriteNumbersAsync(ImapSession session, SelectedMailbox box, List<int> found, Numbering by, bool modSeq, CancellationToken cancel)
    {
        foreach (int position in found)
        {
            session.Out.Raw(" "u8);
            session.Out.Number(by == Numbering.Uid ? box.View[position].Uid.Value : position + 1);
            await session.FlushIfLargeAsync(cancel);
        }
        if (modSeq && found.Count > 0)
        {
            session.Out.Raw(" (MODSEQ "u8);
            session.Out.Number(found.Max(position => box.Newest(position).ModSeq.Value));
            session.Out.Raw(")"u8);
        }
        session.Out.End();
    }
}

/// <summary>What ESEARCH is to tell.</summary>
[Flags]
internal enum SearchOptions
{
    None = 0,
    Min = 1,
    Max = 2,
    All = 4,
    Count = 8,
    Save = 16,
    Partial = 32,

    /// <summary>The client hears of changes.</summary>
    Update = 64,

    /// <summary>The client will ask again.</summary>
    Context = 128,

    /// <summary>The relevancy of each message (RFC 6203 section 4).</summary>
    Relevancy = 256,
}

/// <summary>RETURN of SEARCH and SORT (RFC 4731, RFC 5267).</summary>
internal sealed record SearchReturn(SearchOptions Options, PartialRange? Partial)
{
    /// <summary>What SEARCH means for clients of IMAP4rev2 (RFC 9051 section 6.4.4).</summary>
    public static SearchReturn All { get; } = new(SearchOptions.All, null);

    /// <summary>What is fetched of messages that arrive and belong to the watched result (RFC 5465 section 7).</summary>
    public IReadOnlyList<FetchItem> UpdateItems { get; init; } = [];

    private const SearchOptions Data = SearchOptions.Min | SearchOptions.Max | SearchOptions.All | SearchOptions.Count | SearchOptions.Partial | SearchOptions.Save;

    // UPDATE and CONTEXT ask for no data: alone they leave the default, which is ALL (RFC 4731 section 3.1).
    private bool IsAll => Has(SearchOptions.All) || (Options & Data) == SearchOptions.None;

    public bool Has(SearchOptions option) => (Options & option) != 0;

    /// <summary><c>["RETURN" SP "(" ... ")" SP]</c>; null when it is not there.</summary>
    public static SearchReturn? ParseIfAny(ref ImapReader args)
    {
        if (!args.TryWord("RETURN"u8)) return null;
        args.Space();
        SearchReturn wanted = Parse(ref args);
        args.Space();
        return wanted;
    }

    private static SearchReturn Parse(ref ImapReader args)
    {
        SearchOptions options = SearchOptions.None;
        PartialRange? partial = null;
        List<FetchItem> items = [];
        args.Take((byte)'(');
        if (args.TryTake((byte)')')) return All;
        do
        {
            if (args.TryWord("MIN"u8)) options |= SearchOptions.Min;
            else if (args.TryWord("MAX"u8)) options |= SearchOptions.Max;
            else if (args.TryWord("ALL"u8)) options |= SearchOptions.All;
            else if (args.TryWord("COUNT"u8)) options |= SearchOptions.Count;
            else if (args.TryWord("RELEVANCY"u8)) options |= SearchOptions.Relevancy;
            else if (args.TryWord("SAVE"u8)) options |= SearchOptions.Save;
            else if (args.TryWord("UPDATE"u8))
            {
                options |= SearchOptions.Update;
                // The grammar has no space before the list, the example has one (RFC 5465 sections 7 and 8).
                if (args.Next == ' ' && args.Second == '(') args.Space();
                if (args.Next == '(') items.AddRange(FetchItems.ParseUnasked(ref args));
            }
            else if (args.TryWord("CONTEXT"u8)) options |= SearchOptions.Context; // searches are quick here without that hint (RFC 5267 section 4.2)
            else if (args.TryWord("PARTIAL"u8))
            {
                if (partial is not null) args.Fail("one PARTIAL"); // RFC 9394 section 3.1
                options |= SearchOptions.Partial;
                partial = PartialRange.Parse(ref args);
            }
            else args.Fail("a return option");
        }
        while (args.TrySpace());
        args.Take((byte)')');
        // RFC 9394 section 3.1: a window and the whole exclude each other.
        if ((options & (SearchOptions.All | SearchOptions.Partial)) == (SearchOptions.All | SearchOptions.Partial)) args.Fail("ALL or PARTIAL, not both");
        return new(options, partial) { UpdateItems = items };
    }

    /// <summary>A search under this tag is being watched already (RFC 5267 section 4.3).</summary>
    public static Completion TagTaken { get; } = Completion.Bad("Tag reuse");

    public bool IsTagTaken(ImapSession session) => Has(SearchOptions.Update) && session.Contexts.Has(Encoding.ASCII.GetString(session.Tag));

    /// <summary>With UPDATE: from here on the client hears of changes to the result. Comes before what SAVE saves, since <c>$</c> in the search is what it was.</summary>
    public void Watch(ImapSession session, Numbering by, SearchKey key, Sort? order, IReadOnlyList<Uid> result, MailboxName? mailbox = null)
    {
        if (!Has(SearchOptions.Update)) return;
        string tag = Encoding.ASCII.GetString(session.Tag);
        // Numbers mean the messages that they named when the command came (RFC 5267 section 4.3).
        SearchContext context = new(tag, by, key.Frozen(session), order, [.. result]) { Items = UpdateItems, Mailbox = mailbox };
        if (session.Contexts.TryAdd(context, session.Options.MaxContexts)) return;
        session.Out.UntaggedNo($"NOUPDATE \"{tag}\"", "Too many contexts");
    }

    /// <summary>The positions that <c>$</c> stands for afterwards: with MIN, MAX or PARTIAL and neither ALL nor COUNT only what those tell (RFC 5182 section 2.1, RFC 9394 section 3.2).</summary>
    public List<int> Saved(List<int> found)
    {
        if (found.Count == 0) return found;
        if (!Has(SearchOptions.Min | SearchOptions.Max | SearchOptions.Partial) || Has(SearchOptions.All | SearchOptions.Count)) return [.. found.Order()];
        SortedSet<int> saved = [.. Partial?.Of(found) ?? []];
        if (Has(SearchOptions.Min)) saved.Add(found[0]);
        if (Has(SearchOptions.Max)) saved.Add(found[^1]);
        return [.. saved];
    }

    /// <summary>RELEVANCY must not be used unless a FUZZY key is given (RFC 6203 section 4).</summary>
    public void CheckRelevancy(ref ImapReader args, SearchTraits traits)
    {
        if (Has(SearchOptions.Relevancy) && !traits.HasFlag(SearchTraits.Fuzzy)) args.Fail("FUZZY with RELEVANCY");
    }

    /// <summary>Writes ESEARCH. The order of <paramref name="found"/> is that of the answer; MIN and MAX are its ends (RFC 5267 section 3).</summary>
    /// <param name="session">Whose client.</param>
    /// <param name="box">Where it was searched.</param>
    /// <param name="found">The positions.</param>
    /// <param name="by">How messages are named.</param>
    /// <param name="modSeq">The highest MODSEQ is told too.</param>
    /// <param name="mailbox">The mailbox's name, where several are searched (RFC 7377).</param>
    public void Write(ImapSession session, SelectedMailbox box, List<int> found, Numbering by, bool modSeq, MailboxName? mailbox)
    {
        if (Options == SearchOptions.Save) return; // RFC 5182 section 2.1: nothing is told but OK
        ImapOutput output = session.Out;
        uint Name(int position) => by == Numbering.Uid ? box.View[position].Uid.Value : (uint)position + 1;
        output.Begin("ESEARCH (TAG "u8);
        output.String(session.Tag); // quoted, as the new Outlook needs it (trap 29)
        if (mailbox is { } name)
        {
            output.Raw(" MAILBOX "u8);
            output.Mailbox(name.Value);
            output.Raw($" UIDVALIDITY {box.View.Validity}");
        }

        output.Raw(")"u8);
        if (by == Numbering.Uid) output.Raw(" UID"u8);
        if (found.Count > 0 && Has(SearchOptions.Min)) output.Raw($" MIN {Name(found[0])}");
        if (found.Count > 0 && Has(SearchOptions.Max)) output.Raw($" MAX {Name(found[^1])}");
        if (Has(SearchOptions.Count)) output.Raw($" COUNT {found.Count}");
        if (found.Count > 0 && IsAll) output.Raw($" ALL {Format(found, Name)}");
        List<int>? window = Partial?.Of(found);
        if (window is not null) output.Raw($" PARTIAL ({Partial} {(window.Count == 0 ? "NIL" : Format(window, Name))})");
        List<int> told = IsAll || Has(SearchOptions.Count | SearchOptions.Partial) ? found : Saved(found);
        if (modSeq && told.Count > 0) output.Raw($" MODSEQ {told.Max(position => box.Newest(position).ModSeq.Value)}");
        if (Has(SearchOptions.Relevancy)) WriteRelevancy(output, IsAll ? found.Count : (window ?? told).Count);
        output.End();
    }

    // What matches here matches exactly, each message as well as the other.
    private static void WriteRelevancy(ImapOutput output, int count)
    {
        output.Raw(" RELEVANCY ("u8);
        for (int i = 0; i < count; i++) output.Raw(i == 0 ? "100"u8 : " 100"u8);
        output.Raw(")"u8);
    }

    private static string Format(List<int> positions, Func<int, uint> name) => NumberSet.Format([.. positions.Select(position => new Uid(name(position)))]);
}
