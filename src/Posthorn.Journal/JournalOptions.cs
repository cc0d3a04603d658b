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

    /// <summary>Whether the journal may work on the thread pool by itself: checkpoints when half the ring is used, and the making of further segments at the first start. Tests that stop at every operation turn it off.</summary>
    public bool BackgroundWork { get; init; } = true;

    /// <summary>Go on without acknowledged records that cannot be read, instead of refusing to open.</summary>
    public bool Salvage { get; init; }

    internal const int SmallestSegment = 64 * 1024;

    /// <summary>The same with limits that fit into a segment.</summary>
    /// <exception cref="ArgumentException">A value makes no sense.</exception>
    internal JournalOptions Checked()
    {
        if (!Directory.StartsWith('/') || Directory.EndsWith('/')) throw new ArgumentException($"The journal's directory must be an absolute path without a slash at its end; found '{Directory}'.");
        if (SegmentSize < SmallestSegment || SegmentSize % Format.Blocks.Size != 0) throw new ArgumentException($"A segment has at least {SmallestSegment} bytes and whole blocks of {Format.Blocks.Size}; found {SegmentSize}.");
        if (Segments < 2) throw new ArgumentException($"The journal needs at least 2 segments; found {Segments}.");
        return this with
        {
            InlineLimit = Math.Min(InlineLimit, SegmentSize / 8),
            BatchLimit = Math.Min(BatchLimit, SegmentSize / 4),
            StepsLimit = Math.Min(StepsLimit, SegmentSize / 4),
        };
    }
}
