using Microsoft.Extensions.Logging;
using Posthorn.Journal.Content;
using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal.Ring;

/// <summary>The start: finds the log, replays what lies above the checkpoint, and says where the next epoch begins.</summary>
internal sealed class Recovery(JournalOptions options, CheckpointFile checkpoint, SpoolFolder spool, SegmentRing ring, HeldRecords held, ILogger log)
{
    // A batch that follows a damaged one begins at most this far behind it; a look at so much costs some milliseconds.
    private int TailWindow => options.BatchLimit + options.StepsLimit + options.InlineLimit + 2 * Blocks.Size;

    /// <summary>LSNs of an epoch begin at the epoch times 2^28: far above any that the last run gave out, whether they reached the disk or not.</summary>
    private const int EpochShift = 28;

    private readonly HashSet<long> _spooled = [];
    private readonly List<Segment> _live = [];

    /// <summary>The checkpoint that held at the start.</summary>
    internal long Checkpoint { get; private set; }

    /// <summary>The last acknowledged record found.</summary>
    internal long LastLsn { get; private set; }

    internal long Replayed { get; private set; }
    internal long Epoch { get; private set; }
    internal long FirstLsn => Epoch << EpochShift;

    /// <summary>Content of the records above the checkpoint.</summary>
    internal List<ContentIndex.Entry> Contents { get; } = [];

    internal async ValueTask RunAsync(List<SegmentFile> files, IReadOnlyList<IJournalParticipant> participants, DateTimeOffset now, CancellationToken cancel)
    {
        CheckpointMark mark = checkpoint.Mark;
        Checkpoint = LogReader.CheckpointOf(mark, files);
        if (!checkpoint.WasReadable) log.CheckpointUnreadable(options.Directory, new(Checkpoint));

        if (Checkpoint > checkpoint.Lsn || !checkpoint.WasReadable) checkpoint.Advance(Checkpoint, mark.Epoch);

        List<SegmentFile> chain = LogReader.Chain(files, mark, Checkpoint, out LogEvent.Damage? gap);
        if (gap is not null) Lost(chain[0].Path, gap);
        if (chain.Count > 0 && mark.EndSequence != chain[^1].Header!.Value.Sequence) Harden(chain[^1]);
        foreach (HeldRecords.Held record in held.Load(Checkpoint)) await ReplayAsync(record, participants, cancel);
        LastLsn = chain.Count > 0 ? chain[0].Header!.Value.PreviousLsn : Checkpoint;
        long tailEnd = 0;
        for (int i = 0; i < chain.Count; i++)
        {
            SegmentHeader? next = i + 1 < chain.Count ? chain[i + 1].Header : null;
            Segment segment = new(chain[i].Path, chain[i].File, chain[i].Size) { Header = chain[i].Header!.Value };
            _live.Add(segment);
            foreach (LogEvent met in LogReader.Walk(chain[i], next, mark, TailWindow))
            {
                switch (met)
                {
                    case LogEvent.Whole whole:
                        await ReplayAsync(whole, segment, participants, cancel);
                        break;
                    case LogEvent.Damage damage:
                        if (damage.Last > Checkpoint) Lost($"{segment.Path} at {damage.Offset}", damage);
                        break;
                    case LogEvent.End end:
                        if (end.Torn) log.TornTail($"{segment.Path} at {end.Offset}");
                        tailEnd = next?.PreviousEnd ?? end.Offset;
                        LastLsn = end.LastLsn;
                        break;
                }
            }

            (segment.End, segment.LastLsn) = (tailEnd, LastLsn);
        }

        Adopt(files, chain, tailEnd, mark, now);
    }

    /// <summary>Removes spool files that no record above the checkpoint names.</summary>
    internal void SweepSpool()
    {
        foreach (long id in spool.All())
        {
            if (!_spooled.Contains(id) && !held.Names(id)) spool.Remove(id);
        }

        spool.StartAfter(FirstLsn);
    }

    /// <summary>Writes the head and the last batch of the log once more and syncs them, before anybody acts on them.</summary>
    /// <remarks>
    /// What is read may stand in the page cache only: the last run was killed between write and sync, or its sync failed,
    /// after which the system holds the pages for clean and no sync would write them again. Only the last batch can be so,
    /// since the next is written after it is durable. The bytes are the same, so a power cut in between harms nothing.
    /// </remarks>
    private static void Harden(SegmentFile tail)
    {
        SegmentHeader header = tail.Header!.Value;
        using SegmentReader reader = new(tail.File, header);
        BatchHeader last = default;
        for (long at = Blocks.Size; reader.TryHead(at, out BatchHeader batch); at = batch.End) last = batch;

        Rewrite(tail.File, 0, Blocks.Size);
        if (last.Count > 0) Rewrite(tail.File, last.Offset, (int)(last.End - last.Offset));
        tail.File.SyncData();
    }

