using Posthorn.Journal.Content;
using Posthorn.Journal.Format;
using Posthorn.Journal.Ring;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal;

/// <summary>What a journal holds, for <c>posthorn journal verify</c> and <c>show</c>. Reads only, and needs no lock; of a journal that is being written it sees a moment.</summary>
public sealed class JournalInspector : IDisposable
{
    private readonly IVolume _volume;
    private readonly string _directory;
    private readonly List<SegmentFile> _files;
    private readonly List<SegmentFile> _chain;
    private readonly CheckpointMark _mark;
    private readonly LogEvent.Damage? _gap;

    private JournalInspector(IVolume volume, string directory)
    {
        (_volume, _directory) = (volume, directory);
        try
        {
            using IVolumeFile file = volume.Open(directory + "/checkpoint", VolumeOpen.Read);
            CheckpointReadable = CheckpointFile.TryRead(file, out _, out _mark);
        }
        catch (VolumeException missing) when (missing.Error == VolumeError.Missing)
        {
            CheckpointReadable = false;
        }

        _files = LogReader.Scan(volume, directory, VolumeOpen.Read);
        Checkpoint = new(LogReader.CheckpointOf(_mark, _files));
        _chain = LogReader.Chain(_files, _mark, Checkpoint.Value, out _gap);
    }

    /// <summary>Whether the checkpoint file could be read; if not, the checkpoint is the one that a segment names.</summary>
    public bool CheckpointReadable { get; }

    /// <summary>Everything up to here is safe outside the journal.</summary>
    public Lsn Checkpoint { get; }

    /// <summary>Opens a journal for looking.</summary>
    /// <exception cref="VolumeException">The directory cannot be read.</exception>
    /// <exception cref="JournalException">A newer version wrote it.</exception>
    public static JournalInspector Open(IVolume volume, string directory) => new(volume, directory);

    /// <summary>The segments, by file.</summary>
    public IEnumerable<SegmentReport> Segments()
    {
        foreach (SegmentFile file in _files)
        {
            SegmentHeader head = file.Header ?? default;
            SegmentState state = file.Header is null ? SegmentState.Blank : _chain.Contains(file) ? SegmentState.Live : SegmentState.Free;
            yield return new(file.Path, file.Size, state, head.Sequence, head.Epoch, new(head.FirstLsn));
        }
    }

    /// <summary>All that is in the live segments, in order, with a verdict for each. Records and their payloads are valid until the next is asked for.</summary>
    public IEnumerable<RecordReport> Records()
    {
        if (_gap is not null) yield return Lost(_chain[0], _gap);
        SpoolFolder spool = new(_volume, _directory + "/spool");
        for (int i = 0; i < _chain.Count; i++)
        {
            SegmentFile file = _chain[i];
            long end = 0;
            foreach (LogEvent met in LogReader.Walk(file, i + 1 < _chain.Count ? _chain[i + 1].Header : null, _mark, file.Size))
            {
                switch (met)
                {
                    case LogEvent.Whole whole:
                        foreach (RecordReport report in Whole(file, whole, spool)) yield return report;
                        break;
                    case LogEvent.Damage damage:
                        yield return Lost(file, damage);
                        break;
                    case LogEvent.End tail:
                        end = tail.Offset;
                        if (tail.Torn && !NamesItsEnd(i)) yield return new(file.Path, end, RecordVerdict.TornTail, new(tail.LastLsn + 1), new(tail.LastLsn + 1), null);
                        break;
                }
            }

            if (NamesItsEnd(i) && VoidBehind(file, end) is { } voided) yield return voided;
        }
    }

    public void Dispose()
    {
        foreach (SegmentFile file in _files) file.File.Dispose();
    }

    private bool NamesItsEnd(int index) => index + 1 < _chain.Count || _mark.EndSequence == _chain[index].Header!.Value.Sequence;

