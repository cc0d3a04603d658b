using System.Globalization;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Imap.Wire;

/// <summary>Whether numbers of a command are sequence numbers or UIDs (RFC 9051 section 6.4.9).</summary>
internal enum Numbering
{
    Sequence,
    Uid,
}

/// <summary>One range of a set, its ends in order. <see cref="NumberSet.Star"/> stands for <c>*</c>.</summary>
internal readonly record struct NumberRange(uint First, uint Last);

/// <summary>A sequence-set as the client wrote it (RFC 9051 section 9): ranges in the order given, <c>*</c> not yet resolved, or <c>$</c>.</summary>
internal sealed class NumberSet
{
    /// <summary>Stands for <c>*</c>. It is no nz-number, so no client can write it otherwise.</summary>
    public const uint Star = 0;

    private readonly NumberRange[] _ranges;

    public NumberSet(NumberRange[] ranges) => _ranges = ranges;

    /// <summary>The saved search result <c>$</c> (RFC 5182).</summary>
    public static NumberSet SavedResult { get; } = new([]);

    /// <summary>A set of these, which are in order.</summary>
    public static NumberSet Of(IReadOnlyList<Uid> uids) => new([.. uids.Select(uid => new NumberRange(uid.Value, uid.Value))]);

    public bool IsSavedResult => ReferenceEquals(this, SavedResult);

    public ReadOnlySpan<NumberRange> Ranges => _ranges;

    /// <summary>The largest number named other than <c>*</c>; for the check that sequence numbers exist.</summary>
    public uint LargestNamed
    {
        get
        {
            uint largest = 0;
            foreach (NumberRange range in _ranges)
            {
                largest = Math.Max(largest, Math.Max(range.First, range.Last));
            }
            return largest;
        }
    }

    /// <summary>The ranges with <c>*</c> resolved, sorted, joined where they touch.</summary>
    public List<NumberRange> Normalise(uint largest)
    {
        List<NumberRange> sorted = new(_ranges.Length);
        foreach (NumberRange range in _ranges)
        {
            uint first = range.First == Star ? largest : range.First, last = range.Last == Star ? largest : range.Last;
            if (Math.Max(first, last) > 0) sorted.Add(new(Math.Min(first, last), Math.Max(first, last)));
        }
        return Join(sorted);
    }

    private static List<NumberRange> Join(List<NumberRange> ranges)
    {
        ranges.Sort((a, b) => a.First.CompareTo(b.First));
        int kept = 0;
        for (int i = 1; i < ranges.Count; i++)
        {
            if (ranges[i].First <= (ulong)ranges[kept].Last + 1) ranges[kept] = new(ranges[kept].First, Math.Max(ranges[kept].Last, ranges[i].Last));
            else ranges[++kept] = ranges[i];
        }
        if (ranges.Count > 0) ranges.RemoveRange(kept + 1, ranges.Count - kept - 1);
        return ranges;
    }

    /// <summary>Writes numbers as a set: rising runs become ranges. Order is kept, so COPYUID sets correspond.</summary>
    public static string Format(IReadOnlyList<Uid> uids)
    {
        StringBuilder text = new();
        for (int i = 0; i < uids.Count;)
        {
            int end = i;
            while (end + 1 < uids.Count && uids[end + 1].Value == uids[end].Value + 1) end++;
            if (text.Length > 0) text.Append(',');
            text.Append(CultureInfo.InvariantCulture, $"{uids[i].Value}");
            if (end > i) text.Append(CultureInfo.InvariantCulture, $":{uids[end].Value}");
            i = end + 1;
        }
        return text.ToString();
    }

    public override string ToString() => IsSavedResult ? "$" : string.Join(',', _ranges.Select(r => r.First == r.Last ? Text(r.First) : $"{Text(r.First)}:{Text(r.Last)}"));

    private static string Text(uint number) => number == Star ? "*" : number.ToString(CultureInfo.InvariantCulture);
}
