using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Accept;

/// <summary>Carries a plan out: one durable record for all local copies and the queue's share, then a reply for each recipient.</summary>
internal sealed class DeliveryStage(TransportServices services, Func<QueueId> newId, Func<TransportOptions> options)
{
    /// <summary>Delivers. When the task completes, what has a positive reply is durable.</summary>
    public async ValueTask<DeliveryOutcome> DeliverAsync(AcceptedMessage accepted, CancellationToken cancel)
    {
        LocalDomains domains = new(services.Directory, options(), services.Time.GetUtcNow());
        using RecipientPlan plan = new(accepted, domains, services.Planner, options().Outbound.Behind.ContainsKey) { Trace = services.Trace };
        await plan.MakeAsync(cancel);
        Ledger ledger = new(accepted, plan);
        // For a report there is always room, and what the queue holds already stays in it as what it becomes.
        bool hasRoom = accepted.IsReport || accepted.Settle is not null || services.Queue.HasRoom;
        if (!hasRoom && plan.GoesOn) return DeliveryOutcome.Refused(accepted.Message.Recipients.Count, Replies.QueueFull);
        IReadOnlyList<QueueMessage> queued = hasRoom ? await plan.QueueAsync(newId, cancel) : [];
        Placement? placement = accepted.IsReport || accepted.Settle is not null ? new(accepted, plan, queued, newId) : null;
        DeliveryAttachment? attachment = placement is not null ? services.Queue.AttachDeciding(placement.Decide) : queued.Count > 0 ? services.Queue.Attach(queued) : null;
        SmtpReply? broken = null;
        if (plan.Copies.Count > 0 || plan.Notes.Count > 0 || attachment is not null)
        {
            (broken, IReadOnlyList<SmtpReply?> outcomes) = await WriteAsync(accepted, plan, queued, placement, attachment, cancel);
            for (int i = 0; i < plan.Copies.Count; i++)
            {
                if (outcomes[i] is { } refusal) ledger.Refuse(plan.Copies[i].Recipients, plan.Copies[i].Address, refusal);
                else ledger.Serve(plan.Copies[i].Recipients, relayed: false);
            }
            if (broken is null)
                foreach (QueueMessage message in queued) services.Log.Queued(message.Id, message.From, message.Recipients.Count);
        }
        foreach (RecipientPlan.Onward target in plan.Elsewhere) ledger.Relay(target.Recipients, target.Recipient.Address, broken);
        if (services.Trace.WantsRefusals)
            foreach (RecipientPlan.Refused refused in plan.Refusals) services.Trace.Tell(new TraceEvent.Refused(accepted.TraceId, accepted.Client, accepted.Message.From, refused.Address, refused.Reply));
        foreach (RecipientPlan.Outgoing one in plan.Mail)
        {
            if (one.Mail.IsRedirect) ledger.Relay(one.Recipients, one.Mail.Recipients[0].Address, broken);
            services.Log.Derived(accepted.Message.Id, one.Mail.What, one.Account, one.Mail.Recipients[0].Address, hasRoom && broken is null ? "queued" : "dropped");
        }
        if (broken is null && placement is not null)
        {
            ledger.Postpone(placement.Waiting?.Recipients ?? [], placement.Covered);
            ledger.Forget(placement.Refused.SelectMany(message => message.Recipients));
            if (placement.Waiting is { } waiting) services.Log.Queued(waiting.Id, waiting.From, waiting.Recipients.Count);
        }
        return ledger.Close(broken is null);
    }

    /// <summary>Puts a message that was accepted into the queue once more, for recipients that could not have it. False when that is not durable.</summary>
    public async ValueTask<bool> PostponeAsync(AcceptedMessage accepted, IReadOnlyList<EnvelopeRecipient> later, CancellationToken cancel)
    {
        QueueMessage waiting = Waiting(accepted, newId(), later);
        DeliveryReceipt receipt;
        try { receipt = await services.Stores.DeliverAsync(accepted.Content, [], services.Queue.Attach([waiting]), cancel); }
        catch (IOException e)
        {
            services.Log.NotStored(e, accepted.Message.Id);
            return false;
        }
        services.Log.Queued(waiting.Id, waiting.From, later.Count);
        if (services.Trace.IsOn) services.Trace.Tell(new TraceEvent.Recorded(accepted.TraceId, receipt.RecordNumber, [], [Later(waiting)]));
        return true;
    }

    /// <summary>A message as it waits for a better time.</summary>
    internal static QueueMessage Waiting(AcceptedMessage accepted, QueueId id, IReadOnlyList<EnvelopeRecipient> later)
    {
        QueueMessage message = accepted.Message;
        return message with { Id = id, Recipients = later, Ranges = accepted.Content.Length == message.Size ? null : [new(0, message.Size)] };
    }

    private static QueuedPart Later(QueueMessage waiting) => Part(waiting, "later");

    private static QueuedPart Part(QueueMessage message, string what) => new(message.Id, what, [.. message.Recipients.Select(one => one.Address)]);

    // The failure of the record as a whole, or a refusal (or null) for each copy.
    private async ValueTask<(SmtpReply? Failure, IReadOnlyList<SmtpReply?> Outcomes)> WriteAsync(AcceptedMessage accepted, RecipientPlan plan, IReadOnlyList<QueueMessage> queued, Placement? placement, DeliveryAttachment? attachment, CancellationToken cancel)
    {
        QueueId id = accepted.Message.Id;
        IReadOnlyList<RecipientPlan.Copy> copies = plan.Copies;
        try
        {
            DeliveryOrder order = new() { Deliveries = [.. copies.Select(copy => copy.Delivery)], Notes = plan.Notes, Attachment = attachment };
            DeliveryReceipt receipt = await services.Stores.DeliverAsync(accepted.Content, order, cancel);
            if (services.Trace.IsOn) services.Trace.Tell(Recorded(accepted, plan, queued, placement, receipt));
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

    private static TraceEvent.Recorded Recorded(AcceptedMessage accepted, RecipientPlan plan, IReadOnlyList<QueueMessage> queued, Placement? placement, DeliveryReceipt receipt)
    {
        StoredCopy[] copies = new StoredCopy[plan.Copies.Count];
        for (int i = 0; i < copies.Length; i++)
        {
            RecipientPlan.Copy copy = plan.Copies[i];
            copies[i] = receipt.Outcomes[i].TryGet(out StoredMessage? stored, out Refusal? refusal)
                ? new(copy.Address, copy.Delivery.Account.Address, copy.Delivery.Mailbox, stored.Uid, null)
                : new(copy.Address, copy.Delivery.Account.Address, copy.Delivery.Mailbox, null, refusal.Text);
        }
        IEnumerable<QueuedPart> parts = queued.Select((message, i) => new QueuedPart(message.Id, plan.WhatIs(i), [.. message.Recipients.Select(recipient => recipient.Address)]));
        return new(accepted.TraceId, receipt.RecordNumber, copies, [.. parts, .. placement?.Waiting is { } waiting ? [Later(waiting)] : Array.Empty<QueuedPart>(), .. (placement?.Refused ?? []).Select(message => Part(message, "refused")), .. (placement?.Served ?? []).Select(message => Part(message, "report"))]);
    }
}
