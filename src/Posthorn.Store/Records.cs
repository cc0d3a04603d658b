using Posthorn.Core;

namespace Posthorn.Store;

/// <summary>A mailbox in a list.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Id">Its MAILBOXID; null when only the subscription exists.</param>
/// <param name="Use">Its role (RFC 6154).</param>
/// <param name="IsSubscribed">Whether its name is subscribed.</param>
/// <param name="HighestModSeq">Grows with each change in it; 0 when it does not exist.</param>
public sealed record MailboxInfo(MailboxName Name, MailboxId? Id, SpecialUse Use, bool IsSubscribed, ModSeq HighestModSeq)
{
    /// <summary>Who may do what with it; empty for its owner's alone.</summary>
    public Sharing.MailboxAcl Acl { get; init; } = Sharing.MailboxAcl.Empty;

    /// <summary>What the user whose store this is may do with it.</summary>
    public Sharing.MailboxRights Rights { get; init; } = Sharing.MailboxRights.All;

    /// <summary>Whose it is, when it is not the user's own.</summary>
    public EmailAddress? Owner { get; init; }
}

/// <summary>Counts and numbers of a mailbox (RFC 9051 section 6.3.11). Sizes in octets as clients see them.</summary>
public sealed record MailboxStatus(MailboxInfo Info, UidValidity Validity, Uid UidNext, ModSeq HighestModSeq)
{
    public required int Messages { get; init; }
    public required int Unseen { get; init; }
    public required int Deleted { get; init; }
    public required int Recent { get; init; }
    public required long Size { get; init; }
    public required long DeletedSize { get; init; }
}

/// <summary>A message to append. The sink stays the caller's to dispose, after the append's task has completed.</summary>
public sealed record NewMessage(IMessageSink Content, SystemFlags Flags, KeywordSet Keywords, DateTimeOffset InternalDate);

/// <summary>Where appended messages lie, in order (RFC 4315 APPENDUID).</summary>
public sealed record AppendReceipt(MailboxId Mailbox, UidValidity Validity, IReadOnlyList<StoredMessage> Messages);

/// <summary>Where copied or moved messages lie: the n-th source became the n-th target (RFC 4315 COPYUID).</summary>
public sealed record Placement(MailboxId Target, UidValidity TargetValidity, IReadOnlyList<Uid> Sources, IReadOnlyList<Uid> Targets);

/// <summary>How flags change.</summary>
public enum FlagOperation
{
    Replace,
    Add,
    Remove,
}

/// <summary>A change of flags and keywords.</summary>
public sealed record FlagChange(FlagOperation Operation, SystemFlags Flags, KeywordSet Keywords);

/// <summary>What became of a flag change: those changed (or already so), and those left alone because of UNCHANGEDSINCE.</summary>
public sealed record FlagOutcome(IReadOnlyList<Uid> Changed, IReadOnlyList<Uid> Modified);

/// <summary>Which columns of <see cref="MessageSummary"/> are wanted.</summary>
[Flags]
public enum SummaryFields
{
    None = 0,
    Envelope = 1,
    Body = 2,
    BodyStructure = 4,
    Preview = 8,
    Structure = 16,
    Ids = 32,
    SaveDate = 64,
    /// <summary>Sent date, base subject and the sort forms of From, To, Cc (RFC 5256), message ids for threading.</summary>
    SortKeys = 128,
    /// <summary>The POP3 UIDL that it brought from another server.</summary>
    Pop3Uidl = 256,
}

/// <summary>What is kept about one message; fields not asked for are empty.</summary>
public sealed record MessageSummary(Uid Uid)
{
    /// <summary>The ENVELOPE, ready for the wire.</summary>
    public ReadOnlyMemory<byte> Envelope { get; init; }

    /// <summary>BODY without extension data, ready for the wire.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>BODYSTRUCTURE, ready for the wire.</summary>
    public ReadOnlyMemory<byte> BodyStructure { get; init; }

    /// <summary>The preview, UTF-8 (RFC 8970).</summary>
    public ReadOnlyMemory<byte> Preview { get; init; }

    /// <summary>The part tree with offsets, as <c>MimeStructure.Read</c> takes it.</summary>
    public ReadOnlyMemory<byte> Structure { get; init; }

    public EmailId EmailId { get; init; }
    public ThreadId ThreadId { get; init; }

    /// <summary>When it came into this mailbox (RFC 8514).</summary>
    public DateTimeOffset SaveDate { get; init; }

    public SortKeys? Sort { get; init; }

    /// <summary>The POP3 UIDL under which another server listed it and which it must keep; null for all others: <see cref="Pop3Uidl.Of"/>.</summary>
    public string? Pop3Uidl { get; init; }
}

/// <summary>The unique id of a message in POP3 (RFC 1939 section 7).</summary>
public static class Pop3Uidl
{
    /// <summary>What a message brought with it, else UID and UIDVALIDITY as Dovecot writes them by default (<c>pop3_uidl_format = %08Xu%08Xv</c>), so that nobody fetches mail twice after a move.</summary>
    public static string Of(Uid uid, UidValidity validity, string? own) =>
        own ?? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{uid.Value:x8}{validity.Value:x8}");
}

/// <summary>What SORT and THREAD compare (RFC 5256 sections 2 and 3).</summary>
/// <param name="Sent">The Date header; null when absent or unreadable.</param>
/// <param name="BaseSubject">The base subject, in the caseless form of i;unicode-casemap.</param>
/// <param name="IsReply">Whether the subject had a reply or forward mark.</param>
/// <param name="From">The first From mailbox.</param>
/// <param name="To">The first To mailbox.</param>
/// <param name="Cc">The first Cc mailbox.</param>
/// <param name="DisplayFrom">The first From display name or address (RFC 5957).</param>
/// <param name="DisplayTo">The first To display name or address (RFC 5957).</param>
/// <param name="MessageId">The message's own id, empty when absent.</param>
/// <param name="References">The ids it refers to, oldest first.</param>
public sealed record SortKeys(
    DateTimeOffset? Sent, string BaseSubject, bool IsReply, string From, string To, string Cc, string DisplayFrom, string DisplayTo, string MessageId, IReadOnlyList<string> References);

/// <summary>Where a text search looks.</summary>
public enum TextScope
{
    /// <summary>Header and body (SEARCH TEXT).</summary>
    All,
    /// <summary>The body alone (SEARCH BODY).</summary>
    Body,
    /// <summary>One header field (SEARCH HEADER, SUBJECT, FROM, TO, CC, BCC).</summary>
    Header,
}

/// <summary>A text to look for. An empty needle matches whatever has the scope (a HEADER that exists).</summary>
public sealed record TextCriterion(TextScope Scope, string HeaderName, string Needle);

/// <summary>What an account uses and may use; a null limit is none (RFC 9208).</summary>
public sealed record QuotaState(long UsedBytes, long? LimitBytes, long UsedMessages, long? LimitMessages);
