using Posthorn.Journal.Content;

namespace Posthorn.Journal;

/// <summary>One record as replay and the inspector hand it out.</summary>
public sealed class JournalRecord
{
    private readonly Func<JournalContent>? _open;

    internal JournalRecord(Lsn lsn, DateTimeOffset time, bool relaxed, IReadOnlyList<JournalStep> steps, ContentReference content, Func<JournalContent>? open)
    {
        (Lsn, Time, Relaxed, Steps) = (lsn, time, relaxed, steps);
        (ContentLength, ContentChecksum, HasContent, _open) = (content.Length, content.Checksum, content.Kind != ContentKind.None, open);
    }

    /// <summary>Its place.</summary>
    public Lsn Lsn { get; }

    /// <summary>When it was written.</summary>
    public DateTimeOffset Time { get; }

    /// <summary>Whether it rode along without a flush of its own.</summary>
    public bool Relaxed { get; }

    /// <summary>Whether it was held (<see cref="Journal.HoldAsync"/>): its owner releases it once what it says is durable.</summary>
    public bool IsHeld { get; internal init; }

    /// <summary>Its steps, in the order in which they were given.</summary>
    public IReadOnlyList<JournalStep> Steps { get; }

    /// <summary>Whether it carries content.</summary>
    public bool HasContent { get; }

    /// <summary>Bytes of its content.</summary>
    public long ContentLength { get; }

    /// <summary>CRC-32C of its content.</summary>
    public uint ContentChecksum { get; }

    /// <summary>Opens the content; the caller disposes it.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public JournalContent OpenContent() => HasContent && _open is not null ? _open() : throw new InvalidOperationException($"Record {Lsn} carries no content.");
}
