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
    private bool _isOpened;

    internal Lsn Lsn { get; } = lsn;

    /// <summary>When it was decided, milliseconds since 1970.</summary>
    internal long Time { get; } = time;

    internal IReadOnlyList<Change> Changes { get; } = changes;

    /// <summary>The record's content. Its owner disposes it once the operation is done, left, or has failed; after the latter two the journal's own is opened.</summary>
    internal JournalContent? Content { get; private set; } = content;

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

    /// <summary>Whether its owner does not wait for it any more: it is durable and is applied with the next.</summary>
    internal bool IsLeft { get; set; }

    /// <summary>Whether somebody is applying it.</summary>
    internal bool IsTaken { get; set; }

    /// <summary>Whether it does nothing but add messages to mailboxes.</summary>
    internal bool AddsAlone
    {
        get
        {
            foreach (Change change in Changes)
                if (change is not Change.Store) return false;
            return true;
        }
    }

    /// <summary>Its content, from the journal when its owner has it no more.</summary>
    internal JournalContent ContentFrom(Journal.Journal? journal)
    {
        if (Content is not null) return Content;
        if (journal?.OpenContent(Lsn) is not { } opened) throw new InvalidOperationException($"Record {Lsn} has no content any more.");
        _isOpened = true;
        return Content = opened;
    }

    /// <summary>Closes what was opened here.</summary>
    internal void CloseContent()
    {
        if (!_isOpened) return;
        _ = Content!.DisposeAsync().AsTask(); // completes at once
        (Content, _isOpened) = (null, false);
    }

    /// <summary>Its owner disposes the content now.</summary>
    internal void ForgetContent()
    {
        CloseContent();
        Content = null;
    }

    /// <summary>The MODSEQ of what it changed, when it is done.</summary>
    internal ModSeq ModSeq { get; set; }

    /// <summary>Reserved until it is applied.</summary>
    internal long Octets { get; set; }

    internal int Messages { get; set; }

    /// <summary>What could not be done: whole changes, or pairs of a copy, by their n. Null when all was done.</summary>
    internal HashSet<(int Change, int Item)>? Skipped { get; private set; }

    /// <summary>Why a disk kept it from coming true for good: it has changed nothing, and its owner is told so. Null when it did not.</summary>
    internal Refusal? Refusal { get; private set; }

    /// <summary>It does not come true, and this is what its owner is told.</summary>
    internal void Refuse(int change, Refusal why)
    {
        Skip(change, -1);
        Refusal ??= why;
    }

    /// <summary>It is tried again from its beginning.</summary>
    internal void ForgetOutcome() => (Skipped, Refusal) = (null, null);

    internal void Skip(int change, int item) => (Skipped ??= []).Add((change, item));

    internal bool WasSkipped(int change, int item) => Skipped?.Contains((change, item)) == true;
}