    private static RecordReport? VoidBehind(SegmentFile file, long end)
    {
        using SegmentReader reader = new(file.File, file.Header!.Value);
        return reader.TryFindHead(end, file.Size, out BatchHeader batch)
            ? new(file.Path, batch.Offset, RecordVerdict.Void, new(batch.FirstLsn), new(batch.LastLsn), null)
            : null;
    }

    private RecordReport Lost(SegmentFile file, LogEvent.Damage damage) =>
        new(file.Path, damage.Offset, damage.Last <= Checkpoint.Value ? RecordVerdict.DamagedButSafe : RecordVerdict.Damaged, new(damage.First), new(damage.Last), null);

    private IEnumerable<RecordReport> Whole(SegmentFile file, LogEvent.Whole batch, SpoolFolder spool)
    {
        long at = batch.Header.Offset + BatchHeader.Length;
        DateTimeOffset time = DateTimeOffset.FromUnixTimeMilliseconds(batch.Header.Time);
        foreach (RecordView view in batch.Records)
        {
            long start = at;
            at += view.Total;
            ContentReference content = view.Content;
            Func<JournalContent>? open = content.Kind switch
            {
                ContentKind.Inline => () => new(file.File, start + view.ContentStart, content, null),
                ContentKind.Spool => () =>
                {
                    IVolumeFile opened = spool.Open(content.Spool);
                    return new(opened, 0, content, opened.Dispose);
                },
                _ => null,
            };
            RecordVerdict verdict = view.Lsn <= Checkpoint.Value ? RecordVerdict.Checkpointed
                : content.Kind == ContentKind.Spool && !SpoolIsWhole(spool, content) ? RecordVerdict.Damaged
                : RecordVerdict.Good;
            yield return new(file.Path, start, verdict, new(view.Lsn), new(view.Lsn), new(new(view.Lsn), time, view.Relaxed, view.Steps, content, open));
        }
    }

    private static bool SpoolIsWhole(SpoolFolder spool, ContentReference content)
    {
        if (!spool.TryStat(content.Spool, out VolumeStat stat) || stat.Length != content.Length) return false;
        using IVolumeFile file = spool.Open(content.Spool);
        byte[] buffer = new byte[1 << 16];
        uint checksum = 0;
        for (long at = 0; at < content.Length;)
        {
            int read = file.Read(at, buffer);
            if (read == 0) return false;
            checksum = Crc32C.Append(checksum, buffer.AsSpan(0, read));
            at += read;
        }

        return checksum == content.Checksum;
    }
}

/// <summary>What a segment is now.</summary>
public enum SegmentState
{
    /// <summary>It was never used, or its head is damaged.</summary>
    Blank,
    /// <summary>What it held is checkpointed or void.</summary>
    Free,
    /// <summary>It holds a part of the log.</summary>
    Live,
}

/// <summary>One segment's file.</summary>
public sealed record SegmentReport(string Path, int Size, SegmentState State, long Sequence, long Epoch, Lsn FirstLsn);

/// <summary>What is to be thought of a record.</summary>
public enum RecordVerdict
{
    /// <summary>Whole; the next start replays it.</summary>
    Good,
    /// <summary>Whole, and no longer needed.</summary>
    Checkpointed,
    /// <summary>Acknowledged and not readable: a checksum is wrong, or something is missing.</summary>
    Damaged,
    /// <summary>Not readable, and no longer needed.</summary>
    DamagedButSafe,
    /// <summary>A batch that never became whole; nobody was told of it.</summary>
    TornTail,
    /// <summary>Written, but its flush failed or was never waited for; it counts as nothing.</summary>
    Void,
}

/// <summary>One record, or several that share a verdict; <paramref name="Record"/> is there when it can be read.</summary>
public sealed record RecordReport(string Segment, long Offset, RecordVerdict Verdict, Lsn First, Lsn Last, JournalRecord? Record)
{
    /// <summary>Whether something is wrong that must not be.</summary>
    public bool IsBad => Verdict == RecordVerdict.Damaged;
}
