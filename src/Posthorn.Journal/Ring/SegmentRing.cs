using System.Globalization;
using System.Security.Cryptography;
using Posthorn.Journal.Content;
using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal.Ring;

/// <summary>The files of the ring: those that hold the log, and those that are free.</summary>
/// <remarks>The journal's lock guards all of it except <see cref="Make"/>, which touches the disk and is called by one at a time.</remarks>
internal sealed class SegmentRing(IVolume volume, string directory, Lock gate)
{
    private readonly List<Segment> _waiting = [];
    private int _lastFile;

    /// <summary>Segments with the log, oldest first.</summary>
    internal List<Segment> Live { get; } = [];

    /// <summary>Segments that can be begun, in the order in which they will be.</summary>
    internal List<Segment> Free { get; } = [];

    /// <summary>Poisoned segments that nothing needs any more: to be removed and made anew.</summary>
    internal List<Segment> Discarded { get; } = [];

    /// <summary>The segment that is being written; null when a failed flush closed the last and none was free.</summary>
    internal Segment? Current { get; private set; }

    /// <summary>Where the acknowledged log ends.</summary>
    internal (long Sequence, long End, long Lsn) Tail { get; private set; }

    internal long LastSequence { get; private set; }

    internal int Count => Live.Count + Free.Count + _waiting.Count;

    /// <summary>Whether half the ring is used.</summary>
    internal bool IsHalfUsed => Live.Count > Count / 2;

    /// <summary>Takes over what the start found.</summary>
    internal void Adopt(IEnumerable<Segment> live, IEnumerable<Segment> free, (long, long, long) tail, long lastSequence, int lastFile)
    {
        Live.AddRange(live);
        Free.AddRange(free);
        (Tail, LastSequence, _lastFile) = (tail, lastSequence, lastFile);
    }

    /// <summary>The next free segment with the head of its new use; it is not live before <see cref="Begun"/>. Null when none is free.</summary>
    internal Segment? TakeFree(long epoch, long firstLsn, long checkpoint, long time)
    {
        if (Free.Count == 0) return null;
        Segment segment = Free[0];
        Free.RemoveAt(0);
        Span<byte> salt = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(salt);
        segment.Header = new(++LastSequence, epoch, firstLsn, BitConverter.ToUInt64(salt), checkpoint, Tail.Sequence, Tail.End, Tail.Lsn, segment.Size, time);
        segment.End = Blocks.Size;
        segment.LastLsn = Tail.Lsn;
        return segment;
    }

    /// <summary>The segment's head is durable: the log goes on in it.</summary>
    internal void Begun(Segment segment)
    {
        Live.Add(segment);
        Current = segment;
        Tail = (segment.Header.Sequence, segment.End, Tail.Lsn);
    }

    /// <summary>The log is durable up to here in the current segment.</summary>
    internal void Acknowledge(long end, long lsn)
    {
        (Current!.End, Current.LastLsn) = (end, lsn);
        Tail = (Tail.Sequence, end, lsn);
    }

    /// <summary>A flush of the segment failed.</summary>
    internal void Poison(Segment segment)
    {
        segment.Poisoned = true;
        if (segment != Current) Discarded.Add(segment); // never begun: nothing in it counts
        else Current = null;
    }

    /// <summary>The log goes on in another segment only: the end of this one is about to be noted.</summary>
    internal void CloseCurrent() => Current = null;

    /// <summary>Frees the segments that a checkpoint covers wholly, oldest first.</summary>
    internal void FreeUpTo(long lsn)
    {
        while (Live.Count > 0 && Live[0] != Current && Live[0].LastLsn <= lsn)
        {
            Segment segment = Live[0];
            Live.RemoveAt(0);
            if (segment.Poisoned) Discarded.Add(segment);
            else if (segment.Pins > 0) _waiting.Add(segment);
            else Free.Add(segment);
        }
    }

    /// <summary>Opens a record's content where the record keeps it.</summary>
    internal JournalContent Open(in ContentIndex.Entry entry, SpoolFolder spool)
    {
        if (entry.Content.Kind == ContentKind.Spool)
        {
            IVolumeFile file = spool.Open(entry.Content.Spool);
            return new(file, 0, entry.Content, file.Dispose);
        }

        Segment segment = entry.Segment;
        lock (gate) segment.Pins++;
        return new(segment.File, entry.Offset, entry.Content, () => Unpin(segment));
    }

    /// <summary>The live segments that hold records above one, oldest first, kept from being recycled until <see cref="Unpin"/>.</summary>
    internal List<Segment> PinAbove(long lsn)
    {
        lock (gate)
        {
            List<Segment> segments = Live.FindAll(live => live.LastLsn > lsn);
            foreach (Segment segment in segments) segment.Pins++;
            return segments;
        }
    }

    /// <summary>Makes a segment: full of zeros, synced, and only then under its name.</summary>
    /// <exception cref="VolumeException">It cannot be made, for want of space perhaps.</exception>
    internal Segment Make(int size)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"{directory}/{++_lastFile:d6}.seg");
        string draft = path + ".new";
        byte[] zeros = new byte[Math.Min(size, 1 << 20)];
        try
        {
            using (IVolumeFile file = volume.Open(draft, VolumeOpen.Replace))
            {
                for (long at = 0; at < size; at += zeros.Length) file.Write(at, zeros.AsSpan(0, (int)Math.Min(zeros.Length, size - at)));
                file.SyncData();
            }

            volume.Rename(draft, path);
            volume.SyncDirectory(directory);
            return new(path, volume.Open(path, VolumeOpen.ReadWrite), size);
        }
        catch (VolumeException)
        {
            TryUnlink(draft);
            throw;
        }
    }

    /// <summary>Removes a discarded segment's file, for good: its head may carry a sequence that is given out anew.</summary>
    internal void Remove(Segment segment)
    {
        TryUnlink(segment.Path);
        volume.SyncDirectory(directory);
        bool pinned;
        lock (gate) pinned = segment.Pins > 0;
        if (!pinned) segment.File.Dispose(); // else the last reader's end is left to the finalizer
    }

    internal void CloseFiles()
    {
        foreach (Segment segment in Live.Concat(Free).Concat(_waiting).Concat(Discarded)) segment.File.Dispose();
    }

    internal void Unpin(Segment segment)
    {
        lock (gate)
        {
            if (--segment.Pins == 0 && _waiting.Remove(segment)) Free.Add(segment);
        }
    }

    private void TryUnlink(string path)
    {
        try
        {
            volume.Unlink(path);
        }
        catch (VolumeException)
        {
            // A draft is removed by the next start; a discarded segment is seen there as one that is not in the chain.
        }
    }
}
