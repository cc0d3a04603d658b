using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Accept;

/// <summary>
/// Where a report of ours goes, decided while its record is written: into a mailbox, on its way, or, where a mailbox does not take it for the moment, into the queue (RFC 5321 section 4.5.4.1).
/// Its cause becomes durable with it, and not without it.
/// </summary>
internal sealed class ReportPlacement(AcceptedMessage accepted, RecipientPlan plan, IReadOnlyList<QueueMessage> queued, QueueId id)
{
    /// <summary>What waits for a mailbox; null when nothing does.</summary>
    public QueueMessage? Waiting { get; private set; }

    public QueueDecision Decide(IReadOnlyList<Result<StoredMessage>> outcomes)
    {
        HashSet<EmailAddress> served = [.. plan.Copies.Where((_, i) => outcomes[i].IsOk).Select(copy => copy.Address)];
        List<(EmailAddress Address, SmtpReply Reply)> refused = [.. plan.Refusals.Select(one => (one.Address, one.Reply))];
        for (int i = 0; i < plan.Copies.Count; i++)
            if (!outcomes[i].TryGet(out _, out Refusal? refusal) && !served.Contains(plan.Copies[i].Address)) refused.Add((plan.Copies[i].Address, Replies.From(refusal, accepted.QuotaIsPermanent)));
        EnvelopeRecipient[] later = [.. refused.Where(one => one.Reply.IsTransient).Select(one => one.Address).Distinct().Select(address => new EnvelopeRecipient(address, DsnNotify.Never, null))];
        Waiting = later.Length == 0 ? null : DeliveryStage.Waiting(accepted, id, later);
        bool isPlaced = refused.Count == 0 || later.Length > 0 || served.Count > 0 || plan.Elsewhere.Count > 0 || plan.Mail.Any(one => one.Mail.IsRedirect);
        return new(Waiting is { } waiting ? [.. queued, waiting] : queued, isPlaced ? accepted.Cause : null);
    }
}
