using Microsoft.Extensions.Logging;
using Posthorn.Journal.Content;
using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal.Ring;

/// <summary>Takes records in and makes them durable: group commit with leader and followers.</summary>
/// <remarks>
/// Locking: <c>gate</c> guards every field here and the ring, and is never held across a call to the volume. Whoever sets
/// <c>_flushing</c> is the leader: it alone takes batches from the queue, writes and syncs, until it clears it or hands it on.
/// A batch's place is planned when it is opened, so that a full ring is known before an LSN is given out.
/// </remarks>
internal sealed class LogWriter : IThreadPoolWorkItem
{
    // One in flight, one that fills, one whose waiters are being told. A new one costs arrays so large that the runtime collects everything for them.
    private const int SpareBatches = 3;

    private readonly Lock _gate;
    private readonly JournalOptions _options;
    private readonly SegmentRing _ring;
    private readonly CheckpointFile _checkpoint;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly long _epoch;
    private readonly List<Batch> _queue = [];
    private readonly List<(long First, long Last, JournalException Failure)> _failed = [];
    private readonly byte[] _head = new byte[Blocks.Size];
    private Batch? _inFlight;
    private readonly Stack<Batch> _spare = new(SpareBatches);
    private bool _flushing;
    private long _next;
    private long _settled;
    private long _tailEnd;
    private int _claims;
    private JournalStoppedException? _dead;
    private long _records, _bytes, _flushes;
    private int _largest, _failures;

    internal LogWriter(Lock gate, JournalOptions options, SegmentRing ring, CheckpointFile checkpoint, TimeProvider time, ILogger log, long epoch, long firstLsn)
    {
        (_gate, _options, _ring, _checkpoint, _time, _log, _epoch) = (gate, options, ring, checkpoint, time, log, epoch);
        (_next, _settled, _tailEnd) = (firstLsn, firstLsn - 1, Blocks.Size);
        (Window, Index) = (new(firstLsn), new());
    }

    internal AppliedWindow Window { get; }
    internal ContentIndex Index { get; }

    /// <summary>Called under the lock when the ring needs care: half of it is used, or it is full.</summary>
    internal Action? CareNeeded { get; set; }

    /// <summary>Whether a record finds a place in another segment. Called under the lock.</summary>
    internal bool HasRoom => _claims < _ring.Free.Count;

    /// <summary>The highest record that is durable.</summary>
    internal long Durable => _settled;

    /// <exception cref="JournalStoppedException">It has stopped: nothing on disk may change any more, so that the next start finds what there was.</exception>
    internal void ThrowIfStopped()
    {
        lock (_gate)
        {
            if (_dead is not null) throw new JournalStoppedException(_dead.InnerException!);
        }
    }

    internal JournalStatistics Statistics(int checkpoints, long replayed)
    {
        lock (_gate) return new(_records, _bytes, _flushes, _largest, _failures, checkpoints, replayed);
    }

    internal Lsn Append(ReadOnlySpan<JournalStep> steps, JournalContent? content, bool relaxed)
    {
        if (content is { IsComplete: false }) throw new InvalidOperationException("Complete the content before it is appended.");
        int length = RecordCodec.LengthOf(steps);
        if (steps.Length > ushort.MaxValue || length > _options.StepsLimit)
            throw new JournalRecordTooLargeException($"A record of {steps.Length} steps and {length} bytes is larger than the journal takes.");

        ContentReference reference = content?.Reference ?? default;
        int total = length + (reference.Kind == ContentKind.Inline ? Blocks.Eight((int)reference.Length) : 0);
        lock (_gate)
        {
            ThrowIfStopped();
            Batch batch = BatchFor(total);
            long lsn = _next++;
            batch.Add(lsn, relaxed, steps, length, reference, content);
            Window.Add(lsn);

            // Riders that nobody waits for must not pile up.
            if (_queue.Count > 1 && !_flushing && _options.BackgroundWork) HandOver();
            return new(lsn);
        }
    }

    internal ValueTask WhenDurableAsync(Lsn lsn)
    {
        lock (_gate)
        {
            if (lsn.Value >= _next) throw new ArgumentOutOfRangeException(nameof(lsn), lsn, "No such record was appended.");
            if (Failure(lsn.Value) is { } failed) return ValueTask.FromException(failed);
            if (lsn.Value <= _settled) return ValueTask.CompletedTask;
            if (_flushing) return new(BatchOf(lsn.Value).Wait());
            _flushing = true;
        }

        Lead(lsn.Value);
        lock (_gate) return Failure(lsn.Value) is { } failed ? ValueTask.FromException(failed) : ValueTask.CompletedTask;
    }

    /// <summary>Makes durable all that was appended before the call, riders included. What fails is told to those who wait for it.</summary>
    internal async ValueTask FlushAsync()
    {
        Lsn last;
        lock (_gate)
        {
            if ((_queue.Count > 0 ? _queue[^1] : _inFlight) is not { } batch) return;
            last = new(batch.Last);
        }

        try
        {
            await WhenDurableAsync(last);
        }
        catch (JournalFlushFailedException)
        {
            // Logged where it happened.
        }
    }

