using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Queue;

/// <summary>Mail that waits for other servers. Its changes are records of the journal; what still waits at a checkpoint gets a spool file.</summary>
/// <remarks>
/// Locking: <c>_gate</c> guards the entries and the schedule; nothing is awaited under it, and no file touched but to unlink it.
/// Order of life: <see cref="Load"/> reads the spool, the journal replays into it and gives itself, then the runner starts.
/// </remarks>
public sealed class MailQueue : IJournalParticipant
{
    /// <summary>The number of the queue's steps in the journal. It reaches the disk: never change it.</summary>
    public const byte Participant = 2;

    private readonly Lock _gate = new();
    private readonly Dictionary<QueueId, QueueEntry> _entries = [];
    private readonly List<QueueId> _loadedFiles = [];
    private readonly List<QueueId> _removedFiles = [];
    private readonly Schedule _schedule;
    private readonly QueueSpool _spool;
    private volatile QueueOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private IQueueJournal? _journal;
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private MailQueue(QueueSpool spool, QueueOptions options, TimeProvider time, ILogger log)
    {
        (_spool, _options, _time, _log) = (spool, options, time, log);
        _schedule = new(() => _options, (message, recipient) => DestinationOf(message, recipient));
    }

    byte IJournalParticipant.Id => Participant;

    /// <summary>Messages in the queue.</summary>
    public int Count
    {
        get { lock (_gate) return _entries.Count; }
    }

    /// <summary>The newest id in the queue.</summary>
    internal QueueId? Newest
    {
        get { lock (_gate) return _entries.Count == 0 ? null : _entries.Keys.MaxBy(id => id.Value, StringComparer.Ordinal); }
    }

    /// <summary>What stands for the next hop of a recipient; messages of one destination share its connections.</summary>
    /// <remarks>Set when the routes are known; what was loaded before that is planned anew, so that its destination bears the right name from the start.</remarks>
    internal Func<QueueMessage, EnvelopeRecipient, string> DestinationOf
    {
        get;
        set
        {
            lock (_gate)
            {
                field = value;
                foreach (QueueEntry entry in _entries.Values.Where(entry => !entry.IsHeld))
                {
                    DateTimeOffset due = entry.Jobs.Count == 0 ? entry.NextAttempt : entry.Jobs.Min(job => job.Due);
                    _schedule.Withdraw(entry);
                    _schedule.Add(entry, due);
                }
            }
        }
    } = (_, recipient) => recipient.Address.Domain.Ascii;

    /// <summary>Where orders are told of.</summary>
    internal ITrace Trace { get; set; } = NoTrace.Instance;

    /// <summary>How the queue works. May be replaced at any time: a message that waits takes the new times at its next attempt.</summary>
    public QueueOptions Options
    {
        get => _options;
        set => _options = value;
    }

    /// <summary>False when no more mail for others is taken.</summary>
    internal bool HasRoom => Count < _options.MaxMessages;

    /// <summary>Messages of a sender that wait for a time of the sender's choice.</summary>
    internal int CountFuture(string origin)
    {
        DateTimeOffset now = _time.GetUtcNow();
        lock (_gate) return _entries.Values.Count(entry => entry.Message.ReleaseAt > now && entry.Message.Origin == origin);
    }

    /// <summary>Reads what the spool holds.</summary>
    /// <param name="volume">The file system.</param>
    /// <param name="directory">The spool's directory; it is made if it does not exist.</param>
    /// <param name="options">How the queue works.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where events go.</param>
    public static MailQueue Load(IVolume volume, string directory, QueueOptions options, TimeProvider time, ILogger log)
    {
        QueueSpool spool = new(volume, directory, log);
        MailQueue queue = new(spool, options, time, log);
        foreach (QueueEntry entry in spool.Load())
        {
            queue.Enter(entry);
            // A process that died amid a checkpoint had given names, and not made them durable.
            queue._loadedFiles.Add(entry.Message.Id);
        }
        queue._removedFiles.AddRange(spool.Orphans);
        return queue;
    }

    void IJournalParticipant.Replayed(Journal.Journal journal) => _journal = new QueueJournal(journal);

    internal void Connect(IQueueJournal journal) => _journal = journal;

    private IQueueJournal Journal => _journal ?? throw new InvalidOperationException("The queue has no journal yet.");

    /// <summary>What makes a message enter the queue with the record that stores it.</summary>
    internal DeliveryAttachment Attach(QueueMessage message) =>
        new(Participant, (byte)QueueStep.Accept, QueueFormat.WriteAccept(message, null), (record, _) =>
        {
            Apply(message, record);
            return ValueTask.CompletedTask;
        });

