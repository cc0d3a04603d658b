using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport;

/// <summary>All log events of the transport, numbered 3000-3999; the next free ids are 3041, 3063 and 3072. Numbers are never reused. Each names the message's queue id.</summary>
internal static partial class TransportLog
{
    [LoggerMessage(3000, LogLevel.Information, "accepted {QueueId} {Session} {From} {Size} {Recipients}", EventName = "accepted")]
    internal static partial void Accepted(this ILogger log, QueueId queueId, SessionId session, ReversePath from, long size, int recipients);

    [LoggerMessage(3001, LogLevel.Information, "refused {QueueId} {Session} {From} {Reply}", EventName = "refused")]
    internal static partial void Refused(this ILogger log, QueueId queueId, SessionId session, ReversePath from, SmtpReply reply);

    [LoggerMessage(3002, LogLevel.Information, "delivered {QueueId} {To} {Account} {Mailbox} {Uid}", EventName = "delivered")]
    internal static partial void DeliveredLocally(this ILogger log, QueueId queueId, EmailAddress to, EmailAddress account, MailboxId mailbox, Uid uid);

    [LoggerMessage(3003, LogLevel.Warning, "not-delivered {QueueId} {To} {Account} {Reason}", EventName = "not-delivered")]
    internal static partial void NotDeliveredLocally(this ILogger log, QueueId queueId, EmailAddress to, EmailAddress account, string reason);

    [LoggerMessage(3004, LogLevel.Information, "queued {QueueId} {From} {Recipients}", EventName = "queued")]
    internal static partial void Queued(this ILogger log, QueueId queueId, ReversePath from, int recipients);

    [LoggerMessage(3005, LogLevel.Error, "not-stored {QueueId}", EventName = "not-stored")]
    internal static partial void NotStored(this ILogger log, Exception error, QueueId queueId);

    [LoggerMessage(3006, LogLevel.Information, "{Status} {QueueId} {From} {To} {Relay} {Delay} {Reply}", EventName = "sent")]
    internal static partial void Answered(this ILogger log, string status, QueueId queueId, ReversePath from, EmailAddress to, string relay, TimeSpan delay, SmtpReply reply);

    [LoggerMessage(3007, LogLevel.Information, "report {QueueId} {Report} {Kind} {To}", EventName = "report")]
    internal static partial void Reported(this ILogger log, QueueId queueId, QueueId report, string kind, EmailAddress to);

    [LoggerMessage(3008, LogLevel.Warning, "report-dropped {QueueId} {Reason}", EventName = "report-dropped")]
    internal static partial void ReportDropped(this ILogger log, QueueId queueId, string reason);

    [LoggerMessage(3040, LogLevel.Warning, "undeliverable {QueueId} {From} {To} {Reply}: nobody can be told of it", EventName = "undeliverable")]
    internal static partial void Undeliverable(this ILogger log, QueueId queueId, ReversePath from, EmailAddress to, SmtpReply reply);

    [LoggerMessage(3009, LogLevel.Error, "queue-attempt-failed {QueueId}", EventName = "queue-attempt-failed")]
    internal static partial void AttemptFailed(this ILogger log, Exception error, QueueId queueId);

    [LoggerMessage(3071, LogLevel.Information, "queue-stopping {Running} deliveries are under way; those that wait for an answer to their message get {Grace}", EventName = "queue-stopping")]
    internal static partial void QueueStopping(this ILogger log, int running, TimeSpan grace);

    [LoggerMessage(3010, LogLevel.Error, "queue-record-unreadable {Record} {Kind}", EventName = "queue-record-unreadable")]
    internal static partial void UnreadableStep(this ILogger log, long record, byte kind);

    [LoggerMessage(3011, LogLevel.Error, "spool-file-unreadable {Path}", EventName = "spool-file-unreadable")]
    internal static partial void SpoolFileUnreadable(this ILogger log, string path);

    [LoggerMessage(3012, LogLevel.Error, "content-missing {QueueId}", EventName = "content-missing")]
    internal static partial void ContentMissing(this ILogger log, QueueId queueId);

    [LoggerMessage(3013, LogLevel.Information, "queue-order {QueueId} {Order}", EventName = "queue-order")]
    internal static partial void Ordered(this ILogger log, QueueId queueId, QueueOrder order);

    [LoggerMessage(3014, LogLevel.Information, "connected {QueueId} {Relay} {Tls}", EventName = "relay-connected")]
    internal static partial void RelayConnected(this ILogger log, QueueId queueId, string relay, string tls);

    [LoggerMessage(3015, LogLevel.Information, "relay-failed {QueueId} {Relay} {Reply}", EventName = "relay-failed")]
    internal static partial void RelayFailed(this ILogger log, QueueId queueId, string relay, SmtpReply reply);

    [LoggerMessage(3016, LogLevel.Warning, "alias-trouble {QueueId} {To} {Reason}", EventName = "alias-trouble")]
    internal static partial void AliasTrouble(this ILogger log, QueueId queueId, EmailAddress to, string reason);