    /// <summary>Leads on a thread of the pool, as long as there is somebody who waits.</summary>
    void IThreadPoolWorkItem.Execute()
    {
#pragma warning disable CA1031 // The last frame of a worker: those who wait were told, and nothing can follow (Stop).
        try
        {
            Lead(long.MaxValue);
        }
        catch (Exception)
        {
        }
#pragma warning restore CA1031
    }

    private void HandOver()
    {
        _flushing = true;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>The batch that takes a record of so many bytes: the open one, or a new one behind it.</summary>
    private Batch BatchFor(int total)
    {
        Batch? open = _queue.Count > 0 ? _queue[^1] : null;
        if (open is not null && open.Body + total <= _options.BatchLimit && open.Start + BatchHeader.Length + open.Body + total <= open.SegmentSize) return open;

        long start = open?.End ?? _tailEnd;
        int size = open?.SegmentSize ?? _ring.Current?.Size ?? 0;
        bool fresh = start + BatchHeader.Length + total > size;
        if (fresh)
        {
            if (_claims >= _ring.Free.Count)
            {
                CareNeeded?.Invoke();
                throw new JournalFullException();
            }

            (start, size) = (Blocks.Size, _ring.Free[_claims].Size);
            if (start + BatchHeader.Length + total > size) throw new JournalRecordTooLargeException($"A record of {total} bytes does not fit into a segment of {size}.");
            _claims++;
        }

        if (!_spare.TryPop(out Batch? batch)) batch = new();
        (batch.Start, batch.NewSegment, batch.SegmentSize) = (start, fresh, size);
        _queue.Add(batch);
        return batch;
    }

    private void Lead(long upTo)
    {
        while (true)
        {
            Batch batch = Next(out Segment segment, out SegmentHeader head);
            VolumeException? failure = null;
            try
            {
                Write(batch, segment, head);
            }
            catch (VolumeException cause)
            {
                failure = cause;
                _log.FlushFailed(cause, batch.First, batch.Last, segment.Path);
                NameTheEnd(batch, segment);
            }
            catch (Exception cause)
            {
                Stop(batch, cause);
                throw;
            }

            bool goOn = Settle(batch, segment, failure, upTo, out TaskCompletionSource? waiters);
            batch.ReleaseContent(keep: failure is null || _dead is not null); // whose fate is unknown may need its spool file
            if (waiters is not null) Tell(waiters, batch);
            Recycle(batch);
            if (!goOn) return;
        }
    }

    private static void Tell(TaskCompletionSource waiters, Batch batch)
    {
        if (batch.Failure is null) waiters.SetResult();
        else waiters.SetException(batch.Failure);
    }

    /// <summary>Takes the next batch and, if it begins one, its segment.</summary>
    private Batch Next(out Segment segment, out SegmentHeader head)
    {
        long now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        lock (_gate)
        {
            Batch batch = _queue[0];
            _queue.RemoveAt(0);
            _inFlight = batch;
            _tailEnd = batch.End;
            if (batch.NewSegment) _claims--;
            segment = batch.NewSegment ? _ring.TakeFree(_epoch, batch.First, _checkpoint.Lsn, now)! : _ring.Current!;
            head = segment.Header;
            return batch;
        }
    }

    private void Write(Batch batch, Segment segment, in SegmentHeader head)
    {
        BatchHeader header = new(head.Salt, head.Epoch, batch.First, _ring.Tail.Lsn, _time.GetUtcNow().ToUnixTimeMilliseconds(), batch.Count, batch.Body, batch.Start);
        if (batch.NewSegment) head.Write(_head);
        List<ReadOnlyMemory<byte>> parts = batch.Seal(header, batch.NewSegment ? _head : default);
        long at = batch.NewSegment ? 0 : batch.Start;
        if (parts.Count == 1) segment.File.Write(at, parts[0].Span);
        else segment.File.Write(at, parts);
        segment.File.SyncData();
    }

    /// <summary>Notes the fate of a batch. True when the leader goes on with the next.</summary>
    private bool Settle(Batch batch, Segment segment, VolumeException? failure, long upTo, out TaskCompletionSource? waiters)
    {
        lock (_gate)
        {
            _inFlight = null;
            waiters = batch.Waiters;
            _settled = batch.Last;
            if (failure is null) Acknowledge(batch, segment);
            else Void(batch, failure);

            bool wanted = _dead is null && _queue.Count > 0 && (_queue.Count > 1 || _queue[0].Waiters is not null);
            if (_dead is null && _queue.Count > 0 && (upTo == long.MaxValue ? wanted : batch.Last < upTo && upTo >= _queue[0].First)) return true;

            // The next leader starts before those who waited for this batch run and compete for the processor.
            if (wanted) HandOver();
            else _flushing = false;
            return false;
        }
    }

    private void Acknowledge(Batch batch, Segment segment)
    {
        if (batch.NewSegment) _ring.Begun(segment);
        _ring.Acknowledge(batch.End, batch.Last);
        foreach ((long lsn, int at, ContentReference content) in batch.Contents) Index.Add(new(lsn, segment, batch.Start + at, content));
        _records += batch.Count;
        _bytes += batch.End - batch.Start;
        _flushes++;
        _largest = Math.Max(_largest, batch.Count);
        if (batch.NewSegment && _ring.IsHalfUsed) CareNeeded?.Invoke();
    }

    private void Void(Batch batch, Exception cause)
    {
        _failures++;
        batch.Failure = _dead is not null ? _dead : new JournalFlushFailedException(new(batch.First), new(batch.Last), cause);
        _failed.Add((batch.First, batch.Last, batch.Failure));
        if (_dead is not null) return; // they may yet come back: no checkpoint passes them
        for (long lsn = batch.First; lsn <= batch.Last; lsn++) Window.Mark(lsn);
    }

    /// <summary>After a failed flush: says durably where the acknowledged log ends, before anybody hears of the failure.</summary>
    private void NameTheEnd(Batch batch, Segment failed)
    {
        while (true)
        {
            Segment? next;
            lock (_gate)
            {
                _ring.Poison(failed);
                next = _ring.TakeFree(_epoch, batch.Last + 1, _checkpoint.Lsn, _time.GetUtcNow().ToUnixTimeMilliseconds());
            }

            if (next is null) break;
            try
            {
                next.Header.Write(_head);
                next.File.Write(0, _head);
                next.File.SyncData();
                lock (_gate)
                {
                    _ring.Begun(next);
                    Replan();
                }

                return;
            }
            catch (VolumeException cause)
            {
                _log.FlushFailed(cause, batch.First, batch.Last, next.Path);
                failed = next;
            }
        }

        JournalStoppedException? dead = null;
        lock (_gate) _ring.CloseCurrent();
        try
        {
            _checkpoint.Close(_epoch, _ring.Tail.Sequence, _ring.Tail.End, _ring.LastSequence);
        }
        catch (VolumeException cause)
        {
            _log.Stopped(cause);
            dead = new(cause);
        }

        lock (_gate)
        {
            _dead = dead;
            Replan();
        }
    }

    /// <summary>Plans the waiting batches anew after the segment they were meant for is lost. What finds no place fails.</summary>
    private void Replan()
    {
        _claims = 0;
        _tailEnd = Blocks.Size;
        long start = _tailEnd;
        int size = _ring.Current?.Size ?? 0;
        for (int i = 0; i < _queue.Count; i++)
        {
            Batch batch = _queue[i];
            batch.NewSegment = start + BatchHeader.Length + batch.Body > size;
            if (batch.NewSegment)
            {
                if (_dead is not null || _claims >= _ring.Free.Count || Blocks.Size + BatchHeader.Length + batch.Body > _ring.Free[_claims].Size)
                {
                    FailFrom(i);
                    return;
                }

                (start, size) = (Blocks.Size, _ring.Free[_claims++].Size);
            }

            (batch.Start, batch.SegmentSize) = (start, size);
            start = batch.End;
        }
    }

    private void FailFrom(int index)
    {
        Exception cause = _dead?.InnerException ?? new JournalFullException();
        for (int i = index; i < _queue.Count; i++)
        {
            Batch batch = _queue[i];
            Void(batch, cause);
            batch.ReleaseContent(keep: _dead is not null);
            if (batch.Waiters is { } waiters) Tell(waiters, batch);
        }

        _queue.RemoveRange(index, _queue.Count - index);
    }

    /// <summary>Something happened that must not: nothing more is written, and everybody who waits is told.</summary>
    private void Stop(Batch batch, Exception cause)
    {
        lock (_gate)
        {
            _dead = new(cause);
            _inFlight = null;
            Void(batch, cause);
            batch.ReleaseContent(keep: true);
            if (batch.Waiters is { } waiters) Tell(waiters, batch);
            FailFrom(0);
            _flushing = false;
        }
    }

    private void Recycle(Batch batch)
    {
        batch.Reset();
        lock (_gate)
            if (_spare.Count < SpareBatches) _spare.Push(batch);
    }

    private JournalException? Failure(long lsn)
    {
        for (int i = _failed.Count - 1; i >= 0; i--)
        {
            if (lsn >= _failed[i].First && lsn <= _failed[i].Last) return _failed[i].Failure;
        }

        return null;
    }

    private Batch BatchOf(long lsn)
    {
        if (_inFlight is { } batch && lsn <= batch.Last) return batch;
        foreach (Batch waiting in _queue)
        {
            if (lsn <= waiting.Last) return waiting;
        }

        throw new InvalidOperationException($"Record {lsn} is in no batch.");
    }
}
