using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Store;

namespace Posthorn.Transport.Accept;

/// <summary>Where all copies of one message go: aliases expanded, accounts reached twice counted once, scripts asked.</summary>
internal sealed class RecipientPlan
{
    /// <summary>How often one recipient may be sent on from account to account before it counts as a loop.</summary>
    private const int MaxRedirects = 10;

    private readonly List<Copy> _copies = [];
    private readonly Dictionary<EmailAddress, Onward> _onward = [];
    private readonly Dictionary<EmailAddress, Visit> _accounts = [];
    private readonly List<Refused> _refused = [];

    /// <summary>A copy for a local mailbox.</summary>
    internal sealed record Copy(LocalDelivery Delivery, EmailAddress Address, HashSet<int> Recipients);

    /// <summary>An address elsewhere.</summary>
    internal sealed record Onward(EnvelopeRecipient Recipient, HashSet<int> Recipients);

    /// <summary>A place where nothing goes.</summary>
    /// <param name="Recipient">The recipient on whose behalf.</param>
    /// <param name="Address">The address after aliases.</param>
    /// <param name="Reply">Why.</param>
    internal sealed record Refused(int Recipient, EmailAddress Address, SmtpReply Reply);

    // Who has been asked already, and which recipients its copies and redirects serve.
    private sealed record Visit(HashSet<int> Recipients, SmtpReply? Rejection);

    public IReadOnlyList<Copy> Copies => _copies;
    public IReadOnlyCollection<Onward> Elsewhere => _onward.Values;

    public IReadOnlyList<Refused> Refusals => _refused;

    public static async ValueTask<RecipientPlan> MakeAsync(AcceptedMessage accepted, LocalDomains domains, IDeliveryPlanner planner, CancellationToken cancel)
    {
        RecipientPlan plan = new();
        for (int i = 0; i < accepted.Message.Recipients.Count; i++)
            await plan.AddAsync(accepted, i, domains, planner, cancel);
        return plan;
    }

    private async ValueTask AddAsync(AcceptedMessage accepted, int recipient, LocalDomains domains, IDeliveryPlanner planner, CancellationToken cancel)
    {
        EnvelopeRecipient given = accepted.Message.Recipients[recipient];
        Queue<(EmailAddress Address, int Depth)> work = new([(given.Address, 0)]);
        while (work.TryDequeue(out (EmailAddress Address, int Depth) next))
        {
            switch (domains.Resolve(next.Address))
            {
                case Resolution.NotOurs: SendOn(new(next.Address, given.Notify, given.OriginalRecipient) { IsForwarded = next.Depth > 0 }, given, recipient); break;
                case Resolution.Unknown: Refuse(recipient, next.Address, Replies.Unknown); break;
                case Resolution.Loop: Refuse(recipient, next.Address, Replies.AliasLoop); break;
                case Resolution.TooMany: Refuse(recipient, next.Address, Replies.TooManyTargets); break;
                case Resolution.Recipients { Targets: var targets }:
                    foreach (Target target in targets)
                    {
                        if (target is Target.Remote remote) SendOn(Forwarded(remote.Address, given, targets.Count == 1), given, recipient);
                        else if (target is Target.Local local)
                        {
                            IReadOnlyList<EmailAddress> redirects = await DeliverAsync(accepted, local, recipient, planner, cancel);
                            if (next.Depth >= MaxRedirects && redirects.Count > 0) Refuse(recipient, local.FinalAddress, Replies.DeliveryLoop);
                            else foreach (EmailAddress redirect in redirects) work.Enqueue((redirect, next.Depth + 1));
                        }
                    }
                    break;
            }
        }
    }

    private async ValueTask<IReadOnlyList<EmailAddress>> DeliverAsync(AcceptedMessage accepted, Target.Local local, int recipient, IDeliveryPlanner planner, CancellationToken cancel)
    {
        if (_accounts.TryGetValue(local.Account.Address, out Visit? visit))
        {
            if (visit.Rejection is { } rejected) Refuse(recipient, local.FinalAddress, rejected);
            visit.Recipients.Add(recipient);
            return [];
        }
        HashSet<int> recipients = [recipient];
        if (accepted.DeliveredTo.Contains(local.FinalAddress))
        {
            _accounts.Add(local.Account.Address, new(recipients, Replies.DeliveryLoop));
            Refuse(recipient, local.FinalAddress, Replies.DeliveryLoop);
            return [];
        }
        EmailAddress original = accepted.Message.Recipients[recipient].Address;
        QueueEnvelope envelope = new(accepted.Message.Id, accepted.Message.From, accepted.Message.Arrived);
        DeliveryPlan plan = await planner.PlanAsync(new(envelope, local.Account, local.FinalAddress, local.Detail, original, accepted.Content), cancel);
        _accounts.Add(local.Account.Address, new(recipients, plan.Rejection));
        if (plan.Rejection is { } rejection)
        {
            Refuse(recipient, local.FinalAddress, rejection);
            return [];
        }
        byte[] prefix = ReceivedLine.Prefix(accepted.Message.From, local.FinalAddress);
        foreach (PlannedCopy copy in plan.Copies)
            _copies.Add(new(new(local.Account, copy.Mailbox, copy.Flags, copy.Keywords, prefix) { Create = copy.Create }, local.FinalAddress, recipients));
        return plan.Redirects;
    }

    // RFC 3461 section 5.2.7: an alias with one target keeps the sender's wishes; one with several has been delivered when it was expanded.
    private static EnvelopeRecipient Forwarded(EmailAddress address, EnvelopeRecipient given, bool single) =>
        new(address, single ? given.Notify : given.Notify & ~DsnNotify.Success, given.OriginalRecipient) { IsForwarded = true };

    private void SendOn(EnvelopeRecipient target, EnvelopeRecipient given, int recipient)
    {
        if (_onward.TryGetValue(target.Address, out Onward? onward))
        {
            onward.Recipients.Add(recipient);
            return;
        }
        if (target.Address != given.Address) target = target with { OriginalRecipient = given.OriginalRecipient ?? $"rfc822;{Xtext.Encode(given.Address.ToString())}" };
        _onward.Add(target.Address, new(target, [recipient]));
    }

    private void Refuse(int recipient, EmailAddress address, SmtpReply reply) => _refused.Add(new(recipient, address, reply));
}
