using System.Collections.Concurrent;
using System.Net;

namespace Posthorn.Net;

/// <summary>How often something may happen.</summary>
/// <param name="Max">So often within the window; 0 for no bound.</param>
/// <param name="Window">The window.</param>
/// <param name="IPv6Prefix">The length of IPv6 networks that count as one address.</param>
public readonly record struct RateLimit(int Max, TimeSpan Window, int IPv6Prefix = AddressGroup.DefaultPrefix)
{
    /// <summary>No bound.</summary>
    public static RateLimit None => default;

    /// <summary>There is a bound.</summary>
    public bool IsSet => Max > 0;
}

/// <summary>Counts what addresses do within a window that moves on: the window that runs, and of the one before it the share that still lies within.</summary>
/// <remarks>Locking: the table is concurrent; each entry is its own lock. Memory is bounded by <see cref="MaxAddresses"/>.</remarks>
public sealed class AddressRates(TimeProvider time)
{
    /// <summary>Addresses that are remembered: some 20 MB at most. Beyond it new ones are not counted until old ones have had their time.</summary>
    public const int MaxAddresses = 100_000;

    private readonly ConcurrentDictionary<IPAddress, Entry> _entries = new();
    private long _swept;

    private sealed class Entry
    {
        public long Slot;
        public int Current;
        public int Previous;
    }

    /// <summary>Counts some more; true when it has become more than the limit.</summary>
    public bool Add(IPAddress address, int count, RateLimit limit)
    {
        if (!limit.IsSet) return false;
        (long slot, double share) = Now(limit.Window);
        Sweep(slot);
        IPAddress group = AddressGroup.Of(address, limit.IPv6Prefix);
        if (!_entries.TryGetValue(group, out Entry? entry))
        {
            if (_entries.Count >= MaxAddresses) return false;
            entry = _entries.GetOrAdd(group, _ => new() { Slot = slot });
        }
        lock (entry)
        {
            Move(entry, slot);
            entry.Current = (int)Math.Min(int.MaxValue, (long)entry.Current + count);
            return Estimate(entry, share) > limit.Max;
        }
    }

    /// <summary>True when there has been so much that no more is borne.</summary>
    public bool IsOver(IPAddress address, RateLimit limit)
    {
        if (!limit.IsSet || !_entries.TryGetValue(AddressGroup.Of(address, limit.IPv6Prefix), out Entry? entry)) return false;
        (long slot, double share) = Now(limit.Window);
        lock (entry)
        {
            Move(entry, slot);
            return Estimate(entry, share) >= limit.Max;
        }
    }

    /// <summary>What was is forgiven.</summary>
    public void Forget(IPAddress address, RateLimit limit) => _entries.TryRemove(AddressGroup.Of(address, limit.IPv6Prefix), out _);

    private (long Slot, double Share) Now(TimeSpan window)
    {
        double at = (double)time.GetTimestamp() / time.TimestampFrequency / window.TotalSeconds;
        long slot = (long)Math.Floor(at);
        return (slot, 1 - (at - slot));
    }

    private static double Estimate(Entry entry, double share) => entry.Current + entry.Previous * share;

    private static void Move(Entry entry, long slot)
    {
        if (entry.Slot == slot) return;
        entry.Previous = entry.Slot == slot - 1 ? entry.Current : 0;
        (entry.Slot, entry.Current) = (slot, 0);
    }

    // Once in each window.
    private void Sweep(long slot)
    {
        if (Interlocked.Exchange(ref _swept, slot) == slot) return;
        foreach ((IPAddress address, Entry entry) in _entries)
            if (entry.Slot < slot - 1) _entries.TryRemove(address, out _);
    }
}
