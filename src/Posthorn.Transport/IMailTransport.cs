using Posthorn.Core;
using Posthorn.Transport.Policy;

namespace Posthorn.Transport;

/// <summary>The way in for mail: says who may send what to whom, and takes messages over. SMTP, submission and LMTP sessions and the local <c>sendmail</c> all come through here.</summary>
/// <remarks>An edge that session tests fake.</remarks>
public interface IMailTransport
{
    /// <summary>The longest message taken, octets, as EHLO announces it (RFC 1870).</summary>
    long MaxMessageSize { get; }

    /// <summary>A new id for a transaction.</summary>
    QueueId NewQueueId();

    /// <summary>Whether this client may send with this reverse-path: submission demands login and an address of one's own. The reply to MAIL.</summary>
    ValueTask<SmtpReply> AdmitSenderAsync(Envelope envelope, CancellationToken cancel);

    /// <summary>Whether this recipient is taken: our own and known, or others' for clients that may relay. The reply to RCPT; the caller adds it to the envelope when positive.</summary>
    ValueTask<SmtpReply> AdmitRecipientAsync(Envelope envelope, EnvelopeRecipient recipient, CancellationToken cancel);

    /// <summary>The checks for a session that begins; null when there are none.</summary>
    SessionChecks? OpenChecks(ClientContext client) => null;

    /// <summary>A client was refused a message, or a recipient of it: that is part of the trace.</summary>
    void NoteRefusal(Envelope envelope, EnvelopeRecipient? recipient, SmtpReply reply) { }

    /// <summary>The client was lost within a message, after so many octets: that too.</summary>
    void NoteLoss(Envelope envelope, long octets) { }

    /// <summary>Starts taking the message's bytes over; the envelope has at least one recipient.</summary>
    IMessageIntake Begin(Envelope envelope);
}

/// <summary>A message on its way in. Dispose without <see cref="FinishAsync"/> forgets it.</summary>
public interface IMessageIntake : IAsyncDisposable
{
    /// <summary>
    /// Takes some bytes of the message: transparency undone, CRLF line ends. Reading goes on after a refusal (too big, loop), which <see cref="FinishAsync"/> then tells,
    /// and stores nothing more.
    /// </summary>
    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel);

    /// <summary>Decides, makes durable, delivers. When the task completes every accepted recipient's mail is safe (DESIGN invariant 1).</summary>
    ValueTask<AcceptOutcome> FinishAsync(CancellationToken cancel);
}

/// <summary>What became of a message.</summary>
/// <param name="Overall">The one reply of SMTP: positive when any recipient was taken (the others then get a bounce), else the reason.</param>
/// <param name="Recipients">One reply for each recipient of the envelope, in order: what LMTP sends (RFC 2033 section 4.2).</param>
public sealed record AcceptOutcome(SmtpReply Overall, IReadOnlyList<SmtpReply> Recipients);
