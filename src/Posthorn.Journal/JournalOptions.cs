namespace Posthorn.Journal;

/// <summary>Where the journal lies and how large it is.</summary>
public sealed record JournalOptions
{
    /// <summary>The directory that holds it; it is made if it does not exist, in one that does.</summary>
    public required string Directory { get; init; }

    /// <summary>Bytes of one segment. 64 MiB: large enough that a switch is rare, small enough that one is soon free again.</summary>
    public int SegmentSize { get; init; } = 64 << 20;

    /// <summary>Segments of the ring. 4: one being written, one kept by a slow reader or a poisoned tail, two for the time of a checkpoint.</summary>
    public int Segments { get; init; } = 4;

    /// <summary>Content up to this many bytes lies in the record; longer content goes to a spool file. 1 MiB: above it a file of its own costs less than the ring it would take.</summary>
    public int InlineLimit { get; init; } = 1 << 20;

    /// <summary>Bytes that one flush writes at most (one larger record goes alone). 8 MiB: some milliseconds of a slow disk.</summary>
    public int BatchLimit { get; init; } = 8 << 20;

    /// <summary>Bytes of all steps of one record at most. 8 MiB: a COPY of 50,000 messages with their names.</summary>
    public int StepsLimit { get; init; } = 8 << 20;

    /// <summary>Bytes of content that one message may have at most, as a guard behind the protocols' own limits.</summary>
    public long ContentLimit { get; init; } = 1L << 32;

    /// <summary>Whether the journal itself starts a checkpoint when half the ring is used. Tests that stop at every operation turn it off.</summary>
    public bool AutomaticCheckpoint { get; init; } = true;

    /// <summary>Go on without acknowledged records that cannot be read, instead of refusing to open.</summary>
    public bool Salvage { get; init; }
}
