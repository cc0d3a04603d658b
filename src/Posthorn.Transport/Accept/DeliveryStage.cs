using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Accept;

/// <summary>Carries a plan out: one durable record for all local copies and the queue's share, then a reply for each recipient.</summary>
internal sealed class DeliveryStage(TransportServices services, Func<TransportOptions> options)
{
    /// <summary>Delivers. When the task completes, what has a positive reply is durable.</summary>
    public async ValueTask<DeliveryOutcome> DeliverAsync(AcceptedMessage accepted, CancellationToken cancel)
    {
        LocalDomains domains = new(services.Directory, options(), services.Time.GetUtcNow());
        RecipientPlan plan = await RecipientPlan.MakeAsync(accepted, domains, services.Planner, cancel);
        Ledger ledger = new(accepted, plan);
        bool hasRoom = services.Queue.HasRoom || accepted.Cause is not null;
        List<RecipientPlan.Onward> onward = hasRoom ? [.. plan.Elsewhere] : [];
        if (!hasRoom)
            foreach (RecipientPlan.Onward lost in plan.Elsewhere) ledger.Refuse(lost.Recipients, lost.Recipient.Address, Replies.QueueFull);
        QueueMessage? queued = onward.Count == 0 ? null : accepted.Message with { Recipients = [.. onward.Select(target => target.Recipient)] };
        DeliveryAttachment? attachment = accepted.Settle is { } settle ? services.Queue.AttachDeciding(queued, outcomes => WordsOf(accepted, plan, onward, settle, outcomes))
            : queued is not null ? services.Queue.Attach(queued, accepted.Cause)
            : accepted.Cause is not null ? services.Queue.Attach(accepted.Cause)
            : null;
        SmtpReply? failure = null;
        if (plan.Copies.Count > 0 || attachment is not null)
        {
            (failure, IReadOnlyList<SmtpReply?> outcomes) = await WriteAsync(accepted, plan.Copies, attachment, cancel);
            for (int i = 0; i < plan.Copies.Count; i++)
            {
                if (outcomes[i] is { } refusal) ledger.Refuse(plan.Copies[i].Recipients, plan.Copies[i].Address, refusal);
                else ledger.Serve(plan.Copies[i].Recipients, relayed: false);
            }
            foreach (RecipientPlan.Onward target in onward)
            {
                if (failure is not null) ledger.Refuse(target.Recipients, target.Recipient.Address, failure);
                else ledger.Serve(target.Recipients, relayed: true);
            }
            if (queued is not null && failure is null) services.Log.Queued(queued.Id, queued.From, queued.Recipients.Count);
        }
        return ledger.Close(failure is null);
    }

    // A recipient is done with when anything for it was taken, or when nothing was to be.
    private static QueueAnswers? WordsOf(
        AcceptedMessage accepted, RecipientPlan plan, List<RecipientPlan.Onward> onward, Func<IReadOnlySet<int>, QueueAnswers> settle, IReadOnlyList<Result<StoredMessage>> outcomes)
    {
        HashSet<int> done = [.. Enumerable.Range(0, accepted.Message.Recipients.Count)];
        foreach (RecipientPlan.Refused refused in plan.Refusals) done.Remove(refused.Recipient);
        foreach (RecipientPlan.Onward target in plan.Elsewhere) done.ExceptWith(target.Recipients);
        for (int i = 0; i < plan.Copies.Count; i++)
            if (!outcomes[i].IsOk) done.ExceptWith(plan.Copies[i].Recipients);
        foreach (RecipientPlan.Onward target in onward) done.UnionWith(target.Recipients);
        for (int i = 0; i < plan.Copies.Count; i++)
            if (outcomes[i].IsOk) done.UnionWith(plan.Copies[i].Recipients);
        QueueAnswers words = settle(done);
        return done.Count > 0 ? words : null;
    }

    // The failure of the record as a whole, or a refusal (or null) for each copy.
    private async ValueTask<(SmtpReply? Failure, IReadOnlyList<SmtpReply?> Outcomes)> WriteAsync(AcceptedMessage accepted, IReadOnlyList<RecipientPlan.Copy> copies, DeliveryAttachment? attachment, CancellationToken cancel)
    {
        QueueId id = accepted.Message.Id;
        try
        {
            DeliveryReceipt receipt = await services.Stores.DeliverAsync(accepted.Content, [.. copies.Select(copy => copy.Delivery)], attachment, cancel);
            SmtpReply?[] outcomes = new SmtpReply?[copies.Count];
            for (int i = 0; i < copies.Count; i++)
            {
                MailAccount account = copies[i].Delivery.Account;
                if (receipt.Outcomes[i].TryGet(out StoredMessage? stored, out Refusal? refusal)) services.Log.DeliveredLocally(id, copies[i].Address, account.Address, stored.Mailbox, stored.Uid);
                else
                {
                    services.Log.NotDeliveredLocally(id, copies[i].Address, account.Address, refusal.Text);
                    outcomes[i] = Replies.From(refusal, accepted.QuotaIsPermanent);
                }
            }
            return (null, outcomes);
        }
        catch (JournalFullException e) { return Failed(e, Replies.NoSpace); }
        catch (IOException e) { return Failed(e, Replies.Trouble); }

        (SmtpReply?, IReadOnlyList<SmtpReply?>) Failed(IOException error, SmtpReply reply)
        {
            services.Log.NotStored(error, id);
            return (reply, [.. Enumerable.Repeat(reply, copies.Count)]);
        }
    }
}
