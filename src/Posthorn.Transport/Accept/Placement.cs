using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Bounce;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Accept;

/// <summary>
/// What becomes durable together with the copies of a message that nobody will send again, a report of ours or one from the queue, decided while its record is written:
/// what goes on its way, what a mailbox does not take for the moment and therefore waits (RFC 5321 section 4.5.4.1), and the last words that follow from it.
/// </summary>
/// <param name="accepted">The message.</param>
/// <param name="plan">Where it goes.</param>
/// <param name="queued">What enters the queue whatever the mailboxes say.</param>
/// <param name="newId">Ids for what waits.</param>
internal sealed class Placement(AcceptedMessage accepted, RecipientPlan plan, IReadOnlyList<QueueMessage> queued, Func<QueueId> newId)
{
    /// <summary>What waits for a better time; null when nothing does.</summary>
    public QueueMessage? Waiting { get; private set; }

    /// <summary>What is still to be told to the sender: places that an alias leads to and that refused for good, while the recipient has its last word.</summary>
    public IReadOnlyList<QueueMessage> Refused { get; private set; } = [];

    /// <summary>What is still to be told to the sender who asked for word of success: recipients that have their last word now.</summary>
    public IReadOnlyList<QueueMessage> Served { get; private set; } = [];

    /// <summary>Places that another recipient, which is tried again, leads to as well: they have the message by that.</summary>
    public IReadOnlySet<EmailAddress> Covered { get; private set; } = new HashSet<EmailAddress>();

    public QueueDecision Decide(IReadOnlyList<Result<StoredMessage>> outcomes)
    {
        HashSet<EmailAddress> stored = [.. plan.Copies.Where((_, i) => outcomes[i].IsOk).Select(copy => copy.Address)];
        List<RecipientPlan.Refused> refused = [.. plan.Refusals];
        for (int i = 0; i < plan.Copies.Count; i++)
            if (!outcomes[i].TryGet(out _, out Refusal? refusal) && plan.Copies[i] is var copy && !stored.Contains(copy.Address))
                refused.AddRange(copy.Recipients.Select(recipient => new RecipientPlan.Refused(recipient, copy.Address, Replies.From(refusal, accepted.QuotaIsPermanent))));

        HashSet<int> done = Done(refused, stored);
        Covered = accepted.IsReport ? new HashSet<EmailAddress>() : refused.Where(one => !done.Contains(one.Recipient)).Select(one => one.Address).ToHashSet();
        RecipientPlan.Refused[] late = [.. refused.Where(one => one.Reply.IsTransient && !Covered.Contains(one.Address)).DistinctBy(one => one.Address)];
        Waiting = late.Length == 0 ? null : DeliveryStage.Waiting(accepted, accepted.IsReport && queued.Count == 0 ? accepted.Message.Id : newId(), [.. late.Select(RecipientFor)]);
        Refused = accepted.Settle is null ? [] : [.. Untold(refused, late).GroupBy(one => one.Reply).Select(group => DeliveryStage.Waiting(accepted, newId(), [.. group.Select(RecipientFor)]) with { Outcome = QueueEntry.Bounded(group.Key) })];
        Served = accepted.Settle is { } settle && done.Count > 0 ? [.. SuccessOf(done, settle(done))] : [];
        return new([.. queued, .. Waiting is { } waiting ? [waiting] : Array.Empty<QueueMessage>(), .. Refused, .. Served], CauseOf(done));
    }

    /// <summary>A place that is still owed the message, as a recipient.</summary>
    public static EnvelopeRecipient RecipientFor(EnvelopeRecipient given, EmailAddress address) => given.Readdressed(address) with { Notify = given.Notify.WithoutSuccess() };

    // For whom the message goes on to other places.
    private IEnumerable<int> Onward => plan.Elsewhere.SelectMany(target => target.Recipients).Concat(plan.Mail.Where(one => one.Mail.IsRedirect).SelectMany(one => one.Recipients));

    private EnvelopeRecipient RecipientFor(RecipientPlan.Refused one) => RecipientFor(accepted.Message.Recipients[one.Recipient], one.Address);

    // What a recipient without a last word was refused is told with that word.
    private IEnumerable<RecipientPlan.Refused> Untold(List<RecipientPlan.Refused> refused, RecipientPlan.Refused[] late) =>
        refused.Where(one => one.Reply.IsPermanent && !Covered.Contains(one.Address) && !Array.Exists(late, other => other.Address == one.Address)
            && (accepted.Message.From.IsNull || Report.IsWanted(ReportKind.Failed, accepted.Message.Recipients[one.Recipient].Notify))).DistinctBy(one => one.Address);

    // NOTIFY=SUCCESS (RFC 3461 section 4.1); what goes on under the same wishes is told by who delivers it.
    private IEnumerable<QueueMessage> SuccessOf(HashSet<int> done, QueueAnswers words)
    {
        if (accepted.Message.From.IsNull) yield break;
        HashSet<int> onward = [.. Onward];
        int[] wanted = [.. done.Order().Where(i => Report.IsWanted(ReportKind.Success, accepted.Message.Recipients[i].Notify) && (plan.IsExpanded(i) || !onward.Contains(i)))];
        if (wanted.Length == 0) yield break;
        bool waits = Waiting is not null;
        yield return DeliveryStage.Waiting(accepted, newId(), [.. wanted.Select(i => accepted.Message.Recipients[i] with { IsExpanded = plan.IsExpanded(i) && (waits || onward.Contains(i)) })]) with { Outcome = words.Answers[0].Reply };
    }

    // A recipient is done with when anything for it was taken, or when nothing was to be.
    private HashSet<int> Done(List<RecipientPlan.Refused> refused, HashSet<EmailAddress> stored)
    {
        HashSet<int> done = [.. Enumerable.Range(0, accepted.Message.Recipients.Count)];
        foreach (RecipientPlan.Refused one in refused) done.Remove(one.Recipient);
        foreach (RecipientPlan.Copy copy in plan.Copies.Where(copy => stored.Contains(copy.Address))) done.UnionWith(copy.Recipients);
        done.UnionWith(Onward);
        return done;
    }

    // The cause of a report stands once the report is placed anywhere.
    private QueueAnswers? CauseOf(HashSet<int> done)
    {
        if (accepted.Settle is not { } settle) return done.Count > 0 || Waiting is not null ? accepted.Cause : null;
        QueueAnswers words = settle(done);
        return done.Count > 0 ? words : null;
    }
}