    /// <summary>As above for several messages, each with its parts of the record's content.</summary>
    internal DeliveryAttachment Attach(IReadOnlyList<QueueMessage> messages) => messages is [{ Ranges: null } only] ? Attach(only) :
        new(Participant, (byte)QueueStep.AcceptSeveral, QueueFormat.WriteSeveral(messages, null), (record, _) =>
        {
            foreach (QueueMessage message in messages) Apply(message, record);
            return ValueTask.CompletedTask;
        });

    /// <summary>As above, where it depends on what the mailboxes take: delivery, what waits and last words are one record, so that nothing is delivered twice and nothing lost.</summary>
    internal DeliveryAttachment AttachDeciding(Func<IReadOnlyList<Result<StoredMessage>>, QueueDecision> decide)
    {
        QueueDecision decided = new([], null);
        return new(Participant, (byte)QueueStep.Answers, default, (record, _) =>
        {
            foreach (QueueMessage message in decided.Messages) Apply(message, record);
            if (decided.Cause is { } cause) Apply(cause);
            return ValueTask.CompletedTask;
        })
        {
            Decide = outcomes =>
            {
                decided = decide(outcomes);
                return decided switch
                {
                    { Messages: [{ Ranges: null } only] } => new((byte)QueueStep.Accept, QueueFormat.WriteAccept(only, decided.Cause)),
                    { Messages.Count: > 0 } => new((byte)QueueStep.AcceptSeveral, QueueFormat.WriteSeveral(decided.Messages, decided.Cause)),
                    { Cause: { } cause } => new((byte)QueueStep.Answers, QueueFormat.WriteAnswers(cause)),
                    _ => (DecidedStep?)null,
                };
            },
        };
    }

    /// <summary>Makes last words durable.</summary>
    internal ValueTask AnswerAsync(QueueAnswers answers, CancellationToken cancel) =>
        Journal.WriteAsync(QueueStep.Answers, QueueFormat.WriteAnswers(answers), () => Apply(answers), cancel);

    /// <summary>Makes an operator's order durable and carries it out; false when there is no such message.</summary>
    internal async ValueTask<bool> OrderAsync(QueueId id, QueueOrder order, CancellationToken cancel)
    {
        lock (_gate)
        {
            if (!_entries.ContainsKey(id)) return false;
        }
        await Journal.WriteAsync(QueueStep.Command, QueueFormat.WriteCommand(id, order), () =>
        {
            Trace.Tell(new TraceEvent.Ordered(id, order.ToString().ToLowerInvariant())); // before what comes of it
            Apply(id, order);
        }, cancel);
        _log.Ordered(id, order);
        return true;
    }

    /// <summary>Opens the content of a message; null when it is gone.</summary>
    internal IMessageContent? OpenContent(QueueEntry entry)
    {
        bool spooled;
        lock (_gate) spooled = entry.IsSpooled;
        // Between the two looks a checkpoint may have moved it to a file.
        if (!spooled && entry.Record != 0 && Journal.OpenContent(entry.Record) is { } content) return PartsOf(entry.Message, content);
        return _spool.OpenContent(entry.Message.Id);
    }

    /// <summary>The next delivery to carry out, if there is one.</summary>
    internal Delivery? TryTake(DateTimeOffset now)
    {
        lock (_gate) return _schedule.TryTake(now, out Delivery? delivery) ? delivery : null;
    }

    /// <summary>When the next job is due.</summary>
    internal DateTimeOffset? NextDue
    {
        get { lock (_gate) return _schedule.NextDue; }
    }

    /// <summary>A delivery has ended; with <paramref name="more"/>, the next one for the same destination, for the connection that is open.</summary>
    internal Delivery? End(Delivery delivery, ConnectionVerdict verdict, DateTimeOffset now, bool more)
    {
        Delivery? next = null;
        lock (_gate)
        {
            _schedule.End(delivery, verdict, now);
            if (more) _schedule.TryTakeFrom(delivery.Destination, now, out next);
        }
        Announce();
        return next;
    }

    /// <summary>Those that an operator has thrown away.</summary>
    internal HashSet<int> DeletedOf(QueueEntry entry, IReadOnlyList<int> recipients)
    {
        lock (_gate) return [.. recipients.Where(entry.IsDeleted)];
    }

    /// <summary>Keeps what was last heard about a recipient that waits.</summary>
    internal void Defer(QueueEntry entry, int recipient, SmtpReply reply)
    {
        lock (_gate) entry.Defer(recipient, reply);
    }

