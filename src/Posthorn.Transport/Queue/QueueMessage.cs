using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Transport.Queue;

/// <summary>What the content of a message demands of a way out. Values reach disk: never renumber.</summary>
[Flags]
internal enum ContentTraits : byte
{
    None = 0,
    EightBitHeader = 1,
    EightBitBody = 2,
    /// <summary>Somebody has signed it (DKIM): its octets should stay as they are.</summary>
    Signed = 4,
    /// <summary>A line of the body has more than 998 octets (RFC 5321 section 4.5.3.1.6).</summary>
    LongLine = 8,
}

/// <summary>What has become of a recipient. Values reach disk: never renumber.</summary>
internal enum RecipientState : byte
{
    Pending = 0,
    Delivered = 1,
    Failed = 2,
    /// <summary>Taken out by the operator.</summary>
    Deleted = 3,
}

/// <summary>A message in the queue, as accepted. Never changes.</summary>
internal sealed record QueueMessage
{
    public required QueueId Id { get; init; }
    public required DateTimeOffset Arrived { get; init; }
    public required ReversePath From { get; init; }

    /// <summary>Who hands mail over, for fairness: an account's address, or a client's.</summary>
    public required string Origin { get; init; }

    /// <summary>An account of ours handed it in, or a script of one sends it.</summary>
    public bool IsOfAccount => Origin.Contains('@', StringComparison.Ordinal);

    public BodyType Body { get; init; }
    public bool SmtpUtf8 { get; init; }

    /// <summary>REQUIRETLS was given (RFC 8689).</summary>
    public bool RequiresTls { get; init; }

    /// <summary>Its header says <c>TLS-Required: No</c> (RFC 8689 section 3).</summary>
    public bool IsTlsOptional { get; init; }

    /// <summary>When it may go out at the earliest (RFC 4865); null is at once.</summary>
    public DateTimeOffset? ReleaseAt { get; init; }

    /// <summary>The seconds of HOLDFOR, where <see cref="ReleaseAt"/> was said so: a report gives them back as they were (RFC 4865 section 5.1).</summary>
    public int? HoldFor { get; init; }

    /// <summary>Why it waits for an operator from the first; null when it does not.</summary>
    public string? HoldReason { get; init; }

    /// <summary>What has become of its recipients already, for better or worse: it waits only until its sender has been told. Null for a message that is to be delivered.</summary>
    public SmtpReply? Outcome { get; init; }

    /// <summary>When its time in the queue begins.</summary>
    public DateTimeOffset Since => ReleaseAt is { } release && release > Arrived ? release : Arrived;
    public DsnReturn Return { get; init; }
    public string? EnvelopeId { get; init; }

    /// <summary>When it must have arrived; null for whenever.</summary>
    public DeliverBy? By { get; init; }
    public ContentTraits Traits { get; init; }
    public required long Size { get; init; }
    public required IReadOnlyList<EnvelopeRecipient> Recipients { get; init; }

    /// <summary>Which parts of the record's content are this message, one behind the other; null for all of it. A spool file holds the message alone.</summary>
    public IReadOnlyList<ContentRange>? Ranges { get; init; }
}

/// <summary>The last word on a recipient.</summary>
/// <param name="Recipient">Its place in the message's list.</param>
/// <param name="State">What it became.</param>
/// <param name="Reply">The reply that decided it.</param>
/// <param name="Host">Who said so; empty for ourselves.</param>
internal sealed record RecipientAnswer(int Recipient, RecipientState State, SmtpReply Reply, string Host);

/// <summary>Last words on recipients of one message: one small record of the journal.</summary>
internal sealed record QueueAnswers(QueueId Id, IReadOnlyList<RecipientAnswer> Answers)
{
    /// <summary>The sender has been warned of the delay.</summary>
    public bool Warned { get; init; }
}

/// <summary>What the queue writes with a delivery, when it is known what the mailboxes take.</summary>
/// <param name="Messages">What enters the queue.</param>
/// <param name="Cause">Last words on another message, or on the one that was delivered.</param>
internal sealed record QueueDecision(IReadOnlyList<QueueMessage> Messages, QueueAnswers? Cause);
