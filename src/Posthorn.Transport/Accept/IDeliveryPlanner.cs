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
/// <param name="Content">The message, to be read back from any offset.</param>
public sealed record DeliveryInput(QueueEnvelope Envelope, MailAccount Account, EmailAddress Recipient, string? Detail, EmailAddress Original, IMessageSink Content);

/// <summary>The envelope as planners see it; a message of our own making has one too.</summary>
public sealed record QueueEnvelope(QueueId Id, ReversePath From, DateTimeOffset Arrived);

/// <summary>What becomes of a message for one local recipient. Copies, redirects and rejection may all be absent: the message is discarded.</summary>
public sealed record DeliveryPlan
{
    /// <summary>The copies to store.</summary>
    public IReadOnlyList<PlannedCopy> Copies { get; init; } = [];

    /// <summary>Addresses to send it on to, under the same sender.</summary>
    public IReadOnlyList<EmailAddress> Redirects { get; init; } = [];

    /// <summary>Refuse it with this reply (Sieve <c>reject</c>, RFC 5429); copies and redirects are ignored then.</summary>
    public SmtpReply? Rejection { get; init; }

    /// <summary>Keep it in the inbox.</summary>
    public static DeliveryPlan Keep { get; } = new() { Copies = [new(MailboxName.Inbox, SystemFlags.None, KeywordSet.Empty, false)] };
}

/// <summary>One copy to store.</summary>
public sealed record PlannedCopy(MailboxName Mailbox, SystemFlags Flags, KeywordSet Keywords, bool Create);

/// <summary>Keeps everything: in the inbox, or in the mailbox that the address's detail names where that is wanted and the mailbox exists.</summary>
public sealed class InboxPlanner(bool detailToFolder, char separator) : IDeliveryPlanner
{
    public ValueTask<DeliveryPlan> PlanAsync(DeliveryInput input, CancellationToken cancel)
    {
        if (!detailToFolder || input.Detail is not { Length: > 0 } detail || !MailboxName.TryCreate(detail, separator, out MailboxName mailbox)) return ValueTask.FromResult(DeliveryPlan.Keep);
        return ValueTask.FromResult(new DeliveryPlan { Copies = [new(mailbox, SystemFlags.None, KeywordSet.Empty, false)] });
    }
}