    /// <summary>Takes last words over that could not be made durable.</summary>
    internal void ApplyUnrecorded(QueueAnswers answers) => Apply(answers);

    /// <summary>Completes when the schedule has changed since the task was asked for.</summary>
    internal Task News => Volatile.Read(ref _news).Task;

    internal void Announce()
    {
        // Two that announce at once must each end the task that they replaced: one that somebody waits for would else never end.
        Interlocked.Exchange(ref _news, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    /// <summary>The entries as they are now, oldest first.</summary>
    internal T Read<T>(Func<IReadOnlyDictionary<QueueId, QueueEntry>, Schedule, T> read)
    {
        lock (_gate) return read(_entries, _schedule);
    }

    async ValueTask IJournalParticipant.ReplayAsync(JournalRecord record, CancellationToken cancel)
    {
        foreach (JournalStep step in record.Steps)
        {
            if (step.Participant != Participant) continue;
            if (!Replay((QueueStep)step.Kind, step.Payload.Span, record.Lsn.Value)) _log.UnreadableStep(record.Lsn.Value, step.Kind);
        }
        await ValueTask.CompletedTask;
    }

    /// <summary>Writes down what has changed about messages in the spool without a record of the journal: attempts, and the last words of other servers. For a server that ends, when the journal is closed.</summary>
    /// <exception cref="IOException">The disk does not take it; nothing is lost but those words.</exception>
    public ValueTask SaveAsync(CancellationToken cancel) => SyncAsync(default, cancel);

    ValueTask IJournalParticipant.SyncAsync(Lsn upTo, CancellationToken cancel) => SyncAsync(upTo, cancel);

    private async ValueTask SyncAsync(Lsn upTo, CancellationToken cancel)
    {
        List<QueueEntry> unspooled;
        List<(QueueId, QueueEntryState)> changed = [];
        List<QueueId> loaded, removed;
        lock (_gate)
        {
            unspooled = [.. _entries.Values.Where(entry => !entry.IsSpooled && entry.Record <= upTo.Value)];
            foreach (QueueEntry entry in _entries.Values)
            {
                if (!entry.IsSpooled || !entry.IsDirty) continue;
                entry.IsDirty = false;
                changed.Add((entry.Message.Id, entry.Snapshot()));
            }
            (loaded, removed) = ([.. _loadedFiles], [.. _removedFiles]);
            _loadedFiles.Clear();
            _removedFiles.Clear();
        }
        try
        {
            await SpoolAsync(unspooled, cancel);
            _spool.WriteStates(changed);
            _spool.SyncNames([.. unspooled.Select(entry => entry.Message.Id), .. changed.Select(change => change.Item1), .. loaded, .. removed]);
            _spool.RemoveStates(removed);
        }
        catch
        {
            lock (_gate)
            {
                _loadedFiles.AddRange(loaded);
                _removedFiles.AddRange(removed);
                foreach ((QueueId id, _) in changed)
                    if (_entries.TryGetValue(id, out QueueEntry? entry)) entry.IsDirty = true;
                // Some of them have their file: it must not bring back what is delivered from now on. The next checkpoint writes all of them anew.
                HaveFiles(unspooled);
            }
            Discard(unspooled);
            throw;
        }
        lock (_gate)
        {
            foreach (QueueEntry entry in unspooled) entry.IsSpooled = true;
            HaveFiles(unspooled);
        }
    }

    // Under the lock.
    private void HaveFiles(List<QueueEntry> entries)
    {
        foreach (QueueEntry entry in entries) entry.HasFile = true;
        foreach (QueueEntry entry in entries)
            if (entry.IsFinished) RemoveFile(entry);
    }

    // What was half-written takes room that others need.
    private void Discard(List<QueueEntry> entries)
    {
        try { _spool.Discard(entries.Select(entry => entry.Message.Id)); }
        catch (IOException) { /* the next checkpoint writes over it */ }
    }

    private async ValueTask SpoolAsync(List<QueueEntry> entries, CancellationToken cancel)
    {
        foreach (QueueEntry entry in entries)
        {
            QueueEntryState state;
            lock (_gate)
            {
                entry.IsDirty = false;
                state = entry.Snapshot();
            }
            IMessageContent record = Journal.OpenContent(entry.Record)
                ?? throw new JournalException($"The content of record {entry.Record} ({entry.Message.Id}) is gone before its checkpoint.");
            await using IMessageContent content = PartsOf(entry.Message, record);
            cancel.ThrowIfCancellationRequested();
            _spool.Write(entry.Message, state, content);
        }
        _spool.SyncContent(entries.Select(entry => entry.Message.Id));
    }

    private static IMessageContent PartsOf(QueueMessage message, IMessageContent content) => message.Ranges is { } ranges ? new PartsContent(content, ranges) : content;

    private bool Replay(QueueStep kind, ReadOnlySpan<byte> payload, long record)
    {
        switch (kind)
        {
            case QueueStep.Accept when QueueFormat.TryReadAccept(payload, out QueueMessage? message, out QueueAnswers? cause):
                Apply(message, record);
                if (cause is not null) Replay(cause);
                return true;
            case QueueStep.AcceptSeveral when QueueFormat.TryReadSeveral(payload, out IReadOnlyList<QueueMessage>? messages, out QueueAnswers? cause):
                foreach (QueueMessage one in messages) Apply(one, record);
                if (cause is not null) Replay(cause);
                return true;
            case QueueStep.Answers when QueueFormat.TryReadAnswers(payload, out QueueAnswers? answers):
                Replay(answers);
                return true;
            case QueueStep.Command when QueueFormat.TryReadCommand(payload, out QueueId id, out QueueOrder order):
                NoteGone(id);
                Apply(id, order);
                return true;
            default:
                return false;
        }
    }

    private void Replay(QueueAnswers answers)
    {
        NoteGone(answers.Id);
        Apply(answers);
    }

    // Its file went before the last end, perhaps not durably. The checkpoint that forgets the last word sees to that.
    private void NoteGone(QueueId id)
    {
        lock (_gate)
            if (!_entries.ContainsKey(id)) _removedFiles.Add(id);
    }

    private void Apply(QueueMessage message, long record)
    {
        QueueEntry entry = new(message, record) { NextAttempt = message.Since, IsHeld = message.HoldReason is not null };
        lock (_gate)
        {
            if (_entries.ContainsKey(message.Id)) return; // replayed, and in the spool already
            Enter(entry);
        }
        Announce();
    }

    private void Apply(QueueAnswers answers)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(answers.Id, out QueueEntry? entry)) return; // finished and forgotten
            foreach (RecipientAnswer answer in answers.Answers) entry.Apply(answer);
            if (answers.Warned)
            {
                entry.IsWarned = true;
                entry.IsDirty = true;
            }
            if (entry.IsFinished) Leave(entry);
        }
        Announce();
    }

    private void Apply(QueueId id, QueueOrder order)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(id, out QueueEntry? entry)) return;
            switch (order)
            {
                case QueueOrder.Hold: entry.IsHeld = true; break;
                case QueueOrder.Release: entry.IsHeld = false; break;
                case QueueOrder.Requeue:
                    (entry.IsHeld, entry.IsWarned, entry.Attempts, entry.Restarted) = (false, false, 0, _time.GetUtcNow());
                    foreach (Job job in entry.Jobs) Restart(job);
                    break;
                default:
                    foreach (int recipient in entry.PendingRecipients.ToArray())
                        entry.Apply(new(recipient, RecipientState.Deleted, Accept.Replies.Deleted, ""));
                    break;
            }
            entry.IsDirty = true;
            if (entry.IsFinished) Leave(entry);
            else if (entry.IsHeld) _schedule.Withdraw(entry);
            else _schedule.Add(entry, DueOf(entry));
        }
        Announce();
    }

    private void Restart(Job job)
    {
        job.Attempts = 0;
        job.Destination.EndRest(_time.GetUtcNow());
    }

    // A message of the future stays one (RFC 4865).
    private DateTimeOffset DueOf(QueueEntry entry) => entry.Message.ReleaseAt is { } release && release > _time.GetUtcNow() ? release : _time.GetUtcNow();

    // Under the lock (or before anyone else can see the queue).
    private void Enter(QueueEntry entry)
    {
        _entries.Add(entry.Message.Id, entry);
        if (!entry.IsHeld) _schedule.Add(entry, entry.NextAttempt);
    }

    // Under the lock.
    private void Leave(QueueEntry entry)
    {
        _entries.Remove(entry.Message.Id);
        _schedule.Withdraw(entry);
        if (entry.HasFile) RemoveFile(entry);
    }

    // The record of the last word is flushed; that the name is gone is made durable at the next checkpoint.
    private void RemoveFile(QueueEntry entry)
    {
        _spool.Remove(entry.Message.Id);
        _removedFiles.Add(entry.Message.Id);
    }
}
