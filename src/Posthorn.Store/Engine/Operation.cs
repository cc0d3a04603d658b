using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>A record that several accounts and perhaps the queue have a part in: the journal hears of it when all have done theirs.</summary>
internal sealed class RecordTicket(Journal.Journal journal, int parts)
{
    private int _parts = parts;

    internal Lsn Lsn { get; set; }

    internal void PartDone()
    {
        if (Interlocked.Decrement(ref _parts) == 0) journal.Applied(Lsn);
    }
}

/// <summary>What is known of a record's durability.</summary>
internal enum Durability
{
    Unknown,
    Durable,
    Failed,
}

/// <summary>One account's part of a record on its way from the journal into the catalogue.</summary>
internal sealed class Operation(Lsn lsn, long time, IReadOnlyList<Change> changes, JournalContent? content, RecordTicket? ticket)
{
    private volatile Durability _durability;
    private volatile bool _done;

    internal Lsn Lsn { get; } = lsn;

    /// <summary>When it was decided, milliseconds since 1970.</summary>
    internal long Time { get; } = time;

    internal IReadOnlyList<Change> Changes { get; } = changes;

    /// <summary>The record's content. Its owner may dispose it after a failure; then the journal's own is opened.</summary>
    internal JournalContent? Content { get; set; } = content;

    internal RecordTicket? Ticket { get; } = ticket;

    internal Durability Durability
    {
        get => _durability;
        set => _durability = value;
    }

    internal Exception? Failure { get; set; }

    /// <summary>Whether it was applied and published, or failed and was taken off the queue.</summary>
    internal bool IsDone
    {
        get => _done;
        set => _done = value;
    }

    /// <summary>The MODSEQ of what it changed, when it is done.</summary>
    internal ModSeq ModSeq { get; set; }

    /// <summary>Reserved until it is applied.</summary>
    internal long Octets { get; set; }

    internal int Messages { get; set; }

    /// <summary>What could not be done: whole changes, or pairs of a copy, by their n. Null when all was done.</summary>
    internal HashSet<(int Change, int Item)>? Skipped { get; private set; }

    internal void Skip(int change, int item) => (Skipped ??= []).Add((change, item));

    internal bool WasSkipped(int change, int item) => Skipped?.Contains((change, item)) == true;
}
