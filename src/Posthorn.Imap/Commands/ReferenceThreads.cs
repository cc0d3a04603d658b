namespace Posthorn.Imap.Commands;

/// <summary>The REFERENCES algorithm (RFC 5256 section 3), step by step. No step recurses: references can be as deep as there are messages.</summary>
internal sealed class ReferenceThreads(SortEntry[] entries)
{
    /// <summary>Steps upwards that the search for loops takes; it bounds the cost of made-up references.</summary>
    private const int MaxHeight = 10_000;

    private readonly Dictionary<string, ThreadNode> _byId = new(StringComparer.Ordinal);
    private readonly List<ThreadNode> _all = [];

    public List<ThreadNode> Build()
    {
        foreach (SortEntry entry in entries) Link(entry);
        List<ThreadNode> roots = Prune([.. _all.Where(node => node.Parent is null)]);
        SortAll(roots);
        roots = JoinSubjects(roots);
        SortAll(roots);
        roots.Sort(ThreadNode.Compare);
        return roots;
    }

    // Step 1: each message below the one that it refers to last, those above each other as References says.
    private void Link(SortEntry entry)
    {
        string id = entry.Keys.MessageId;
        ThreadNode node;
        if (id.Length > 0 && _byId.TryGetValue(id, out ThreadNode? known) && known.Entry is null)
        {
            node = known;
            node.Entry = entry;
        }
        else
        {
            // Without an id, or with one that another has already, a message stands for itself.
            node = new(entry);
            _all.Add(node);
            if (id.Length > 0) _byId.TryAdd(id, node);
        }
        ThreadNode? parent = null;
        foreach (string reference in entry.Keys.References)
        {
            ThreadNode each = Get(reference);
            if (parent is not null && each.Parent is null) Attach(each, parent);
            parent = each;
        }
        // What a message itself says of its parent, also that it has none, counts more than what others said of it.
        if (node.Parent is not null && !ReferenceEquals(node.Parent, parent)) Detach(node);
        else if (node.Parent is not null) return;
        if (parent is not null) Attach(node, parent);
    }

    private ThreadNode Get(string id)
    {
        if (_byId.TryGetValue(id, out ThreadNode? node)) return node;
        node = new(null);
        _byId.Add(id, node);
        _all.Add(node);
        return node;
    }

    private static void Attach(ThreadNode child, ThreadNode parent)
    {
        // Only what has children can stand above its own parent. Beyond this height references are a trick, not a talk.
        int height = 0;
        for (ThreadNode? above = child.Children.Count > 0 ? parent : null; above is not null; above = above.Parent)
            if (ReferenceEquals(above, child) || ++height > MaxHeight) return; // a loop
        if (ReferenceEquals(child, parent)) return;
        child.Parent = parent;
        parent.Children.Add(child);
    }

    private static void Detach(ThreadNode child)
    {
        child.Parent!.Children.Remove(child);
        child.Parent = null;
    }

    // Step 3: places without message vanish; their children move up, but several children of a root keep it.
    private static List<ThreadNode> Prune(List<ThreadNode> roots)
    {
        foreach (ThreadNode node in BottomUp(roots)) node.Replace(Lifted(node.Children, isTop: false));
        return Lifted(roots, isTop: true);
    }

    private static List<ThreadNode> Lifted(List<ThreadNode> nodes, bool isTop)
    {
        List<ThreadNode> kept = new(nodes.Count);
        foreach (ThreadNode node in nodes)
        {
            if (node.Entry is not null || isTop && node.Children.Count > 1) kept.Add(node);
            else kept.AddRange(node.Children);
        }
        return kept;
    }

    // Step 4: below each, oldest first; bottom up, since a place without message has its first child's date.
    private static void SortAll(List<ThreadNode> roots)
    {
        foreach (ThreadNode node in BottomUp(roots)) node.SortChildren();
        roots.Sort(ThreadNode.Compare);
    }

    // Step 5: threads with the same base subject become one.
    private static List<ThreadNode> JoinSubjects(List<ThreadNode> roots)
    {
        Dictionary<string, ThreadNode> bySubject = new(StringComparer.Ordinal);
        foreach (ThreadNode root in roots)
        {
            (string subject, bool reply) = SubjectOf(root);
            if (subject.Length == 0) continue;
            if (!bySubject.TryGetValue(subject, out ThreadNode? held) || held.Entry is not null && (root.Entry is null || SubjectOf(held).Reply && !reply)) bySubject[subject] = root;
        }
        List<ThreadNode> joined = [];
        Dictionary<ThreadNode, ThreadNode> instead = [];
        foreach (ThreadNode root in roots)
        {
            (string subject, bool reply) = SubjectOf(root);
            if (subject.Length == 0 || !bySubject.TryGetValue(subject, out ThreadNode? held) || ReferenceEquals(held, root))
            {
                joined.Add(root);
                continue;
            }
            if (instead.TryGetValue(held, out ThreadNode? both)) both.Children.Add(root);
            else if (held.Entry is null && root.Entry is null) held.Children.AddRange(root.Children);
            else if (held.Entry is null || reply && !SubjectOf(held).Reply) held.Children.Add(root);
            else
            {
                ThreadNode dummy = new(null);
                dummy.Children.Add(held);
                dummy.Children.Add(root);
                instead.Add(held, dummy);
            }
        }
        for (int i = 0; i < joined.Count; i++)
            if (instead.TryGetValue(joined[i], out ThreadNode? dummy)) joined[i] = dummy;
        return joined;
    }

    private static (string Subject, bool Reply) SubjectOf(ThreadNode node)
    {
        SortEntry? entry = node.Entry ?? (node.Children.Count > 0 ? node.Children[0].Entry : null);
        return entry is null ? ("", false) : (entry.Keys.BaseSubject, entry.Keys.IsReply);
    }

    private static List<ThreadNode> BottomUp(List<ThreadNode> roots)
    {
        List<ThreadNode> order = [.. roots];
        for (int i = 0; i < order.Count; i++) order.AddRange(order[i].Children);
        order.Reverse();
        return order;
    }
}
