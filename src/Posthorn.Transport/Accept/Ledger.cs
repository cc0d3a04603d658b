using Posthorn.Core;

namespace Posthorn.Transport.Accept;

/// <summary>Keeps account of what each recipient of a message got, while it is delivered.</summary>
internal sealed class Ledger
{
    private readonly AcceptedMessage _accepted;
    private readonly RecipientPlan _plan;
    private readonly bool[] _served;
    private readonly bool[] _relayed;
    private readonly List<RecipientPlan.Refused> _refused;

    public Ledger(AcceptedMessage accepted, RecipientPlan plan)
    {
        (_accepted, _plan) = (accepted, plan);
        _served = new bool[accepted.Message.Recipients.Count];
        _relayed = new bool[_served.Length];
        _refused = [.. plan.Refusals];
    }

    public void Serve(IEnumerable<int> recipients, bool relayed)
    {
        foreach (int recipient in recipients)
        {
            _served[recipient] = true;
            _relayed[recipient] |= relayed;
        }
    }

    /// <summary>Something went to the queue, or did not for this reason.</summary>
    public void Relay(IReadOnlyCollection<int> recipients, EmailAddress address, SmtpReply? failure)
    {
        if (failure is null) Serve(recipients, relayed: true);
        else Refuse(recipients, address, failure);
    }

    public void Refuse(IEnumerable<int> recipients, EmailAddress address, SmtpReply reply)
    {
        foreach (int recipient in recipients) _refused.Add(new(recipient, address, reply));
    }

    /// <summary>These places were refused, and have the message waiting for them now; or another recipient waits for them.</summary>
    public void Postpone(IReadOnlyList<EnvelopeRecipient> waiting, IReadOnlySet<EmailAddress> covered)
    {
        _refused.RemoveAll(one => _served[one.Recipient] && covered.Contains(one.Address));
        HashSet<EmailAddress> places = [.. waiting.Select(one => one.Address)];
        Serve(_refused.Where(one => places.Contains(one.Address)).Select(one => one.Recipient), relayed: true);
        _refused.RemoveAll(one => places.Contains(one.Address));
    }

    /// <summary>That these places refused is told by something else.</summary>
    public void Forget(IEnumerable<EnvelopeRecipient> told)
    {
        HashSet<EmailAddress> places = [.. told.Select(one => one.Address)];
        _refused.RemoveAll(one => _served[one.Recipient] && places.Contains(one.Address));
    }

    /// <summary>A reply for each recipient: positive when anything for it was served, or when it was discarded on purpose.</summary>
    public DeliveryOutcome Close(bool isRecorded)
    {
        SmtpReply[] replies = new SmtpReply[_served.Length];
        for (int i = 0; i < replies.Length; i++)
        {
            RecipientPlan.Refused[] refused = _served[i] ? [] : [.. _refused.Where(one => one.Recipient == i)];
            // What may work later outweighs what will not: the client tries again for its sake.
            SmtpReply? refusal = (Array.Find(refused, one => one.Reply.IsTransient) ?? refused.FirstOrDefault())?.Reply;
            replies[i] = refusal ?? Positive(i);
        }
        Shortfall[] shortfalls = [.. _refused.Where(one => _served[one.Recipient]).DistinctBy(one => one.Address).Select(one => new Shortfall(RecipientFor(one), one.Reply))];
        return new(replies, [.. replies.Select((_, i) => HandoverOf(i))], isRecorded, shortfalls);
    }

    private Handover HandoverOf(int recipient) => !_relayed[recipient] ? Handover.Delivered : _plan.IsExpanded(recipient) ? Handover.Expanded : Handover.Onward;

    private SmtpReply Positive(int recipient) => _accepted.RepliesSeparately
        ? Replies.Delivered(_accepted.Message.Recipients[recipient].Address, _accepted.Message.Id)
        : Replies.Queued(_accepted.Message.Id);

    private EnvelopeRecipient RecipientFor(RecipientPlan.Refused refused) => Placement.RecipientFor(_accepted.Message.Recipients[refused.Recipient], refused.Address);
}
