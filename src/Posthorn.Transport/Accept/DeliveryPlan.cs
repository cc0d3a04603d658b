using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Transport.Accept;

/// <summary>What becomes of a message for one local recipient. All of it may be absent: the message is discarded.</summary>
public sealed record DeliveryPlan
{
    /// <summary>The copies to store.</summary>
    public IReadOnlyList<PlannedCopy> Copies { get; init; } = [];

    /// <summary>Addresses to send it on to, unchanged and under the same sender.</summary>
    public IReadOnlyList<EmailAddress> Redirects { get; init; } = [];

    /// <summary>Other mail that goes out because of it: changed copies that are sent on, replies, notifications.</summary>
    public IReadOnlyList<PlannedMail> Mail { get; init; } = [];

    /// <summary>Refuse it with this reply (Sieve <c>reject</c>, RFC 5429); copies and redirects are ignored then.</summary>
    public SmtpReply? Rejection { get; init; }

    /// <summary>What to send instead when the reply cannot speak for this recipient alone; null for an ordinary bounce.</summary>
    public PlannedMail? RejectionNotice { get; init; }

    /// <summary>What the account's filter is to remember.</summary>
    public IReadOnlyList<FilterNote> Notes { get; init; } = [];

    /// <summary>Disposed when the plan has been carried out, or has come to nothing: until then nobody else may decide the same thing.</summary>
    public IDisposable? Hold { get; init; }

    /// <summary>Keep it in the inbox.</summary>
    public static DeliveryPlan Keep { get; } = new() { Copies = [PlannedCopy.Inbox] };
}

/// <summary>One copy to store.</summary>
public sealed record PlannedCopy(MailboxName Mailbox, SystemFlags Flags, KeywordSet Keywords, bool Create)
{
    public static PlannedCopy Inbox { get; } = new(MailboxName.Inbox, SystemFlags.None, KeywordSet.Empty, false);

    /// <summary>The special use of the mailbox, where it is made (RFC 8579 section 4.1).</summary>
    public SpecialUse CreateUse { get; init; }

    /// <summary>What is stored; null for the message as it came.</summary>
    public PlannedContent? Content { get; init; }
}

/// <summary>Octets that a planner made.</summary>
/// <param name="Head">The new header with its empty line, or a whole message.</param>
/// <param name="RestFrom">Where in the message as it came the rest begins; null when <paramref name="Head"/> is all.</param>
public sealed record PlannedContent(ReadOnlyMemory<byte> Head, long? RestFrom);

/// <summary>A message that goes out.</summary>
/// <param name="From">Its envelope sender.</param>
/// <param name="Recipients">Its recipients.</param>
/// <param name="Content">What it is; null for the message as it came.</param>
/// <param name="What">A word for the log: <c>redirect</c>, <c>vacation</c>, <c>notify</c>…</param>
public sealed record PlannedMail(ReversePath From, IReadOnlyList<EnvelopeRecipient> Recipients, PlannedContent? Content, string What)
{
    /// <summary>It is the message itself, sent on: the recipient is served by it.</summary>
    public bool IsRedirect { get; init; }

    /// <summary>RET.</summary>
    public DsnReturn Return { get; init; }

    /// <summary>BY.</summary>
    public DeliverBy? By { get; init; }
}
