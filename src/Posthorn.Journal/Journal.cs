using Microsoft.Extensions.Logging;
using Posthorn.Journal.Content;
using Posthorn.Journal.Format;
using Posthorn.Journal.Ring;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal;

/// <summary>The one redo log: what a client is told is in here first, flushed.</summary>
/// <remarks>
/// The way of a record: <see cref="Append"/>, <see cref="WhenDurableAsync"/>, the owner applies its steps, <see cref="Applied"/>.
/// Locking: <c>_gate</c> guards the ring, the writer and the index, and is never held across a call to the volume or a participant;
/// <c>_care</c> lets one at a time checkpoint and make segments. Members may be called from any thread.
/// </remarks>
public sealed class Journal : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _care = new(1, 1);
    private readonly JournalOptions _options;
    private readonly IVolume _volume;
    private readonly IReadOnlyList<IJournalParticipant> _participants;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly IVolumeFile _lock;
    private readonly CheckpointFile _checkpoint;
    private readonly SpoolFolder _spool;
    private readonly SegmentRing _ring;
    private readonly HeldRecords _held;
    private LogWriter _writer = null!; // set before OpenAsync returns
    private long _epoch;
    private long _replayed;
    private TaskCompletionSource _cared = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _checkpoints;
    private bool _caring;
    private bool _closed;

    private Journal(JournalOptions options, IVolume volume, IReadOnlyList<IJournalParticipant> participants, TimeProvider time, ILogger log, IVolumeFile lockFile)
    {
        (_options, _volume, _participants, _time, _log, _lock) = (options, volume, participants, time, log, lockFile);
        _checkpoint = CheckpointFile.Open(volume, options.Directory);
        _spool = new(volume, SpoolPath(options));
        _ring = new(volume, options.Directory, _gate);
        _held = new(volume, options.Directory + "/held", _spool);
    }

    /// <summary>What it did so far.</summary>
    public JournalStatistics Statistics => _writer.Statistics(_checkpoints, _replayed);

    /// <summary>The highest record that a checkpoint covers.</summary>
    public Lsn Checkpointed => new(_checkpoint.Lsn);

    /// <summary>The last record of which it is settled whether it is durable.</summary>
    public Lsn Settled
    {
        get
        {
            lock (_gate) return new(_writer.Durable);
        }
    }

    /// <summary>Bytes that the steps of one record may have.</summary>
    public int StepsLimit => _options.StepsLimit;

    /// <summary>The run that writes now.</summary>
    public long Epoch => _epoch;

    /// <summary>Opens the journal, replays what lies above the last checkpoint to the participants in order, and opens a new epoch.</summary>
    /// <exception cref="JournalInUseException">Another process has it open.</exception>
    /// <exception cref="JournalDamagedException">Acknowledged records cannot be read.</exception>
    /// <exception cref="VolumeException">The directory cannot be read or written.</exception>
    public static async ValueTask<Journal> OpenAsync(JournalOptions options, IVolume volume, IReadOnlyList<IJournalParticipant> participants, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        options = options.Checked();
        MakeDirectories(volume, options);
        IVolumeFile lockFile = volume.Open(options.Directory + "/lock", VolumeOpen.OpenOrCreate);
        Journal? journal = null;
        try
        {
            if (!lockFile.TryLock()) throw new JournalInUseException(options.Directory);
            journal = new(options, volume, participants, time, log, lockFile);
            await journal.StartAsync(cancel);
            return journal;
        }
        catch
        {
            if (journal is null) lockFile.Dispose();
            else journal.CloseFiles();
            throw;
        }
    }

    /// <summary>Empty content, to be written, completed and appended.</summary>
    public JournalContent CreateContent() => new(_spool, _options.InlineLimit, _options.ContentLimit);

    /// <summary>Takes the next LSN for a record and copies it into the pending batch. Cheap, does not wait; may be called under an account's lock. The caller goes on with <see cref="WhenDurableAsync"/> and, when all steps are applied, <see cref="Applied"/>.</summary>
    /// <exception cref="JournalFullException">The ring is full. Nothing was taken.</exception>
    /// <exception cref="JournalException">The record is too large, or the journal has stopped.</exception>
    public Lsn Append(ReadOnlySpan<JournalStep> steps, JournalContent? content)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        return _writer.Append(steps, content, relaxed: false);
    }

    /// <summary>As <see cref="Append"/>, for what may be lost by a power cut (flag changes): durable at the latest with the next flush, checkpoint or close; nobody needs to wait for it.</summary>
    public Lsn AppendRelaxed(ReadOnlySpan<JournalStep> steps)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        return _writer.Append(steps, null, relaxed: true);
    }

    /// <summary>After <see cref="JournalFullException"/>: has the ring cared for and waits for room. False when there is none after that, or not in time: a volume of the mail hangs or fails.</summary>
    public async ValueTask<bool> WhenRoomAsync(TimeSpan limit, CancellationToken cancel)
    {
        Task cared;
        lock (_gate)
        {
            if (_writer.HasRoom) return true;
            cared = _cared.Task;
            RequestCare();
            if (!_caring) return false;
        }

        try
        {
            await cared.WaitAsync(limit, _time, cancel);
        }
        catch (TimeoutException)
        {
            return false;
        }

        lock (_gate) return _writer.HasRoom;
    }

    /// <summary>Completes when the record is durable, and with it all before it. The first to ask flushes on its own thread.</summary>
    /// <exception cref="JournalFlushFailedException">It will never be: nobody may be told that it happened, and no replay will bring it back.</exception>
    public ValueTask WhenDurableAsync(Lsn lsn) => _writer.WhenDurableAsync(lsn);

    /// <summary>Says that all steps of the record are applied. Records whose flush failed need not be named.</summary>
    public void Applied(Lsn lsn)
    {
        lock (_gate) _writer.Window.Mark(lsn.Value);
    }

    /// <summary>The content of a durable record that no checkpoint covers yet, or that is held; the caller disposes it. Null when there is none (any more).</summary>
    public JournalContent? OpenContent(Lsn lsn)
    {
        ContentIndex.Entry entry;
        lock (_gate)
        {
            if (!_writer.Index.TryFind(lsn.Value, out entry)) entry = default;
            else if (entry.Content.Kind == ContentKind.Inline) return _ring.Open(entry, _spool);
        }

        if (entry.Segment is null) return _held.Open(lsn.Value);
        try
        {
            return _ring.Open(entry, _spool);
        }
        catch (VolumeException missing) when (missing.Error == VolumeError.Missing)
        {
            return null; // a checkpoint came between
        }
    }

    /// <summary>
    /// Takes a durable record out of the ring into a file of its own, for a volume that hangs or fails: the ring is freed without it.
    /// It comes back at each start (<see cref="JournalRecord.IsHeld"/>), before all others, until <see cref="Release(Lsn)"/>.
    /// May be called from <see cref="IJournalParticipant.SyncAsync"/>. For the journal it counts as applied.
    /// </summary>
    /// <returns>False when no record above the checkpoint has this number.</returns>
    /// <exception cref="VolumeException">Its file cannot be written; nothing has changed.</exception>
    public ValueTask<bool> HoldAsync(Lsn lsn, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Hold(new(lsn.Value - 1), lsn, HeldRecords.Everybody, _ => true) > 0);
    }

    /// <summary>As above, for all durable records up to one that concern something, on behalf of one participant: only that one gets them back.</summary>
    /// <returns>How many it were; those that are held already do not count.</returns>
    /// <exception cref="VolumeException">A file cannot be written; those before it are held.</exception>
    public int Hold(Lsn upTo, byte participant, Predicate<JournalRecord> concerns) => Hold(Checkpointed, upTo, participant, concerns);

    /// <summary>The durable records above the last checkpoint up to one, and those that are held. Their memory is valid until the next one is asked for.</summary>
    public IEnumerable<JournalRecord> Read(Lsn upTo)
    {
        // Pinned first: what a checkpoint holds and frees meanwhile is then found among the held ones or still in its segment, and given out once.
        long above = _checkpoint.Lsn;
        List<Segment> segments = _ring.PinAbove(above);
        try
        {
            HashSet<long> given = [];
            foreach (HeldRecords.Held held in _held.All())
                if (given.Add(held.Lsn)) yield return RecordOf(held.Time, held.View);
            foreach ((DateTimeOffset time, RecordView view, ReadOnlyMemory<byte> _) in Walk(segments, above, upTo.Value))
                if (!given.Contains(view.Lsn)) yield return RecordOf(time, view);
        }
        finally
        {
            foreach (Segment segment in segments) _ring.Unpin(segment);
        }
    }

    /// <summary>What a held record says is durable now: it is not needed any more and never comes back. Syncs a directory; does nothing for a record that is not held.</summary>
    public void Release(Lsn lsn) => _held.Release(lsn.Value, _checkpoint.Lsn);

    /// <summary>As above, for some steps of a held record; the others come back at the next start. What later records did to their outcome may be forgotten then, so this must be said before it is of those.</summary>
    public void Release(Lsn lsn, Predicate<JournalStep> isOver) => _held.Release(lsn.Value, isOver);

    /// <summary>Lets the participants sync what is applied, notes that durably and frees what it covers. Also for the owner to call on idle. Returns the checkpoint that holds now.</summary>
    /// <exception cref="JournalStoppedException">The journal has stopped.</exception>
    public async ValueTask<Lsn> CheckpointAsync(CancellationToken cancel)
    {
        await _care.WaitAsync(cancel);
        try
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            await AdvanceAsync(cancel);
            MakeSegments();
            return Checkpointed;
        }
        finally
        {
            _care.Release();
        }
    }

    /// <summary>Flushes what is pending and closes. A checkpoint before it makes the next start quick.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_closed) return;
        _closed = true;
        await _care.WaitAsync(CancellationToken.None);
        try
        {
            await _writer.FlushAsync();
        }
        finally
        {
            CloseFiles();
            _care.Release();
        }
    }

    private int Hold(Lsn above, Lsn upTo, byte participant, Predicate<JournalRecord> concerns)
    {
        int count = 0;
        foreach ((DateTimeOffset time, RecordView view, ReadOnlyMemory<byte> bytes) in Walk(Math.Max(above.Value, _checkpoint.Lsn), upTo.Value))
        {
            if (_held.Contains(view.Lsn) || !concerns(RecordOf(time, view))) continue;
            _held.Hold(view.Lsn, participant, time, view, bytes);
            Applied(new(view.Lsn));
            count++;
        }

        return count;
    }

    private JournalRecord RecordOf(DateTimeOffset time, RecordView view) => new(new(view.Lsn), time, view.Relaxed, view.Steps, view.Content,
        view.Content.Kind == ContentKind.None ? null : () => OpenContent(new(view.Lsn)) ?? throw new InvalidOperationException($"Record {view.Lsn} has no content any more."));

    private IEnumerable<(DateTimeOffset Time, RecordView View, ReadOnlyMemory<byte> Bytes)> Walk(long above, long upTo)
    {
        List<Segment> segments = _ring.PinAbove(above);
        try
        {
            foreach ((DateTimeOffset, RecordView, ReadOnlyMemory<byte>) record in Walk(segments, above, upTo)) yield return record;
        }
        finally
        {
            foreach (Segment segment in segments) _ring.Unpin(segment);
        }
    }

    private static IEnumerable<(DateTimeOffset Time, RecordView View, ReadOnlyMemory<byte> Bytes)> Walk(List<Segment> segments, long above, long upTo)
    {
        List<RecordView> records = [];
        foreach (Segment segment in segments)
        {
            using SegmentReader reader = new(segment.File, segment.Header);
            for (long at = Blocks.Size; at < segment.End && reader.TryHead(at, out BatchHeader batch) && batch.FirstLsn <= upTo; at = batch.End)
            {
                if (batch.LastLsn <= above) continue;
                if (!reader.TryRecords(batch, records)) break;
                int start = 0;
                foreach (RecordView view in records)
                {
                    if (view.Lsn > above && view.Lsn <= upTo) yield return (DateTimeOffset.FromUnixTimeMilliseconds(batch.Time), view, reader.Bytes(start, view.Total));
                    start += view.Total;
                }
            }
        }
    }

    private static string SpoolPath(JournalOptions options) => options.Directory + "/spool";

    private static void MakeDirectories(IVolume volume, JournalOptions options)
    {
        if (!volume.TryStat(options.Directory, out _))
        {
            volume.MakeDirectory(options.Directory);
            volume.SyncDirectory(Path.GetDirectoryName(options.Directory)!);
        }

        if (volume.TryStat(SpoolPath(options), out _)) return;
        volume.MakeDirectory(SpoolPath(options));
        volume.SyncDirectory(options.Directory);
    }

    private async ValueTask StartAsync(CancellationToken cancel)
    {
        foreach (VolumeEntry entry in _volume.List(_options.Directory, times: false))
        {
            if (entry.Name.EndsWith(".seg.new", StringComparison.Ordinal)) _volume.Unlink($"{_options.Directory}/{entry.Name}");
        }

        Recovery recovery = new(_options, _checkpoint, _spool, _ring, _held, _log);
        List<SegmentFile> files = LogReader.Scan(_volume, _options.Directory, VolumeOpen.ReadWrite);
        await recovery.RunAsync(files, _participants, _time.GetUtcNow(), cancel);
        (_epoch, _replayed) = (recovery.Epoch, recovery.Replayed);
        recovery.SweepSpool();

        _writer = new(_gate, _options, _ring, _checkpoint, _time, _log, _epoch, recovery.FirstLsn) { CareNeeded = RequestCare };
        foreach (ContentIndex.Entry entry in recovery.Contents) _writer.Index.Add(entry);
        foreach (IJournalParticipant participant in _participants) participant.Replayed(this);
        if (_ring.Free.Count == 0) await MakeRoomAsync(recovery, cancel);
        OpenEpoch(recovery.FirstLsn);
        _log.JournalOpened(_options.Directory, _epoch, _replayed, new(recovery.Checkpoint));
        if (!_options.BackgroundWork) MakeSegments();
        else if (_ring.Count < _options.Segments || _ring.IsHalfUsed) RequestCare();
    }

    /// <summary>A free segment for the new epoch: a further one, or the old ones after a checkpoint of what was replayed.</summary>
    private async ValueTask MakeRoomAsync(Recovery recovery, CancellationToken cancel)
    {
        if (_ring.Count < _options.Segments)
        {
            _ring.Free.Add(_ring.Make(_options.SegmentSize));
            return;
        }

        foreach (IJournalParticipant participant in _participants) await participant.SyncAsync(new(recovery.LastLsn), cancel);
        Free(recovery.LastLsn);
    }

    /// <summary>Begins a segment for this run and so says where the log of the last one ended.</summary>
    private void OpenEpoch(long firstLsn)
    {
        byte[] head = new byte[Blocks.Size];
        while (true)
        {
            Segment segment = _ring.TakeFree(_epoch, firstLsn, _checkpoint.Lsn, _time.GetUtcNow().ToUnixTimeMilliseconds())
                ?? throw new JournalException($"{_options.Directory}: no segment can be written; look at the disk.");
            try
            {
                segment.Header.Write(head);
                segment.File.Write(0, head);
                segment.File.SyncData();
                _ring.Begun(segment);
                return;
            }
            catch (VolumeException cause) when (cause.Error == VolumeError.Io && _ring.Free.Count > 0)
            {
                _log.FlushFailed(cause, firstLsn, firstLsn, segment.Path);
                _ring.Poison(segment);
            }
        }
    }

    private async ValueTask AdvanceAsync(CancellationToken cancel)
    {
        await _writer.FlushAsync();
        _writer.ThrowIfStopped();
        long durable;
        lock (_gate) durable = _writer.Durable;
        foreach (IJournalParticipant participant in _participants) await participant.PrepareAsync(new(durable), cancel);
        long upTo;
        lock (_gate) upTo = Math.Min(_writer.Window.Low - 1, _writer.Durable);
        if (upTo <= _checkpoint.Lsn) return;

        foreach (IJournalParticipant participant in _participants) await participant.SyncAsync(new(upTo), cancel);
        Free(upTo);
    }

    /// <summary>Everything up to here is safe elsewhere: notes that durably, then forgets it.</summary>
    private void Free(long upTo)
    {
        _checkpoint.Advance(upTo, _epoch);
        List<long> spools = [];
        lock (_gate)
        {
            _checkpoints++;
            _ring.FreeUpTo(upTo);
            _writer.Index.Forget(upTo, spools);
        }

        foreach (long id in spools)
        {
            if (!_held.Names(id)) _spool.Remove(id);
        }
    }

    /// <summary>Replaces discarded segments and makes missing ones. Called by one at a time.</summary>
    private void MakeSegments()
    {
        Segment[] discarded;
        lock (_gate)
        {
            discarded = [.. _ring.Discarded];
            _ring.Discarded.Clear();
        }

        foreach (Segment segment in discarded) _ring.Remove(segment);
        while (true)
        {
            int count;
            lock (_gate) count = _ring.Count;
            if (count >= _options.Segments) return;
            try
            {
                Segment segment = _ring.Make(_options.SegmentSize);
                lock (_gate) _ring.Free.Add(segment);
            }
            catch (VolumeException cause)
            {
                _log.SegmentNotMade(cause, count, _options.Segments);
                return;
            }
        }
    }

    /// <summary>Called under the lock: lets a thread of the pool checkpoint and make segments, unless one does already.</summary>
    private void RequestCare()
    {
        if (_caring || _closed || !_options.BackgroundWork) return;
        _caring = true;
        ThreadPool.UnsafeQueueUserWorkItem(static journal => _ = journal.CareAsync(), this, preferLocal: false);
    }

    private async Task CareAsync()
    {
        await _care.WaitAsync(CancellationToken.None);
#pragma warning disable CA1031 // A worker of the journal: whatever a participant throws, the journal goes on and tries again later.
        try
        {
            if (_closed) return;
            _writer.ThrowIfStopped();
            MakeSegments();
            bool due;
            lock (_gate) due = _ring.IsHalfUsed || _ring.Free.Count == 0;
            if (due) await AdvanceAsync(CancellationToken.None);
        }
        catch (Exception cause)
        {
            _log.CheckpointFailed(cause);
        }
        finally
        {
            TaskCompletionSource cared;
            lock (_gate)
            {
                _caring = false;
                (cared, _cared) = (_cared, new(TaskCreationOptions.RunContinuationsAsynchronously));
            }

            _care.Release();
            cared.SetResult();
        }
#pragma warning restore CA1031
    }

    private void CloseFiles()
    {
        _ring.CloseFiles();
        _checkpoint.Dispose();
        _lock.Dispose();
    }
}
