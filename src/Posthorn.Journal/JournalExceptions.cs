namespace Posthorn.Journal;

/// <summary>The journal cannot do what was asked.</summary>
public class JournalException : IOException
{
    public JournalException(string message)
        : base(message)
    {
    }

    public JournalException(string message, Exception cause)
        : base(message, cause)
    {
    }
}

/// <summary>The ring is full until a checkpoint frees some of it: SMTP answers 452, IMAP NO [UNAVAILABLE]. Nothing was written.</summary>
public sealed class JournalFullException()
    : JournalException("The journal is full: records wait for their checkpoint. It works again when the volumes of the mail have been synced.");

/// <summary>The record can never fit: it must be made smaller. Nothing was written.</summary>
public sealed class JournalRecordTooLargeException(string message) : JournalException(message);

/// <summary>The flush of this record failed: it will not be replayed, and nobody may be told that it happened. SMTP answers 451.</summary>
public sealed class JournalFlushFailedException(Lsn first, Lsn last, Exception cause)
    : JournalException($"Records {first} to {last} could not be made durable: {cause.Message}", cause)
{
    /// <summary>The first record of the lost batch.</summary>
    public Lsn First { get; } = first;

    /// <summary>The last record of the lost batch.</summary>
    public Lsn Last { get; } = last;
}

/// <summary>Another process, or this one, has the journal open already.</summary>
public sealed class JournalInUseException(string directory)
    : JournalException($"{directory}: another process has this journal open (its lock file is taken). Stop it first, or give this one another data directory.");

/// <summary>Records that were acknowledged cannot be read any more.</summary>
public sealed class JournalDamagedException(string place, string found)
    : JournalException($"{place}: {found}. Acknowledged records are damaged; `posthorn journal verify` says which. Opening with salvage goes on without them.")
{
    /// <summary>The file and offset.</summary>
    public string Place { get; } = place;
}

/// <summary>The disk failed twice: a flush, and the note that its records do not count. What becomes of them is unknown until the next start, so no reply may be given: close the connection and let the client ask again. The journal takes nothing more.</summary>
public sealed class JournalStoppedException(Exception cause)
    : JournalException($"The journal has stopped, since the disk failed: {cause.Message}", cause);
