using System.Text;
using Posthorn.Core;
using Posthorn.Imap.Commands;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Session;

/// <summary>A search whose client hears of changes to its result.</summary>
internal sealed class SearchContext(string tag, Numbering by, SearchKey key, Sort? order, List<Uid> result)
{
    public string Tag => tag;
    public Numbering By => by;
    public SearchKey Key => key;

    /// <summary>The order of the result; null for that of the mailbox.</summary>
    public Sort? Order => order;

    /// <summary>What the client has, in order.</summary>
    public List<Uid> Result { get; set; } = result;

    /// <summary>What is fetched of messages that arrive and belong to the result (RFC 5465 section 7).</summary>
    public IReadOnlyList<FetchItem> Items { get; init; } = [];

    /// <summary>The mailbox's name, where the answers have one (RFC 7377 section 2.1).</summary>
    public MailboxName? Mailbox { get; init; }
}

/// <summary>The searches with UPDATE in the selected mailbox (RFC 5267 section 4.3).</summary>
internal sealed class SearchContexts
{
    private readonly List<SearchContext> _all = [];

    public bool IsEmpty => _all.Count == 0;

    public bool Has(string tag) => _all.Exists(context => context.Tag == tag);

    public void Remove(string tag) => _all.RemoveAll(context => context.Tag == tag);

    public void Clear() => _all.Clear();

    /// <summary>Takes a search in; false when there are as many as there may be.</summary>
    public bool TryAdd(SearchContext context, int most)
    {
        if (_all.Count >= most) return false;
        _all.Add(context);
        return true;
    }

    /// <summary>What is fetched of which results from a UID on.</summary>
    public List<(IReadOnlyList<FetchItem> Items, HashSet<Uid> Of)> WantedFrom(Uid first) =>
        [.. _all.Where(context => context.Items.Count > 0).Select(context => (context.Items, context.Result.Where(uid => uid >= first).ToHashSet()))];

    /// <summary>Says which results are expunged, while their numbers still hold.</summary>
    public void TellExpunged(ImapSession session, MailboxVersion view, IReadOnlyList<Uid> expunged)
    {
        HashSet<Uid> gone = [.. expunged];
        foreach (SearchContext context in _all)
        {
            List<Uid> kept = [.. context.Result.Where(uid => !gone.Contains(uid))];
            if (kept.Count < context.Result.Count) Tell(session, view, context, kept);
        }
    }

    /// <summary>Searches anew and says what came to the results and what left them.</summary>
    public async ValueTask TellAsync(ImapSession session, SelectedMailbox box, CancellationToken cancel)
    {
        foreach (SearchContext context in _all)
        {
            SearchRun run = new(session, box, isPart: true);
            List<int> found = await run.FindAsync(context.Key, cancel);
            if (context.Order is not null) found = await context.Order.InOrderAsync(session, box, run, found, cancel);
            List<Uid> now = [.. run.UidsOf(found)];
            if (!now.SequenceEqual(context.Result)) Tell(session, box.View, context, now);
        }
    }

    private static void Tell(ImapSession session, MailboxVersion view, SearchContext context, List<Uid> now)
    {
        HashSet<Uid> after = [.. now], before = [.. context.Result];
        // What stays but stands elsewhere leaves and comes back: sorted results alone can do that.
        HashSet<Uid> moved = context.Order is null ? [] : Moved([.. context.Result.Where(after.Contains)], [.. now.Where(before.Contains)]);
        List<(int Position, Uid Uid)> removed = [], added = [];
        for (int i = context.Result.Count - 1; i >= 0; i--)
            if (!after.Contains(context.Result[i]) || moved.Contains(context.Result[i])) removed.Add((i + 1, context.Result[i]));
        for (int i = 0; i < now.Count; i++)
            if (!before.Contains(now[i]) || moved.Contains(now[i])) added.Add((i + 1, now[i]));
        context.Result = now;
        if (removed.Count == 0 && added.Count == 0) return;
        ImapOutput output = session.Out;
        output.Begin("ESEARCH (TAG "u8);
        output.String(Encoding.ASCII.GetBytes(context.Tag));
        if (context.Mailbox is { } name)
        {
            output.Raw(" MAILBOX "u8);
            output.Mailbox(name.Value);
            output.Raw($" UIDVALIDITY {view.Validity}");
        }

        output.Raw(")"u8);
        // Searches from before ENABLE UIDONLY go on with UIDs (RFC 9586).
        bool uids = context.By == Numbering.Uid || session.Mode.UidOnly;
        if (uids) output.Raw(" UID"u8);
        Uid Name(Uid uid) => uids ? uid : new((uint)view.IndexOf(uid) + 1);
        Write(output, Name, context, " REMOVEFROM (", removed);
        Write(output, Name, context, " ADDTO (", added);
        output.End();
    }

    // Without an order of its own a result stands in that of the mailbox, and position 0 says so.
    private static void Write(ImapOutput output, Func<Uid, Uid> name, SearchContext context, string word, List<(int Position, Uid Uid)> items)
    {
        if (items.Count == 0) return;
        output.Raw(word);
        if (context.Order is null) output.Raw($"0 {NumberSet.Format([.. items.Select(item => item.Uid).Order().Select(name)])}");
        else output.Raw(string.Join(' ', items.Select(item => $"{item.Position} {name(item.Uid)}")));
        output.Raw(")"u8);
    }

    private static HashSet<Uid> Moved(List<Uid> before, List<Uid> after)
    {
        HashSet<Uid> moved = [];
        int a = 0;
        foreach (Uid uid in before)
        {
            while (a < after.Count && moved.Contains(after[a])) a++;
            if (a < after.Count && after[a] == uid) a++;
            else moved.Add(uid);
        }

        return moved;
    }
}