    [LoggerMessage(3070, LogLevel.Warning, "table-unavailable {QueueId} {Reason}", EventName = "table-unavailable")]
    internal static partial void TableUnavailable(this ILogger log, QueueId queueId, string reason);

    [LoggerMessage(3018, LogLevel.Information, "derived {QueueId} {What} {Account} {To} {Status}", EventName = "derived")]
    internal static partial void Derived(this ILogger log, QueueId queueId, string what, EmailAddress account, EmailAddress to, string status);

    [LoggerMessage(3019, LogLevel.Information, "filtered {QueueId} {Account} {Actions} {Status}", EventName = "filtered")]
    internal static partial void Filtered(this ILogger log, QueueId queueId, EmailAddress account, string actions, string status);

    [LoggerMessage(3020, LogLevel.Error, "script-trouble {QueueId} {Account}: the message is kept in INBOX", EventName = "script-trouble")]
    internal static partial void ScriptTrouble(this ILogger log, Exception error, QueueId queueId, EmailAddress account);

    [LoggerMessage(3021, LogLevel.Information, "script-remark {QueueId} {Account} {Remark}", EventName = "script-remark")]
    internal static partial void ScriptRemark(this ILogger log, QueueId queueId, EmailAddress account, string remark);

    [LoggerMessage(3022, LogLevel.Error, "script-unusable {Path}: {Reason}; mail is delivered without it", EventName = "script-unusable")]
    internal static partial void ScriptUnusable(this ILogger log, string path, string reason);

    [LoggerMessage(3023, LogLevel.Warning, "script-host-trouble {Account}", EventName = "script-host-trouble")]
    internal static partial void HostTrouble(this ILogger log, Exception error, EmailAddress account);

    [LoggerMessage(3024, LogLevel.Warning, "program-failed {Account} {Program} {Reason}", EventName = "program-failed")]
    internal static partial void ProgramFailed(this ILogger log, EmailAddress account, string program, string reason);

    [LoggerMessage(3017, LogLevel.Information, "relay-denied {QueueId} {Session} {Client} {From} {To}", EventName = "relay-denied")]
    internal static partial void RelayDenied(this ILogger log, QueueId queueId, SessionId session, string client, ReversePath from, EmailAddress to);

    [LoggerMessage(3030, LogLevel.Information, "check {Session} {Stage} {By} {Text}", EventName = "check")]
    internal static partial void CheckRemarked(this ILogger log, SessionId session, CheckStage stage, string by, string text);

    [LoggerMessage(3031, LogLevel.Information, "held {QueueId} {From} {Reason}", EventName = "held")]
    internal static partial void Held(this ILogger log, QueueId queueId, ReversePath from, string reason);

    [LoggerMessage(3032, LogLevel.Information, "discarded {QueueId} {From} {Reason}", EventName = "discarded")]
    internal static partial void Discarded(this ILogger log, QueueId queueId, ReversePath from, string reason);

    [LoggerMessage(3033, LogLevel.Information, "readdressed {QueueId} {From} {To}", EventName = "readdressed")]
    internal static partial void Readdressed(this ILogger log, QueueId queueId, ReversePath from, string to);

    [LoggerMessage(3060, LogLevel.Warning, "milter-failed {Name} {Reason}; {Fallback} is done in its place", EventName = "milter-failed")]
    internal static partial void MilterFailed(this ILogger log, string name, string reason, Milter.MilterFallback fallback);

    [LoggerMessage(3061, LogLevel.Warning, "trace-lost {Count} steps: more happened at once than could be kept", EventName = "trace-lost")]
    internal static partial void TraceLost(this ILogger log, long count);

    [LoggerMessage(3062, LogLevel.Warning, "trace-failed {Folder} {Reason}", EventName = "trace-failed")]
    internal static partial void TraceFailed(this ILogger log, string folder, string reason);

    [LoggerMessage(3034, LogLevel.Warning, "policy-server-failed {Session} {Server} {Reason}", EventName = "policy-server-failed")]
    internal static partial void PolicyServerFailed(this ILogger log, SessionId session, string server, string reason);

    [LoggerMessage(3026, LogLevel.Information, "mta-sts-policy {Domain} {Id} {Mode}", EventName = "mta-sts-policy")]
    internal static partial void StsPolicyFetched(this ILogger log, string domain, string id, string mode);

    [LoggerMessage(3027, LogLevel.Warning, "mta-sts-trouble {Domain} {Reason}; the policy that counts is {Policy}", EventName = "mta-sts-trouble")]
    internal static partial void StsPolicyTrouble(this ILogger log, string domain, string reason, string policy);

    [LoggerMessage(3028, LogLevel.Warning, "tls-counts-lost {Path} {Reason}", EventName = "tls-counts-lost")]
    internal static partial void TlsCountsLost(this ILogger log, string path, string reason);

    [LoggerMessage(3029, LogLevel.Information, "tls-report {Domain} {Day} {Place} {Status}", EventName = "tls-report")]
    internal static partial void TlsReportSent(this ILogger log, string domain, DateOnly day, string place, string status);
}
