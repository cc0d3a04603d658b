using System.Collections.Concurrent;

namespace Posthorn.Net;

/// <summary>What was counted under a key: in the window that runs, and in the one before it.</summary>
public readonly record struct RateShare(int Current, int Previous);

/// <summary>Counts within a window that moves on: the window that runs, and of the one before it the share that still lies within.</summary>
/// <param name="time">The clock.</param>
/// <param name="maxKeys">Keys that are remembered at most; there is no room for others until old ones have had their time.</param>
/// <remarks>Locking: the table is concurrent; each entry is its own lock.</remarks>
public sealed class RateTable<TKey>(TimeProvider time, int maxKeys) where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Entry> _entries = new();
    private long _swept;

    private sealed class Entry
    {
        public long Slot;
        public int Current;
        public int Previous;
    }

    /// <summary>There is no room for a new key.</summary>
    public bool IsFull => _entries.Count >= maxKeys;

    /// <summary>Counts some more; how many there are now, or null when there is no room for the key.</summary>
    public double? Add(TKey key, int count, TimeSpan window)
    {
        (long slot, double share) = Now(window);
        if (EntryOf(key, slot) is not { } entry) return null;
        lock (entry)
        {
            Move(entry, slot);
            entry.Current = (int)Math.Min(int.MaxValue, (long)entry.Current + count);
            return Estimate(entry, share);
        }
    }

    /// <summary>Counts one more while there are fewer than so many; whether it was counted, or null when there is no room for the key.</summary>
    public bool? AddBelow(TKey key, int max, TimeSpan window)
    {
        (long slot, double share) = Now(window);
        if (EntryOf(key, slot) is not { } entry) return null;
        lock (entry)
        {
            Move(entry, slot);
            if (Estimate(entry, share) >= max) return false;
            entry.Current++;
            return true;
        }
    }

    /// <summary>How many there are; null when nothing is known of the key.</summary>
    public double? Of(TKey key, TimeSpan window)
    {
        if (!_entries.TryGetValue(key, out Entry? entry)) return null;
        (long slot, double share) = Now(window);
        lock (entry)
        {
            Move(entry, slot);
            return Estimate(entry, share);
        }
    }

    /// <summary>Forgets a key; what was counted under it.</summary>
    public RateShare Take(TKey key, TimeSpan window)
    {
        if (!_entries.TryRemove(key, out Entry? entry)) return default;
        lock (entry)
        {
            Move(entry, Now(window).Slot);
            return new(entry.Current, entry.Previous);
        }
    }

    /// <summary>Takes so much of a key's count back.</summary>
    public void TakeBack(TKey key, RateShare share, TimeSpan window)
    {
        if (share == default || !_entries.TryGetValue(key, out Entry? entry)) return;
        lock (entry)
        {
            Move(entry, Now(window).Slot);
            entry.Current = Math.Max(0, entry.Current - share.Current);
            entry.Previous = Math.Max(0, entry.Previous - share.Previous);
        }
    }

    private Entry? EntryOf(TKey key, long slot)
    {
        Sweep(slot);
        if (_entries.TryGetValue(key, out Entry? entry)) return entry;
        return IsFull ? null : _entries.GetOrAdd(key, _ => new() { Slot = slot });
    }

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
        foreach ((TKey key, Entry entry) in _entries)
            if (entry.Slot < slot - 1) _entries.TryRemove(key, out _);
    }
}
