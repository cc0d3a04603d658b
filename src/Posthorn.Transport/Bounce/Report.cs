using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Bounce;

/// <summary>What a report tells.</summary>
internal enum ReportKind
{
    Failed,
    Delayed,
    /// <summary>It arrived, or went where no report will come from (RFC 3461 section 5.2).</summary>
    Success,
}

/// <summary>What has become of one recipient.</summary>
/// <param name="Recipient">The recipient as it stood in the envelope.</param>
/// <param name="Action">The word of RFC 3464 section 2.3.3.</param>
/// <param name="Reply">The reply that decided it.</param>
/// <param name="Host">Who said so; empty for ourselves.</param>
internal sealed record ReportedRecipient(EnvelopeRecipient Recipient, string Action, SmtpReply Reply, string Host)
{
    /// <summary>What was last said where <see cref="Reply"/> is our own word: that time has run out.</summary>
    public SmtpReply? Last { get; init; }
}

/// <summary>A report to be written (RFC 3464).</summary>
internal sealed record Report
{
    public required ReportKind Kind { get; init; }

    /// <summary>The message that it is about.</summary>
    public required QueueMessage About { get; init; }
    public required IReadOnlyList<ReportedRecipient> Recipients { get; init; }
    public required ContentReader Content { get; init; }

    /// <summary>For a delay: until when it will be tried.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Last words that become durable with the report.</summary>
    public QueueAnswers? Cause { get; init; }

    /// <summary>It goes to the postmaster, since there is no sender who could be told; null for a report to the sender.</summary>
    public PostmasterNotice? Notice { get; init; }

    /// <summary>Whether the sender wants to hear of a failure, a delay or a success of this recipient (RFC 3461 section 4.1).</summary>
    public static bool IsWanted(ReportKind kind, DsnNotify notify) => kind switch
    {
        ReportKind.Failed => notify == DsnNotify.Unspecified || notify.HasFlag(DsnNotify.Failure),
        ReportKind.Delayed => notify == DsnNotify.Unspecified || notify.HasFlag(DsnNotify.Delay),
        _ => notify.HasFlag(DsnNotify.Success),
    };
}

/// <summary>Word to the postmaster of mail that could be neither delivered nor returned (RFC 3461 section 5.2).</summary>
/// <param name="To">The postmaster.</param>
/// <param name="Refused">Why the sender could not be told; null where the null path names none.</param>
/// <param name="Untold">Of how many more nothing was said since the last such word.</param>
internal sealed record PostmasterNotice(EmailAddress To, SmtpReply? Refused, int Untold);
