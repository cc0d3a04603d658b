using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>UIDs from the first to the last, both included. What is gone from a mailbox may be billions of numbers, and few ranges.</summary>
public readonly record struct UidRange(Uid First, Uid Last)
{
    /// <summary>How many numbers it holds.</summary>
    public long Count => (long)Last.Value - First.Value + 1;

    /// <summary>The ranges of numbers that stand in order.</summary>
    public static List<UidRange> Of(IReadOnlyList<Uid> uids)
    {
        List<UidRange> ranges = [];
        foreach (Uid uid in uids)
        {
            if (ranges.Count > 0 && uid.Value <= (ulong)ranges[^1].Last.Value + 1) ranges[^1] = ranges[^1] with { Last = uid };
            else ranges.Add(new(uid, uid));
        }

        return ranges;
    }

    /// <summary>The numbers of a range that no message of a version has.</summary>
    public static IEnumerable<UidRange> Absent(MailboxVersion version, UidRange among)
    {
        int at = version.IndexOf(among.First);
        if (at < 0) at = ~at;
        ulong next = among.First.Value;
        for (; at < version.Count && version[at].Uid <= among.Last; at++)
        {
            uint there = version[at].Uid.Value;
            if (there > next) yield return new(new((uint)next), new(there - 1));
            next = (ulong)there + 1;
        }

        if (next <= among.Last.Value) yield return new(new((uint)next), among.Last);
    }
}
