using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Accept;

/// <summary>A whole message that has been taken in, or made here, and is to be delivered.</summary>
internal sealed record AcceptedMessage
{
    public required QueueMessage Message { get; init; }
    public required IMessageSink Content { get; init; }

    /// <summary>Each recipient gets a reply of its own: nothing is bounced or kept back for later on behalf of another one (LMTP).</summary>
    public bool RepliesSeparately { get; init; }

    /// <summary>So many of its recipients, the last ones, the administrator has added: no reply speaks for them.</summary>
    public int Copies { get; init; }

    /// <summary>A full mailbox is said to be permanent.</summary>
    public bool QuotaIsPermanent { get; init; }

    /// <summary>Addresses to which this message has been delivered before; empty when that is not to be looked at.</summary>
    public IReadOnlyList<EmailAddress> DeliveredTo { get; init; } = [];

    /// <summary>Who handed it in; null when nobody did just now.</summary>
    public ClientContext? Client { get; init; }

    /// <summary>It was accepted long ago: no reply tells its sender anything any more.</summary>
    public bool IsFromQueue { get; init; }

    /// <summary>A report of ours: there is always room for it, and what a mailbox does not take for the moment waits, since nobody else would say it again (RFC 5321 section 6.1).</summary>
    public bool IsReport { get; init; }

    /// <summary>Under which id its life is told, when another message's goes on with it.</summary>
    public QueueId? LifeOf { get; init; }

    public QueueId TraceId => LifeOf ?? Message.Id;

    /// <summary>Reads the message, and not what planners put behind it.</summary>
    public int Read(long offset, Span<byte> into) => offset >= Message.Size ? 0 : Content.Read(offset, into[..(int)Math.Min(into.Length, Message.Size - offset)]);

    /// <summary>Last words on another message which become durable with this one (a bounce and its cause); not when all its recipients refuse it for good.</summary>
    public QueueAnswers? Cause { get; init; }

    /// <summary>For a message from the queue: its last words on the recipients that are delivered now, given by their places in <see cref="Message"/>. They are one record with the delivery.</summary>
    public Func<IReadOnlySet<int>, QueueAnswers>? Settle { get; init; }
}

/// <summary>What became of a message.</summary>
/// <param name="Replies">One for each recipient.</param>
/// <param name="Handovers">How each recipient that has a positive reply left our hands.</param>
/// <param name="IsRecorded">Nothing failed as a whole: the cause, if there was one, is durable.</param>
/// <param name="Shortfalls">Places that an alias leads to and that did not take the message, while others for the same recipient did: its positive reply does not speak for them.</param>
internal sealed record DeliveryOutcome(IReadOnlyList<SmtpReply> Replies, IReadOnlyList<Handover> Handovers, bool IsRecorded, IReadOnlyList<Shortfall> Shortfalls)
{
    /// <summary>Nothing of it was taken.</summary>
    public static DeliveryOutcome Refused(int recipients, SmtpReply reply) => new([.. Enumerable.Repeat(reply, recipients)], [.. Enumerable.Repeat(Handover.Delivered, recipients)], false, []);
}

/// <summary>How a recipient that has been served left our hands.</summary>
/// <param name="Action">The word of RFC 3464 section 2.3.3.</param>
internal sealed record Handover(string Action)
{
    public static Handover Delivered { get; } = new("delivered");

    /// <summary>An alias of several addresses (RFC 3461 section 5.2.7.3).</summary>
    public static Handover Expanded { get; } = new("expanded");

    /// <summary>It is on its way to another address under the same wishes: that tells, when it is there.</summary>
    public static Handover Onward { get; } = new("relayed") { IsToldElsewhere = true };

    /// <summary>Somebody else has the duty to report success.</summary>
    public bool IsToldElsewhere { get; init; }

    /// <summary>Another server tells whether it was in time (RFC 2852).</summary>
    public bool IsTimedElsewhere { get; init; }
}

/// <summary>A recipient that is still owed the message, or word of why not.</summary>
internal sealed record Shortfall(EnvelopeRecipient Recipient, SmtpReply Reply);
