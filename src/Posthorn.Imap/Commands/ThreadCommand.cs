using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;

namespace Posthorn.Imap.Commands;

/// <summary>THREAD and UID THREAD (RFC 5256 section 3).</summary>
/// <remarks><c>thread = "THREAD" SP thread-alg SP charset 1*(SP search-key)</c></remarks>
internal sealed record ThreadCommand(bool ByReferences, SearchKey Key) : IImapCommand<ThreadCommand>, IReadsMailbox
{
    public static ThreadCommand Parse(ref ImapReader args)
    {
        args.Space();
        bool references = args.TryWord("REFERENCES"u8);
        if (!references && !args.TryWord("ORDEREDSUBJECT"u8)) args.Fail("REFERENCES or ORDEREDSUBJECT");
        args.Space();
        string charset = System.Text.Encoding.ASCII.GetString(args.AString());
        args.Space();
        return new(references, SearchGrammar.Parse(ref args, charset, out _));
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SelectedMailbox box = session.Selected;
        SearchRun run = new(session, box, isPart: true);
        List<int> found = await run.FindAsync(Key, cancel);
        SortEntry[] entries = await Sort.LoadAsync(session, box, run, found, Key, cancel);
        List<ThreadNode> roots = ByReferences ? new ReferenceThreads(entries).Build() : BySubject(entries);
        session.Out.Begin("THREAD"u8);
        if (roots.Count > 0) session.Out.Raw(" "u8);
        foreach (ThreadNode root in roots)
        {
            Write(session, root, position => by == Numbering.Uid ? box.View[position].Uid.Value : (uint)position + 1);
            await session.FlushIfLargeAsync(cancel);
        }
        session.Out.End();
        return run.Done("Threaded");
    }

    // ORDEREDSUBJECT: by base subject, then by date; the first message of each subject is above the others.
    private static List<ThreadNode> BySubject(SortEntry[] entries)
    {
        Dictionary<string, ThreadNode> bySubject = new(StringComparer.Ordinal);
        List<ThreadNode> roots = [];
        foreach (SortEntry entry in entries.OrderBy(e => e.SentUtc).ThenBy(e => e.Position))
        {
            ThreadNode node = new(entry);
            if (bySubject.TryGetValue(entry.Keys.BaseSubject, out ThreadNode? first)) first.Children.Add(node);
            else
            {
                bySubject.Add(entry.Keys.BaseSubject, node);
                roots.Add(node);
            }
        }
        return roots;
    }

    // thread-list = "(" (thread-members / thread-nested) ")". With a stack of its own: threads can be as deep as there are messages.
    private static void Write(ImapSession session, ThreadNode root, Func<int, uint> name)
    {
        ImapOutput output = session.Out;
        Stack<(ThreadNode Node, bool Opens, int Closes)> todo = new();
        todo.Push((root, true, 1));
        while (todo.TryPop(out (ThreadNode Node, bool Opens, int Closes) next))
        {
            if (next.Opens) output.Raw("("u8);
            ThreadNode node = next.Node;
            if (node.Entry is not null)
            {
                output.Number(name(node.Entry.Position));
                if (node.Children.Count > 0) output.Raw(" "u8);
            }
            if (node.Children.Count == 0)
            {
                for (int i = 0; i < next.Closes; i++) output.Raw(")"u8);
                continue;
            }
            bool branches = node.Children.Count > 1 || node.Entry is null;
            for (int i = node.Children.Count - 1; i >= 0; i--)
                todo.Push((node.Children[i], branches, (branches ? 1 : 0) + (i == node.Children.Count - 1 ? next.Closes : 0)));
        }
    }
}

/// <summary>A message in a thread, or without entry a place for one that is not here.</summary>
internal sealed class ThreadNode(SortEntry? entry)
{
    public SortEntry? Entry { get; set; } = entry;
    public ThreadNode? Parent { get; set; }
    public List<ThreadNode> Children { get; private set; } = [];

    /// <summary>The date of the message; for a place without one that of the first child.</summary>
    public long Date { get; private set; } = entry?.SentUtc ?? 0;

    public int Position { get; private set; } = entry?.Position ?? 0;

    public void Replace(List<ThreadNode> children) => Children = children;

    public void SortChildren()
    {
        Children.Sort(Compare);
        (Date, Position) = Entry is not null ? (Entry.SentUtc, Entry.Position) : Children.Count > 0 ? (Children[0].Date, Children[0].Position) : (0, 0);
    }

    public static int Compare(ThreadNode left, ThreadNode right)
    {
        int order = left.Date.CompareTo(right.Date);
        return order != 0 ? order : left.Position.CompareTo(right.Position);
    }
}
