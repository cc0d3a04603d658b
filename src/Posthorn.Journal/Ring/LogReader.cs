using System.Globalization;
using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal.Ring;

/// <summary>A segment's file as it lies on disk; no head when none is whole.</summary>
internal sealed record SegmentFile(string Path, int Number, IVolumeFile File, int Size, SegmentHeader? Header);

/// <summary>What a walk through the log meets.</summary>
internal abstract record LogEvent
{
    private LogEvent()
    {
    }

    /// <summary>A batch that is whole. The records' memory is valid until the walk goes on.</summary>
    internal sealed record Whole(BatchHeader Header, IReadOnlyList<RecordView> Records) : LogEvent;

    /// <summary>Acknowledged records that cannot be read.</summary>
    internal sealed record Damage(long Offset, long First, long Last) : LogEvent;

    /// <summary>The end of the log; <paramref name="Torn"/> when a batch stands there that never became whole.</summary>
    internal sealed record End(long Offset, long LastLsn, bool Torn) : LogEvent;
}

/// <summary>Finds the segments that make up the log and walks through them. Changes nothing.</summary>
internal static class LogReader
{
    /// <summary>All segments in the directory, by number of their file.</summary>
    internal static List<SegmentFile> Scan(IVolume volume, string directory, VolumeOpen mode)
    {
        List<SegmentFile> files = [];
        byte[] head = new byte[SegmentHeader.Length];
        foreach (VolumeEntry entry in volume.List(directory, times: false).OrderBy(entry => entry.Name, StringComparer.Ordinal))
        {
            if (!entry.Name.EndsWith(".seg", StringComparison.Ordinal)) continue;
            if (!int.TryParse(entry.Name.AsSpan(0, entry.Name.Length - 4), NumberStyles.None, CultureInfo.InvariantCulture, out int number)) continue;
            string path = $"{directory}/{entry.Name}";
            IVolumeFile file = volume.Open(path, mode);
            int read = file.Read(0, head);
            bool whole = SegmentHeader.TryRead(head.AsSpan(0, read), path, out SegmentHeader header);
            files.Add(new(path, number, file, (int)Math.Min(file.Length, int.MaxValue), whole ? header : null));
        }

        return files;
    }

    /// <summary>The checkpoint that holds: the file's, or a segment's that knows a later one.</summary>
    internal static long CheckpointOf(CheckpointMark mark, List<SegmentFile> files) =>
        files.Where(file => file.Header is not null).Select(file => file.Header!.Value.Checkpoint).Append(mark.Lsn).Max();

    /// <summary>The segments with records above the checkpoint, oldest first; <paramref name="gap"/> says what the oldest one lacks before it.</summary>
    internal static List<SegmentFile> Chain(List<SegmentFile> files, CheckpointMark mark, long checkpoint, out LogEvent.Damage? gap)
    {
        gap = null;
        Dictionary<long, SegmentFile> bySequence = [];
        foreach (SegmentFile file in files)
        {
            // Segments between the noted end and the last one used then were begun by flushes that failed.
            if (file.Header is { } header && (header.Sequence <= mark.EndSequence || header.Sequence > mark.VoidSequence)) bySequence[header.Sequence] = file;
        }

        List<SegmentFile> chain = [];
        if (bySequence.Count == 0) return chain;
        SegmentFile? current = bySequence[bySequence.Keys.Max()];
        while (true)
        {
            chain.Insert(0, current);
            SegmentHeader header = current.Header!.Value;
            if (header.PreviousLsn <= checkpoint) return chain;
            if (bySequence.TryGetValue(header.PreviousSequence, out current)) continue;
            gap = new(0, checkpoint + 1, header.PreviousLsn);
            return chain;
        }
    }

    /// <summary>Walks through one segment of the chain. <paramref name="next"/> is the head of the one behind it, which says where this one ends.</summary>
    /// <remarks>Behind the last whole batch of the last segment another is looked for within <paramref name="window"/> bytes: one there means damage, not a torn end.</remarks>
    internal static IEnumerable<LogEvent> Walk(SegmentFile file, SegmentHeader? next, CheckpointMark mark, int window)
    {
        SegmentHeader header = file.Header!.Value;
        using SegmentReader reader = new(file.File, header);
        List<RecordView> records = [];
        long last = header.PreviousLsn;
        long at = Blocks.Size;
        long? limit = next?.PreviousEnd ?? (mark.EndSequence == header.Sequence ? mark.EndOffset : null);
        while (at < (limit ?? header.Size))
        {
            bool begun = reader.TryHead(at, out BatchHeader batch);
            if (begun && batch.PreviousLsn == last && batch.End <= (limit ?? header.Size) && reader.TryRecords(batch, records))
            {
                yield return new LogEvent.Whole(batch, records);
                (last, at) = (batch.LastLsn, batch.End);
                continue;
            }

            if (!reader.TryFindHead(at + Blocks.Size, limit ?? Math.Min(header.Size, at + window), out batch) || batch.PreviousLsn < last)
            {
                if (next is { } behind && behind.PreviousLsn > last) yield return new LogEvent.Damage(at, last + 1, behind.PreviousLsn);
                yield return new LogEvent.End(at, next?.PreviousLsn ?? last, begun);
                yield break;
            }

            yield return new LogEvent.Damage(at, last + 1, batch.PreviousLsn);
            (last, at) = (batch.PreviousLsn, batch.Offset);
        }

        yield return new LogEvent.End(at, last, false);
    }
}
