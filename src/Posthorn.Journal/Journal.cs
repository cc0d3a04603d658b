using Microsoft.Extensions.Logging;
using Posthorn.Journal.Content;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal;

/// <summary>The one redo log.</summary>
/// <remarks>This first form keeps its records in memory; segments and replay stand behind the same surface.</remarks>
public sealed class Journal : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly JournalOptions _options;
    private readonly IReadOnlyList<IJournalParticipant> _participants;
    private readonly SpoolFolder _spool;
    private readonly SortedDictionary<long, (JournalContent? Content, bool Applied)> _records = [];
    private long _last;
    private long _checkpoint;

    private Journal(JournalOptions options, IVolume volume, IReadOnlyList<IJournalParticipant> participants)
    {
        (_options, _participants) = (options, participants);
        if (!volume.TryStat(options.Directory, out _)) volume.MakeDirectory(options.Directory);
        if (!volume.TryStat(options.Directory + "/spool", out _)) volume.MakeDirectory(options.Directory + "/spool");
        _spool = new(volume, options.Directory + "/spool");
    }

    /// <summary>Opens the journal, replays what lies above the last checkpoint to the participants in order, and opens a new epoch.</summary>
    public static ValueTask<Journal> OpenAsync(JournalOptions options, IVolume volume, IReadOnlyList<IJournalParticipant> participants, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        Journal journal = new(options, volume, participants) { _last = time.GetUtcNow().ToUnixTimeSeconds() << 28 };
        return ValueTask.FromResult(journal);
    }

    /// <summary>What it did so far.</summary>
    public JournalStatistics Statistics { get; }

    /// <summary>The highest record that a checkpoint covers.</summary>
    public Lsn Checkpointed => new(_checkpoint);

    /// <summary>Empty content, to be written, completed and appended.</summary>
    public JournalContent CreateContent() => new(_spool, _options.InlineLimit, _options.ContentLimit);

    /// <summary>Takes the next LSN for a record and copies it into the pending batch. Cheap, does not wait; may be called under an account's lock. The caller goes on with <see cref="WhenDurableAsync"/> and, when all steps are applied, <see cref="Applied"/>.</summary>
    /// <exception cref="JournalFullException">The ring is full. Nothing was taken.</exception>
    public Lsn Append(ReadOnlySpan<JournalStep> steps, JournalContent? content)
    {
        if (content is { IsComplete: false }) throw new InvalidOperationException("Complete the content before it is appended.");
        lock (_gate)
        {
            content?.Take();
            _records.Add(++_last, (content, false));
            return new(_last);
        }
    }

    /// <summary>As <see cref="Append"/>, for what may be lost by a power cut (flag changes): durable at the latest with the next flush, checkpoint or close; nobody needs to wait for it.</summary>
    public Lsn AppendRelaxed(ReadOnlySpan<JournalStep> steps) => Append(steps, null);

    /// <summary>Completes when the record is durable, and with it all before it.</summary>
    /// <exception cref="JournalFlushFailedException">It will never be: nobody may be told that it happened, and no replay will bring it back.</exception>
    public ValueTask WhenDurableAsync(Lsn lsn) => lsn.Value > _last ? throw new ArgumentOutOfRangeException(nameof(lsn)) : ValueTask.CompletedTask;

    /// <summary>Says that all steps of the record are applied. Records whose flush failed need not be named.</summary>
    public void Applied(Lsn lsn)
    {
        lock (_gate)
        {
            if (_records.TryGetValue(lsn.Value, out (JournalContent? Content, bool) record)) _records[lsn.Value] = (record.Content, true);
        }
    }

    /// <summary>The content of a durable record that no checkpoint covers yet; the caller disposes it. Null when there is none (any more).</summary>
    public JournalContent? OpenContent(Lsn lsn)
    {
        lock (_gate)
        {
            if (!_records.TryGetValue(lsn.Value, out (JournalContent? Content, bool) record)) return null;
            record.Content?.Take();
            return record.Content;
        }
    }

    /// <summary>Lets the participants sync what is applied, notes that durably and frees what it covers. Also for the owner to call on idle.</summary>
    public async ValueTask<Lsn> CheckpointAsync(CancellationToken cancel)
    {
        long upTo = _checkpoint;
        lock (_gate)
        {
            foreach ((long lsn, (_, bool applied)) in _records)
            {
                if (!applied) break;
                upTo = lsn;
            }
        }

        if (upTo == _checkpoint) return new(upTo);
        foreach (IJournalParticipant participant in _participants) await participant.SyncAsync(new(upTo), cancel);
        lock (_gate)
        {
            foreach (long lsn in _records.Keys.TakeWhile(lsn => lsn <= upTo).ToArray())
            {
                _records[lsn].Content?.Release();
                _records.Remove(lsn);
            }

            _checkpoint = upTo;
        }

        return new(upTo);
    }

    /// <summary>Flushes what is pending and closes.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
