namespace Posthorn.Journal;

/// <summary>Somebody whose state is rebuilt from the journal: the mail store, the queue.</summary>
public interface IJournalParticipant
{
    /// <summary>The number that its steps carry. It reaches the disk: never change it.</summary>
    byte Id { get; }

    /// <summary>Applies the steps of a record that carry its number, if they are not applied yet. Records come in order; the record and its payloads are valid only until the task completes.</summary>
    ValueTask ReplayAsync(JournalRecord record, CancellationToken cancel);

    /// <summary>Called before a checkpoint with the highest durable record. What the participant cannot apply now it holds (<see cref="Journal.Hold(Lsn, byte, Predicate{JournalRecord})"/>), so that the ring need not wait for it.</summary>
    ValueTask PrepareAsync(Lsn durable, CancellationToken cancel) => ValueTask.CompletedTask;

    /// <summary>All records were replayed: from now on the journal can be asked for their content. Nothing can be appended yet.</summary>
    void Replayed(Journal journal)
    {
    }

    /// <summary>Makes durable all that records up to <paramref name="upTo"/> changed; then they are forgotten. When it throws, nothing is forgotten.</summary>
    ValueTask SyncAsync(Lsn upTo, CancellationToken cancel);
}
