using Posthorn.Core;
using Posthorn.Imap.Commands;
using Posthorn.Store;

namespace Posthorn.Imap.Tests.Commands;

public sealed class ThreadTests
{
    [Fact]
    public void A_chain_of_a_hundred_thousand_costs_no_stack()
    {
        SortEntry[] entries = [.. Enumerable.Range(0, 100_000).Select(i => Entry(i, $"m{i}", i == 0 ? [] : [$"m{i - 1}"]))];
        ThreadNode root = Assert.Single(new ReferenceThreads(entries).Build());
        int depth = 1;
        for (ThreadNode at = root; at.Children.Count > 0; at = at.Children[0]) depth++;
        Assert.Equal(entries.Length, depth);
    }

    [Fact]
    public void References_in_a_circle_end()
    {
        List<ThreadNode> roots = new ReferenceThreads([Entry(0, "a", ["b"]), Entry(1, "b", ["c"]), Entry(2, "c", ["a"])]).Build();
        Assert.Equal(3, Count(roots));
    }

    [Fact]
    public void Equal_ids_are_different_messages() =>
        Assert.Equal(3, Count(new ReferenceThreads([Entry(0, "a", []), Entry(1, "a", []), Entry(2, "", [])]).Build()));

    private static int Count(List<ThreadNode> nodes) => nodes.Sum(node => (node.Entry is null ? 0 : 1) + Count(node.Children));

    private static SortEntry Entry(int position, string id, string[] references) => new(
        position,
        new(new((uint)position + 1), 1, position, new(1), SystemFlags.None, KeywordSet.Empty, 0),
        new(null, $"SUBJECT {(references.Length == 0 ? position : 0)}", references.Length > 0, "", "", "", "", "", id, references));
}
