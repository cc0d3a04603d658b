namespace Posthorn.Transport.Trace;

/// <summary>What is kept of the life of messages. Immutable.</summary>
public sealed record TraceOptions
{
    /// <summary>The folder, absolute.</summary>
    public required string Folder { get; init; }

    public bool IsOn { get; init; } = true;

    /// <summary>How long it is kept. 30 days: longer than any queue keeps mail, and as long as people take to miss one.</summary>
    public TimeSpan Keep { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Octets on disk, indexes included; the oldest goes first. 2 GiB: a million messages and a half.</summary>
    public long MaxSize { get; init; } = 2L << 30;

    /// <summary>Octets of one file. 8 MiB: one that has no index yet is read in a hundredth of a second.</summary>
    public int SegmentSize { get; init; } = 8 << 20;

    /// <summary>Steps that wait to be written. 20,000: a second of the busiest server, some 5 MB.</summary>
    public int MaxWaiting { get; init; } = 20_000;

    /// <summary>Local parts of addresses and hosts' parts of client addresses are not written, but what can be compared with them.</summary>
    public bool Redact { get; init; }

    /// <summary>Refused senders and recipients are kept too.</summary>
    public bool Refusals { get; init; } = true;
}
