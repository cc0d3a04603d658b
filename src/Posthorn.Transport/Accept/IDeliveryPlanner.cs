using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Transport.Accept;

/// <summary>Decides what becomes of a message for one local recipient, before the final reply and without effects: here the account's Sieve script runs.</summary>
public interface IDeliveryPlanner
{
    ValueTask<DeliveryPlan> PlanAsync(DeliveryInput input, CancellationToken cancel);
}

/// <summary>What a planner sees.</summary>
/// <param name="Envelope">From, client, id, DSN parameters.</param>
/// <param name="Account">Whose mail it is.</param>
/// <param name="Recipient">The address after all aliases, with its detail.</param>
/// <param name="Detail">The detail in it, or null.</param>
/// <param name="Original">The address as given in RCPT.</param>
/// <param name="Content">The message, to be read back from any offset. More may come behind it while others plan.</param>
/// <param name="Size">The message's octets.</param>
public sealed record DeliveryInput(QueueEnvelope Envelope, MailAccount Account, EmailAddress Recipient, string? Detail, EmailAddress Original, IMessageSink Content, long Size)
{
    /// <summary>What the sender asked for this recipient.</summary>
    public DsnNotify Notify { get; init; }

    /// <summary>ORCPT as received; null when not given.</summary>
    public string? OriginalRecipient { get; init; }

    /// <summary>Under which id its life is told, when that is another's.</summary>
    public QueueId? LifeOf { get; init; }
}

/// <summary>The envelope as planners see it; a message of our own making has one too.</summary>
public sealed record QueueEnvelope(QueueId Id, ReversePath From, DateTimeOffset Arrived)
{
    public DsnReturn Return { get; init; }

    /// <summary>ENVID, decoded; null when not given.</summary>
    public string? EnvelopeId { get; init; }

    /// <summary>When it must have arrived; null for whenever.</summary>
    public DeliverBy? By { get; init; }

    /// <summary>The account that handed the message in, when it logged in.</summary>
    public EmailAddress? Author { get; init; }

    /// <summary>Who handed it in; null when it comes from the queue.</summary>
    public System.Net.IPAddress? Client { get; init; }
}