    private static void Rewrite(IVolumeFile file, long offset, int length)
    {
        byte[] bytes = new byte[length];
        int read = file.Read(offset, bytes);
        file.Write(offset, bytes.AsSpan(0, read));
    }

    private void Adopt(List<SegmentFile> files, List<SegmentFile> chain, long tailEnd, CheckpointMark mark, DateTimeOffset now)
    {
        List<SegmentHeader> heads = [.. files.Where(file => file.Header is not null).Select(file => file.Header!.Value)];
        long seen = Math.Max(LastLsn, Checkpoint);
        long epoch = mark.Epoch;
        long sequence = Math.Max(mark.EndSequence, mark.VoidSequence);
        foreach (SegmentHeader head in heads)
        {
            seen = Math.Max(seen, Math.Max(head.FirstLsn, head.PreviousLsn));
            epoch = Math.Max(epoch, head.Epoch);
            sequence = Math.Max(sequence, head.Sequence);
        }

        // The clock keeps numbers growing even when somebody removes the journal and the catalogues stay.
        Epoch = Math.Max(Math.Max(epoch + 1, now.ToUnixTimeSeconds()), (seen >> EpochShift) + 2);
        HashSet<SegmentFile> used = [.. chain];
        IEnumerable<Segment> free = files.Where(file => !used.Contains(file) && file.Size >= JournalOptions.SmallestSegment && file.Size % Blocks.Size == 0)
            .Select(file => new Segment(file.Path, file.File, file.Size));
        (long, long, long) tail = chain.Count > 0 ? (chain[^1].Header!.Value.Sequence, tailEnd, LastLsn) : (0, 0, LastLsn);
        ring.Adopt(_live, free, tail, sequence, files.Count > 0 ? files.Max(file => file.Number) : 0);
    }

    private async ValueTask ReplayAsync(LogEvent.Whole batch, Segment segment, IReadOnlyList<IJournalParticipant> participants, CancellationToken cancel)
    {
        long at = batch.Header.Offset + BatchHeader.Length;
        DateTimeOffset time = DateTimeOffset.FromUnixTimeMilliseconds(batch.Header.Time);
        foreach (RecordView view in batch.Records)
        {
            long start = at;
            at += view.Total;
            if (view.Lsn <= Checkpoint) continue;

            ContentIndex.Entry entry = new(view.Lsn, segment, start + view.ContentStart, view.Content);
            if (view.Content.Kind != ContentKind.None) Contents.Add(entry);
            if (view.Content.Kind == ContentKind.Spool) CheckSpool(view);
            await TellAsync(new(new(view.Lsn), time, view.Relaxed, view.Steps, view.Content, view.Content.Kind == ContentKind.None ? null : () => ring.Open(entry, spool)), participants, cancel);
        }
    }

    private ValueTask ReplayAsync(HeldRecords.Held record, IReadOnlyList<IJournalParticipant> participants, CancellationToken cancel) =>
        TellAsync(new(new(record.Lsn), record.Time, record.View.Relaxed, record.View.Steps, record.View.Content, record.View.Content.Kind == ContentKind.None ? null : () => held.Open(record.Lsn)!) { IsHeld = true },
            record.Participant == HeldRecords.Everybody ? participants : [.. participants.Where(one => one.Id == record.Participant)], cancel);

    private async ValueTask TellAsync(JournalRecord record, IReadOnlyList<IJournalParticipant> participants, CancellationToken cancel)
    {
        foreach (IJournalParticipant participant in participants)
        {
            if (Concerns(record.Steps, participant.Id)) await participant.ReplayAsync(record, cancel);
        }

        Replayed++;
    }

    private static bool Concerns(IReadOnlyList<JournalStep> steps, byte participant)
    {
        foreach (JournalStep step in steps)
        {
            if (step.Participant == participant) return true;
        }

        return false;
    }

    private void CheckSpool(RecordView view)
    {
        _spooled.Add(view.Content.Spool);
        if (spool.TryStat(view.Content.Spool, out VolumeStat stat) && stat.Length == view.Content.Length) return;

        // Without the checkpoint file replay may begin too early; such a record's file was freed rightly.
        if (checkpoint.WasReadable) Lost($"spool file {view.Content.Spool:x16}", new(0, view.Lsn, view.Lsn));
    }

    private void Lost(string place, LogEvent.Damage damage)
    {
        if (!options.Salvage) throw new JournalDamagedException(place, $"records {damage.First} to {damage.Last} cannot be read");
        log.RecordsLost(place, damage.First, damage.Last);
    }
}
