using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>The mail of all accounts on this server: opens stores, takes message bytes in, delivers.</summary>
public interface IMailStores : IAsyncDisposable
{
    /// <summary>Somewhere to put the bytes of a message that is on its way in. Nothing of it is visible or durable until it is appended or delivered.</summary>
    IMessageSink CreateSink();

    /// <summary>Opens the store of an account; dispose it to let it go. Many may be open at once, all see the same mail.</summary>
    ValueTask<Result<IMailStore>> OpenAsync(MailAccount account, CancellationToken cancel);

    /// <summary>Whether the account has room for a message of this many octets (RFC 5321 section 4.3.2 code 452; DESIGN invariant 4). Reserves nothing.</summary>
    ValueTask<Result<Done>> HasRoomAsync(MailAccount account, long octets, CancellationToken cancel);

    /// <summary>
    /// Delivers one message into any number of mailboxes and, with an attachment, to another part of the server, as one durable record:
    /// when the task completes, a power cut undoes none of it. Each refused delivery is named in the receipt; when all are refused and there is nothing else in the order nothing is written.
    /// </summary>
    ValueTask<DeliveryReceipt> DeliverAsync(IMessageSink message, DeliveryOrder order, CancellationToken cancel);

    /// <summary>The accounts other than the user's own that let him see something (RFC 4314), in order.</summary>
    IReadOnlyList<EmailAddress> SharersWith(EmailAddress user);

    /// <summary>Grows whenever <see cref="SharersWith"/> may say something else for anybody.</summary>
    long SharingNumber { get; }

    /// <summary>Completes when <see cref="SharingNumber"/> is above <paramref name="seen"/>.</summary>
    ValueTask WaitForSharingAsync(long seen, CancellationToken cancel);

    /// <summary>Copies or moves messages from one account to another, all or none, as one step. Who may do so is the caller's to know.</summary>
    ValueTask<Result<Placement>> TransferAsync(Sharing.Transfer transfer, CancellationToken cancel);

    /// <summary>
    /// Appends a message and removes another, both or neither, as one step. In the same account the room that the old one leaves counts.
    /// Refused as <see cref="RefusalKind.Expunged"/> when the old one is gone already. Who may do so is the caller's to know.
    /// </summary>
    ValueTask<Result<AppendReceipt>> ReplaceAsync(Sharing.Replacement replacement, CancellationToken cancel);

    /// <summary>Whoever takes a whole message into memory asks here for the room.</summary>
    OctetGate WholeMessages { get; }

    /// <summary>As above, for what needs no notes.</summary>
    ValueTask<DeliveryReceipt> DeliverAsync(IMessageSink message, IReadOnlyList<LocalDelivery> deliveries, DeliveryAttachment? attachment, CancellationToken cancel) =>
        DeliverAsync(message, new DeliveryOrder { Deliveries = deliveries, Attachment = attachment }, cancel);
}

/// <summary>All that is to become durable as one record with a message.</summary>
public sealed record DeliveryOrder
{
    /// <summary>The copies to store.</summary>
    public IReadOnlyList<LocalDelivery> Deliveries { get; init; } = [];

    /// <summary>What accounts' filters are to remember.</summary>
    public IReadOnlyList<FilterNote> Notes { get; init; } = [];

    /// <summary>Another part's share.</summary>
    public DeliveryAttachment? Attachment { get; init; }
}

/// <summary>Something that an account's filter remembers: whom it has answered, which message it has seen (RFC 5230 section 4.2, RFC 7352 section 3).</summary>
/// <param name="Account">Whose filter.</param>
/// <param name="Id">What is remembered, as Pigeonhole makes it: a digest of 16 octets.</param>
/// <param name="Until">Until when.</param>
public sealed record FilterNote(MailAccount Account, ReadOnlyMemory<byte> Id, DateTimeOffset Until)
{
    /// <summary>Not to be remembered when a delivery of the same order to the same account is refused: the sender will try again.</summary>
    public bool OnlyIfDelivered { get; init; }
}

/// <summary>A part of a message's bytes.</summary>
public readonly record struct ContentRange(long Offset, long Length);

/// <summary>The bytes of one message as they arrive: small ones stay in pooled memory, large ones go to a file.</summary>
public interface IMessageSink : IAsyncDisposable
{
    /// <summary>Octets written so far.</summary>
    long Length { get; }

    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel);

    /// <summary>Reads back what was written, from <paramref name="offset"/>; the number of octets read, 0 at the end.</summary>
    int Read(long offset, Span<byte> into);
}

/// <summary>One copy of a delivered message.</summary>
/// <param name="Account">Whose mail it becomes.</param>
/// <param name="Mailbox">The mailbox by name; INBOX takes its place when it is gone.</param>
/// <param name="Flags">The flags it arrives with.</param>
/// <param name="Keywords">The keywords it arrives with.</param>
/// <param name="Prefix">Header lines of this copy alone (Return-Path, Delivered-To), each ending in CRLF; stored before the message's bytes.</param>
public sealed record LocalDelivery(MailAccount Account, MailboxName Mailbox, SystemFlags Flags, KeywordSet Keywords, ReadOnlyMemory<byte> Prefix)
{
    /// <summary>Make the mailbox when it is missing, instead of using INBOX (Sieve <c>fileinto :create</c>).</summary>
    public bool Create { get; init; }

    /// <summary>The special use that it is made with (RFC 8579 section 4.1).</summary>
    public SpecialUse CreateUse { get; init; }

    /// <summary>Which of the message's bytes follow the prefix; null for all. A filter may have changed the header, or made another message that lies behind the first.</summary>
    public ContentRange? Range { get; init; }
}

/// <summary>What another part of the server (the queue) wants to become durable with the message, and its own step afterwards.</summary>
/// <param name="Participant">The journal participant whose step this is.</param>
/// <param name="Kind">The participant's own number for the kind of step.</param>
/// <param name="Payload">The step's bytes.</param>
/// <param name="ApplyAsync">Called once with the record's number when it is durable, before the delivery is reported. On replay the participant gets the step again.</param>
public sealed record DeliveryAttachment(byte Participant, byte Kind, ReadOnlyMemory<byte> Payload, Func<long, CancellationToken, ValueTask> ApplyAsync)
{
    /// <summary>
    /// Where the step depends on what the mailboxes take: called when that is known and before the record is written, it gives kind and payload, or null for no step.
    /// May be called several times; the last one counts. Must be quick: accounts are locked meanwhile.
    /// </summary>
    public Func<IReadOnlyList<Result<StoredMessage>>, DecidedStep?>? Decide { get; init; }

    /// <summary>The attachment with its payload, when it is known what becomes of each delivery; null when nothing is to be attached.</summary>
    public DeliveryAttachment? For(IReadOnlyList<Result<StoredMessage>> outcomes) =>
        Decide is null ? this : Decide(outcomes) is { } step ? this with { Kind = step.Kind, Payload = step.Payload } : null;
}

/// <summary>A step whose kind and bytes depended on what the mailboxes took.</summary>
public readonly record struct DecidedStep(byte Kind, ReadOnlyMemory<byte> Payload);

/// <summary>What became of a delivery.</summary>
/// <param name="RecordNumber">The journal's number of the record; 0 when nothing was written.</param>
/// <param name="Outcomes">One for each delivery, in order.</param>
public sealed record DeliveryReceipt(long RecordNumber, IReadOnlyList<Result<StoredMessage>> Outcomes);

/// <summary>Where a message came to lie.</summary>
public sealed record StoredMessage(MailboxId Mailbox, UidValidity Validity, Uid Uid, EmailId EmailId);
