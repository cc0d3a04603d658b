using Posthorn.Core;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Trace;

/// <summary>One step in the life of a message, as it happens. It becomes text later and elsewhere, so it holds only what no longer changes.</summary>
/// <param name="Id">The message's queue id.</param>
internal abstract record TraceEvent(QueueId Id)
{
    /// <summary>What the client calls itself and is called, for whoever must not write it down.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>A sender, a recipient or the whole message was refused.</summary>
    /// <param name="Id">The message that would have been.</param>
    /// <param name="Client">Who wanted to send; null for mail from the queue.</param>
    /// <param name="From">The sender.</param>
    /// <param name="To">The recipient; null when all were refused.</param>
    /// <param name="Reply">What the client was told.</param>
    public sealed record Refused(QueueId Id, ClientContext? Client, ReversePath From, EmailAddress? To, SmtpReply Reply) : TraceEvent(Id);

    /// <summary>The client was lost within the message: nothing of it was taken, and it may come again.</summary>
    public sealed record BrokenOff(QueueId Id, ClientContext Client, ReversePath From, IReadOnlyList<EmailAddress> To, long Octets) : TraceEvent(Id);

    /// <summary>A whole message is here, and it is decided what becomes of it.</summary>
    /// <param name="Message">The message.</param>
    /// <param name="Client">Who brought it; null for one of our own making.</param>
    /// <param name="MessageId">The Message-ID field; empty when there is none.</param>
    public sealed record Received(QueueMessage Message, ClientContext? Client, ReadOnlyMemory<byte> MessageId) : TraceEvent(Message.Id);

    /// <summary>A rule or a filter has said something.</summary>
    public sealed record Checked(QueueId Id, string Stage, string By, string Text) : TraceEvent(Id);

    /// <summary>An address leads to others.</summary>
    public sealed record Expanded(QueueId Id, EmailAddress Address, IReadOnlyList<EmailAddress> Targets) : TraceEvent(Id);

    /// <summary>An account's scripts have run.</summary>
    public sealed record Filtered(QueueId Id, EmailAddress Account, string Actions, string Status) : TraceEvent(Id);

    /// <summary>The record that makes it safe is on disk.</summary>
    /// <param name="Id">The message.</param>
    /// <param name="Record">The number of the journal's record.</param>
    /// <param name="Copies">Where it lies.</param>
    /// <param name="Queued">What entered the queue with it.</param>
    public sealed record Recorded(QueueId Id, long Record, IReadOnlyList<StoredCopy> Copies, IReadOnlyList<QueuedPart> Queued) : TraceEvent(Id);

    /// <summary>A server was reached, or was not.</summary>
    public sealed record Contacted(QueueId Id, string Host, string? Tls, SmtpReply? Fault) : TraceEvent(Id);

    /// <summary>What an attempt came to for one recipient.</summary>
    public sealed record Attempted(QueueId Id, string Status, EmailAddress To, string Host, SmtpReply Reply) : TraceEvent(Id);

    /// <summary>A report went to the sender.</summary>
    public sealed record Reported(QueueId Id, QueueId Report, string What, EmailAddress To, SmtpReply Reply) : TraceEvent(Id);

    /// <summary>An operator has given an order.</summary>
    public sealed record Ordered(QueueId Id, string Order) : TraceEvent(Id);
}

/// <summary>A copy in a mailbox, or why there is none.</summary>
internal sealed record StoredCopy(EmailAddress To, EmailAddress Account, MailboxName Mailbox, Uid? Uid, string? Refusal);

/// <summary>A message in the queue.</summary>
/// <param name="Id">Its id; a message that goes on as it came keeps the one it had.</param>
/// <param name="What">What it is: <c>relay</c>, or what a script made: <c>redirect</c>, <c>vacation</c>…</param>
/// <param name="To">Its recipients.</param>
internal sealed record QueuedPart(QueueId Id, string What, IReadOnlyList<EmailAddress> To);

/// <summary>Where steps are told. Never waits and never fails: mail does not depend on it.</summary>
internal interface ITrace
{
    /// <summary>False when nobody listens: then nothing need be gathered for it.</summary>
    bool IsOn { get; }

    /// <summary>Refused mail is told too.</summary>
    bool WantsRefusals { get; }

    void Tell(TraceEvent step);
}

/// <summary>Nobody listens.</summary>
internal sealed class NoTrace : ITrace
{
    public static NoTrace Instance { get; } = new();

    public bool IsOn => false;
    public bool WantsRefusals => false;

    public void Tell(TraceEvent step) { }
}
