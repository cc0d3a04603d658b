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

    /// <summary>Says which results are expunged, while their numbers still hold.</summary>
    public void TellExpunged(ImapOutput output, MailboxVersion view, IReadOnlyList<Uid> expunged)
    {
        HashSet<Uid> gone = [.. expunged];
        foreach (SearchContext context in _all)
        {
            List<Uid> kept = [.. context.Result.Where(uid => !gone.Contains(uid))];
            if (kept.Count < context.Result.Count) Tell(output, view, context, kept);
        }
    }

    /// <summary>Searches anew and says what came to the results and what left them.</summary>
    public async ValueTask TellAsync(ImapSession session, SelectedMailbox box, CancellationToken cancel)
    {
        foreach (SearchContext context in _all)
        {
            SearchRun run = new(session, box);
            List<int> found = await run.FindAsync(context.Key, cancel);
            if (context.Order is not null) found = await context.Order.InOrderAsync(session, box, run, found, cancel);
            List<Uid> now = [.. run.UidsOf(found)];
            if (!now.SequenceEqual(context.Result)) Tell(session.Out, box.View, context, now);
        }
    }

    private static void Tell(ImapOutput output, MailboxVersion view, SearchContext context, List<Uid> now)
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
        output.Begin("ESEARCH (TAG "u8);
        output.String(Encoding.ASCII.GetBytes(context.Tag));
        output.Raw(")"u8);
        if (context.By == Numbering.Uid) output.Raw(" UID"u8);
        Write(output, view, context, " REMOVEFROM (", removed);
        Write(output, view, context, " ADDTO (", added);
        output.End();
    }

    // Without an order of its own a result stands in that of the mailbox, and position 0 says so.
    private static void Write(ImapOutput output, MailboxVersion view, SearchContext context, string word, List<(int Position, Uid Uid)> items)
    {
        if (items.Count == 0) return;
        output.Raw(word);
        Uid Name(Uid uid) => context.By == Numbering.Uid ? uid : new((uint)view.IndexOf(uid) + 1);
        if (context.Order is null) output.Raw($"0 {NumberSet.Format([.. items.Select(item => item.Uid).Order().Select(Name)])}");
        else output.Raw(string.Join(' ', items.Select(item => $"{item.Position} {Name(item.Uid)}")));
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
