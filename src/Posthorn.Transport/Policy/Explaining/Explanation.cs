using System.Net;
using Posthorn.Core;

namespace Posthorn.Transport.Policy.Explaining;

/// <summary>A session that might be, with one transaction.</summary>
public sealed record ImaginedSession
{
    public required ListenerRole Role { get; init; }

    /// <summary>The listener's name as in the configuration.</summary>
    public required string Listener { get; init; }
    public required IPAddress Address { get; init; }
    public required string Helo { get; init; }
    public required ReversePath From { get; init; }
    public required IReadOnlyList<EmailAddress> Recipients { get; init; }

    /// <summary>The account that has logged in.</summary>
    public MailAccount? Account { get; init; }

    /// <summary>The session is under TLS.</summary>
    public Net.TlsDetails? Tls { get; init; }

    /// <summary>The address is in a network that may relay.</summary>
    public bool IsTrusted { get; init; }

    /// <summary>SIZE as declared, octets.</summary>
    public long? Size { get; init; }

    /// <summary>Early refusals are told at RCPT, as on port 25.</summary>
    public bool Delays { get; init; }
}

/// <summary>What would happen, and who decided it.</summary>
/// <param name="Stages">Each stage that would be reached, in order.</param>
/// <param name="Recipients">What each recipient would come to.</param>
/// <param name="ClientName">What the DNS calls the client.</param>
public sealed record Explanation(IReadOnlyList<ExplainedStage> Stages, IReadOnlyList<ExplainedRecipient> Recipients, ClientName ClientName)
{
    /// <summary>The message would be taken, for one recipient at least.</summary>
    public bool IsAccepted { get; init; }

    /// <summary>Why it would wait for an operator; null for not at all.</summary>
    public string? HoldReason { get; init; }

    /// <summary>Why it would be thrown away; null for not at all.</summary>
    public string? DiscardReason { get; init; }

    /// <summary>Who would get it instead of all others.</summary>
    public EmailAddress? RedirectTo { get; init; }

    /// <summary>The fields that would be put before it.</summary>
    public IReadOnlyList<string> Prepended { get; init; } = [];

    /// <summary>What tables would make of the sender; null for no change.</summary>
    public ReversePath? RewrittenFrom { get; init; }

    /// <summary>Where it would go; nothing when it is held or thrown away.</summary>
    public IReadOnlyList<ExplainedTarget> Targets { get; init; } = [];
}

/// <summary>One stage.</summary>
/// <param name="Stage">Which.</param>
/// <param name="Recipient">At RCPT the recipient.</param>
/// <param name="Reply">What the client would hear; null for our greeting, our capabilities, or "go on".</param>
/// <param name="Refusal">What was decided here against it, whenever it is told.</param>
/// <param name="DecidedBy">Who decided: a rule with its file and line, a filter, or <c>server</c>; null when nobody had anything against it.</param>
/// <param name="Remarks">All that checks have said.</param>
public sealed record ExplainedStage(CheckStage Stage, EmailAddress? Recipient, SmtpReply? Reply, SmtpReply? Refusal, string? DecidedBy, IReadOnlyList<CheckRemark> Remarks);

/// <summary>One recipient.</summary>
public sealed record ExplainedRecipient(EmailAddress Address, SmtpReply Reply);

/// <summary>A place where mail would go.</summary>
/// <param name="Recipient">On whose behalf.</param>
/// <param name="Address">The address after all aliases.</param>
public sealed record ExplainedTarget(EmailAddress Recipient, EmailAddress Address)
{
    /// <summary>A copy that the configuration orders.</summary>
    public bool IsCopy { get; init; }

    /// <summary>The account of ours; null for a place elsewhere.</summary>
    public MailAccount? Account { get; init; }

    /// <summary>The account has a filter (Sieve), which has the last word on the mailbox.</summary>
    public bool HasFilter { get; init; }

    /// <summary>The account's own script cannot be used, and does not run.</summary>
    public bool IsFilterUnusable { get; init; }

    /// <summary>The mailbox, when no filter says otherwise.</summary>
    public string? Mailbox { get; init; }

    /// <summary>The way to it in words, for a place elsewhere.</summary>
    public string? Route { get; init; }

    /// <summary>Why it would not arrive there; null when it would.</summary>
    public SmtpReply? Fault { get; init; }
}
