using System.Runtime.CompilerServices;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>The order in which a version of a mailbox was sorted last, for all its sessions: mail programs ask for the same order with each look (RFC 5256 section 3).</summary>
/// <remarks>Bounded: one order for each version, four octets for each message, gone with the version.</remarks>
internal static class SortOrders
{
    private sealed record Order(SortCriterion[] Criteria, int[] Positions);

    private static readonly ConditionalWeakTable<MailboxVersion, Order> Kept = [];

    /// <summary>Positions in an order that is known; null when it is not, or when finding these few in it would take longer than sorting them.</summary>
    public static List<int>? Of(MailboxVersion version, SortCriterion[] criteria, List<int> found)
    {
        if (found.Count < version.Count / 8 || !Kept.TryGetValue(version, out Order? order) || !order.Criteria.AsSpan().SequenceEqual(criteria)) return null;
        if (found.Count == version.Count) return [.. order.Positions];
        bool[] wanted = new bool[version.Count];
        foreach (int position in found) wanted[position] = true;
        List<int> sorted = new(found.Count);
        foreach (int position in order.Positions)
            if (wanted[position]) sorted.Add(position);
        return sorted;
    }

    /// <summary>Keeps the order of a version's messages, if it is that of all.</summary>
    public static void Keep(MailboxVersion version, SortCriterion[] criteria, List<int> sorted)
    {
        if (sorted.Count == version.Count && sorted.Count > 0) Kept.AddOrUpdate(version, new(criteria, [.. sorted]));
    }
}
