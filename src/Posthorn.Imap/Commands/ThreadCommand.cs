using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>THREAD and UID THREAD (RFC 5256 section 3).</summary>
/// <remarks><c>thread = "THREAD" SP thread-alg SP charset 1*(SP search-key)</c></remarks>
internal sealed record ThreadCommand(bool ByReferences, SearchKey Key, SearchTraits Traits) : IImapCommand<ThreadCommand>, IReadsMailbox, ISearches
{
    public static ThreadCommand Parse(ref ImapReader args)
    {
        args.Space();
        bool references = args.TryWord("REFERENCES"u8);
        if (!references && !args.TryWord("ORDEREDSUBJECT"u8)) args.Fail("REFERENCES or ORDEREDSUBJECT");
        args.Space();
        string charset = System.Text.Encoding.ASCII.GetString(args.AString());
        args.Space();
        return new(references, SearchGrammar.Parse(ref args, charset, out SearchTraits traits), traits);
    }

    public async ValueTask<Completion> RunAsync(ImapSession session, Numbering by, CancellationToken cancel)
    {
        SelectedMailbox box = session.Selected;
        SearchRun run = new(session, box, isPart: true);
        List<int> found = await run.FindAsync(Key, cancel);
        MailboxVersion version = box.View;
        if (ThreadForests.Of(version, ByReferences, found) is not { } threads)
        {
            threads = await ThreadAsync(session, box, run, found, cancel);
            if (ReferenceEquals(version, box.View)) ThreadForests.Keep(version, ByReferences, threads);
        }

        session.Out.Begin("THREAD"u8);
        if (threads.Length > 0) session.Out.Raw(" "u8);
        await WriteAsync(session, threads, position => by == Numbering.Uid ? box.View[position].Uid.Value : (uint)position + 1, cancel);
        session.Out.End();
        return run.Done("Threaded");
    }

    private async ValueTask<int[]> ThreadAsync(ImapSession session, SelectedMailbox box, SearchRun run, List<int> found, CancellationToken cancel)
    {
        SortEntry[] entries = await Sort.LoadAsync(session, box, run, found, Key, cancel);
        List<int> marks = new(entries.Length * 3);
        foreach (ThreadNode root in ByReferences ? new ReferenceThreads(entries).Build() : BySubject(entries)) Flatten(root, marks);
        return [.. marks];
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
    private static void Flatten(ThreadNode root, List<int> marks)
    {
        Stack<(ThreadNode Node, bool Opens, int Closes)> todo = new();
        todo.Push((root, true, 1));
        while (todo.TryPop(out (ThreadNode Node, bool Opens, int Closes) next))
        {
            if (next.Opens) marks.Add(ThreadForests.Open);
            ThreadNode node = next.Node;
            if (node.Entry is not null)
            {
                marks.Add(node.Entry.Position);
                if (node.Children.Count > 0) marks.Add(ThreadForests.Blank);
            }
            if (node.Children.Count == 0)
            {
                for (int i = 0; i < next.Closes; i++) marks.Add(ThreadForests.Close);
                continue;
            }
            bool branches = node.Children.Count > 1 || node.Entry is null;
            for (int i = node.Children.Count - 1; i >= 0; i--)
                todo.Push((node.Children[i], branches, (branches ? 1 : 0) + (i == node.Children.Count - 1 ? next.Closes : 0)));
        }
    }

    private static async ValueTask WriteAsync(ImapSession session, int[] marks, Func<int, uint> name, CancellationToken cancel)
    {
        ImapOutput output = session.Out;
        foreach (int mark in marks)
        {
            switch (mark)
            {
                case ThreadForests.Open: output.Raw("("u8); break;
                case ThreadForests.Blank: output.Raw(" "u8); break;
                case ThreadForests.Close:
                    output.Raw(")"u8);
                    await session.FlushIfLargeAsync(cancel);
                    break;
                default: output.Number(name(mark)); break;
            }
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
