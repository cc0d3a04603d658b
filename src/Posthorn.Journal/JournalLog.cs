using Microsoft.Extensions.Logging;

namespace Posthorn.Journal;

/// <summary>All log events of the journal, numbered 5000-5999; the next free id is 5009. Numbers are never reused.</summary>
internal static partial class JournalLog
{
    [LoggerMessage(5000, LogLevel.Information, "Journal {Directory} opened: epoch {Epoch}, {Replayed} records replayed above {Checkpoint}")]
    internal static partial void JournalOpened(this ILogger log, string directory, long epoch, long replayed, Lsn checkpoint);

    [LoggerMessage(5001, LogLevel.Error, "Flush of records {First} to {Last} failed; segment {Segment} is closed for writing")]
    internal static partial void FlushFailed(this ILogger log, Exception cause, long first, long last, string segment);

    [LoggerMessage(5002, LogLevel.Critical, "The journal stops: the end of the acknowledged records can be noted nowhere. Look at the disk, then start anew")]
    internal static partial void Stopped(this ILogger log, Exception cause);

    [LoggerMessage(5003, LogLevel.Warning, "A checkpoint failed; nothing was freed, it is tried again later")]
    internal static partial void CheckpointFailed(this ILogger log, Exception cause);

    [LoggerMessage(5004, LogLevel.Warning, "A segment could not be made; the ring has {Segments} of {Wanted} segments until it can")]
    internal static partial void SegmentNotMade(this ILogger log, Exception cause, int segments, int wanted);

    [LoggerMessage(5005, LogLevel.Error, "{Place}: acknowledged records {First} to {Last} cannot be read; salvage goes on without them")]
    internal static partial void RecordsLost(this ILogger log, string place, long first, long last);

    [LoggerMessage(5006, LogLevel.Warning, "The checkpoint file of {Directory} could not be read; replay starts at {Checkpoint}, which a segment names")]
    internal static partial void CheckpointUnreadable(this ILogger log, string directory, Lsn checkpoint);

    [LoggerMessage(5007, LogLevel.Warning, "The ring is full: new records are refused until a checkpoint frees some of it")]
    internal static partial void RingFull(this ILogger log);

    [LoggerMessage(5008, LogLevel.Information, "{Place}: the log ends in a batch that was never acknowledged; it is void")]
    internal static partial void TornTail(this ILogger log, string place);
}
