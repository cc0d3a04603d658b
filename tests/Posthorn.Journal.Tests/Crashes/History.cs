using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Testing.Volumes;

namespace Posthorn.Journal.Tests.Crashes;

/// <summary>A generated history of one journal on a volume that crashes, with the model of what must hold after each crash.</summary>
internal sealed class History(int seed, HistoryKind kind)
{
    private const string Directory = "/journal";
#pragma warning disable CA5394 // Repeatable by its seed.
    private readonly Random _random = new(seed);
    private readonly FakeTimeProvider _time = new(new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Dictionary<long, Record> _records = [];
    private readonly List<long> _open = [];
    private readonly HashSet<long> _held = [];
    private readonly HashSet<long> _perhapsHeld = [];
    private Posthorn.Journal.Journal? _journal;
    private long _highest;
    private long _checkpoint;
    private long _checkpointTried;

    internal CrashVolume Volume { get; } = new(new FakeTimeProvider());
    internal int Failures { get; private set; }
    internal int Holds { get; private set; }
    internal int Stopped { get; private set; }
    internal int Full { get; private set; }
    internal long ReplayedRecords { get; private set; }

    private enum Fate
    {
        Pending,
        Acknowledged,
        Refused,
        Gone, // lost by a crash before it was acknowledged
    }

    private sealed class Record(byte[] payload, byte[]? content, bool relaxed)
    {
        internal byte[] Payload { get; } = payload;
        internal byte[]? Content { get; } = content;
        internal bool Relaxed { get; } = relaxed;
        internal Fate Fate { get; set; }
    }

    private static JournalOptions Options => new()
    {
        Directory = Directory,
        SegmentSize = 64 * 1024,
        Segments = 3,
        InlineLimit = 6000,
        BackgroundWork = false,
    };

    /// <summary>Runs some steps; the power may go anywhere in them.</summary>
    internal async Task RunAsync(int steps)
    {
        if (_journal is null) await OpenAsync();
        if (kind == HistoryKind.FailingSyncs) Volume.Fault = FailSome;
        for (int i = 0; i < steps; i++)
        {
            try
            {
                await StepAsync();
            }
            catch (JournalStoppedException) when (kind == HistoryKind.FailingSyncs)
            {
                // What was pending may come back or not; the next start decides.
                Stopped++;
                await _journal!.DisposeAsync();
                Volume.Fault = null;
                await OpenAsync();
                Volume.Fault = FailSome;
            }
        }
    }

    /// <summary>Cuts the power, if it is not cut, lets the disk settle, and opens anew, which checks everything. The power may go during the start as well.</summary>
    internal async Task CrashAsync(int crashSeed, int? cutInStart)
    {
        Volume.Fault = null;
        Volume.Crash(crashSeed);
        Volume.CutAt = cutInStart;
        try
        {
            await OpenAsync();
        }
        catch (PowerCut)
        {
            Volume.Crash(crashSeed + 1);
            await OpenAsync();
        }

        Volume.CutAt = null;
    }

    private VolumeError? FailSome(string operation, string path) =>
        operation is "sync" or "write" && (path.EndsWith(".seg", StringComparison.Ordinal) || path.EndsWith("checkpoint", StringComparison.Ordinal)) && _random.Next(6) == 0 ? VolumeError.Io : null;

    private async Task StepAsync()
    {
        switch (_random.Next(20))
        {
            case < 9:
                await AppendAsync(wait: true);
                break;
            case < 12:
                await AppendAsync(wait: false);
                break;
            case < 14:
                Relaxed();
                break;
            case < 15:
                await FlushAsync();
                break;
            case < 17:
                ApplySome();
                break;
            case < 18:
                await HoldAsync();
                break;
            case < 19:
                await CheckpointAsync();
                break;
            default:
                if (_random.Next(4) == 0) await ReopenAsync();
                break;
        }
    }

    private async Task AppendAsync(bool wait)
    {
        byte[] payload = Bytes(_random.Next(1, 300));
        byte[]? bytes = _random.Next(3) == 0 ? null : Bytes(_random.Next(8) switch { < 5 => _random.Next(0, 2000), < 7 => _random.Next(2000, 6000), _ => _random.Next(6001, 30000) });
        JournalContent? content = null;
        try
        {
            if (bytes is not null)
            {
                content = _journal!.CreateContent();
                await content.WriteAsync(bytes.AsMemory(0, bytes.Length / 2), default);
                await content.WriteAsync(bytes.AsMemory(bytes.Length / 2), default);
                await content.CompleteAsync(default);
            }

            Lsn lsn = _journal!.Append([new(1, 7, payload), new(2, 8, payload.AsMemory(0, payload.Length / 2))], content);
            Remember(lsn, new(payload, bytes, relaxed: false));
            if (wait) await WaitAsync(lsn);
        }
        catch (JournalFullException)
        {
            Full++;
            foreach (long lsn in _open.ToArray()) await ApplyAsync(lsn);
            await CheckpointAsync();
        }
        catch (VolumeException) when (kind == HistoryKind.FailingSyncs)
        {
            // The spool file could not be written: refused, nothing appended.
        }
        finally
        {
            if (content is not null) await content.DisposeAsync();
        }
    }

    private void Relaxed()
    {
        byte[] payload = Bytes(_random.Next(1, 60));
        try
        {
            Lsn lsn = _journal!.AppendRelaxed([new(1, 9, payload)]);
            Remember(lsn, new(payload, null, relaxed: true));
        }
        catch (JournalFullException)
        {
            Full++;
        }
    }

    private void Remember(Lsn lsn, Record record)
    {
        Assert.True(lsn.Value > _highest, $"LSN {lsn} was given out after {_highest}");
        _highest = lsn.Value;
        _records.Add(lsn.Value, record);
        _open.Add(lsn.Value);
    }

    private async Task WaitAsync(Lsn lsn)
    {
        try
        {
            await _journal!.WhenDurableAsync(lsn);
            foreach ((long other, Record record) in _records)
            {
                if (other <= lsn.Value && record.Fate == Fate.Pending) record.Fate = Fate.Acknowledged;
            }
        }
        catch (JournalFlushFailedException failed)
        {
            Failures++;
            foreach (long other in _records.Keys.Where(other => other >= failed.First.Value && other <= failed.Last.Value).ToArray()) Refuse(other);
        }
    }

    private void Refuse(long lsn)
    {
        _records[lsn].Fate = Fate.Refused;
        _open.Remove(lsn);
    }

    private async Task FlushAsync()
    {
        foreach (long lsn in _records.Keys.Where(lsn => _records[lsn].Fate == Fate.Pending).ToArray())
        {
            if (_records[lsn].Fate == Fate.Pending) await WaitAsync(new(lsn));
        }
    }

    private void ApplySome()
    {
        foreach (long lsn in _open.Where(lsn => _records[lsn].Fate == Fate.Acknowledged || _records[lsn].Relaxed).ToArray())
        {
            if (_random.Next(3) == 0) continue;
            _journal!.Applied(new(lsn));
            _open.Remove(lsn);
        }
    }

    private async Task ApplyAsync(long lsn)
    {
        if (_records[lsn].Fate == Fate.Pending) await WaitAsync(new(lsn));
        if (!_open.Remove(lsn)) return;
        _journal!.Applied(new(lsn));
    }

    /// <summary>Holds the oldest record that is not applied, or releases one that is held.</summary>
    private async Task HoldAsync()
    {
        long oldest = _open.Where(lsn => _records[lsn].Fate == Fate.Acknowledged).DefaultIfEmpty().Min();
        if (oldest == 0 || _held.Count > 2)
        {
            if (_held.Count == 0) return;
            long release = _held.Min();
            _held.Remove(release);
            _perhapsHeld.Add(release); // if the power goes now
            _journal!.Release(new(release));
            _perhapsHeld.Remove(release);
            return;
        }

        _perhapsHeld.Add(oldest);
        Assert.True(await _journal!.HoldAsync(new(oldest), default));
        _held.Add(oldest);
        _open.Remove(oldest);
        Holds++;
    }

    private async Task CheckpointAsync()
    {
        // It flushes what is pending: ask for each fate first, so that the model knows it.
        await FlushAsync();
        _checkpointTried = Math.Max(_checkpointTried, _open.Count > 0 ? _open.Min() - 1 : _highest);
        try
        {
            Lsn done = await _journal!.CheckpointAsync(default);
            _checkpoint = Math.Max(_checkpoint, done.Value);
            Assert.True(_open.Count == 0 || done.Value < _open.Min());
        }
        catch (VolumeException) when (kind == HistoryKind.FailingSyncs)
        {
            // Nothing is freed.
        }
    }

    private async Task ReopenAsync()
    {
        await FlushAsync();
        await _journal!.DisposeAsync();
        Func<string, string, VolumeError?>? faults = Volume.Fault;
        Volume.Fault = null;
        await OpenAsync();
        Volume.Fault = faults;
    }

    private async Task OpenAsync()
    {
        // A start may checkpoint too, when no segment is free.
        Recorder recorder = new(1);
        recorder.OnSync = upTo =>
        {
            _checkpointTried = Math.Max(_checkpointTried, upTo.Value);
            foreach (Recorder.Replayed replayed in recorder.Records.Where(replayed => !replayed.IsHeld)) _held.Remove(replayed.Lsn.Value); // the log still had it
        };
        _journal = await Posthorn.Journal.Journal.OpenAsync(Options, Volume, [recorder], _time, NullLogger.Instance, default);
        Check(recorder);
        _checkpoint = _journal.Checkpointed.Value;
        _time.Advance(TimeSpan.FromSeconds(_random.Next(3)));
    }

    private void Check(Recorder recorder)
    {
        ReplayedRecords += recorder.Records.Count;
        long last = 0;
        HashSet<long> seen = [];
        foreach (Recorder.Replayed replayed in recorder.Records)
        {
            long lsn = replayed.Lsn.Value;
            Assert.True(lsn > last, "replay is in order and nothing comes twice");
            last = lsn;
            seen.Add(lsn);
            Assert.True(_records.TryGetValue(lsn, out Record? record), $"record {lsn} was never appended");
            Assert.True(record.Fate is Fate.Acknowledged or Fate.Pending, $"record {lsn} is {record.Fate} and came back");
            Assert.True(lsn > _checkpoint || (replayed.IsHeld && (_held.Contains(lsn) || _perhapsHeld.Contains(lsn))), $"record {lsn} is below checkpoint {_checkpoint}");
            Assert.Equal(record.Relaxed, replayed.Relaxed);
            Assert.Equal(record.Payload, replayed.Steps[0].Payload);
            Assert.Equal(record.Content, replayed.Content);
        }

        // Below what a checkpoint was trying to record, either is right.
        long? firstMissing = null;
        foreach ((long lsn, Record record) in _records.OrderBy(entry => entry.Key))
        {
            bool replayed = seen.Contains(lsn);
            if (_held.Contains(lsn)) Assert.True(replayed, $"held record {lsn} is lost");
            if (record.Fate == Fate.Acknowledged && lsn > _checkpointTried) Assert.True(replayed, $"acknowledged record {lsn} is lost");
            if (record.Fate == Fate.Pending && lsn > _checkpointTried)
            {
                if (!replayed) firstMissing ??= lsn;
                else Assert.True(firstMissing is null, $"record {lsn} came back without {firstMissing} before it");
                record.Fate = replayed ? Fate.Acknowledged : Fate.Gone;
            }
        }

        _open.Clear(); // replayed means applied
        _held.Clear();
        _held.UnionWith(recorder.Records.Where(replayed => replayed.IsHeld).Select(replayed => replayed.Lsn.Value));
    }

    private byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        _random.NextBytes(bytes);
        return bytes;
    }
#pragma warning restore CA5394
}

/// <summary>What goes wrong beside the power.</summary>
internal enum HistoryKind
{
    Sound,
    FailingSyncs,
}
