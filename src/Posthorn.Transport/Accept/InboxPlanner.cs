using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Transport.Accept;

/// <summary>Keeps everything: in the inbox, or in the mailbox that the address's detail names where that is wanted and the mailbox exists.</summary>
public sealed class InboxPlanner(bool detailToFolder, char separator) : IDeliveryPlanner
{
    public ValueTask<DeliveryPlan> PlanAsync(DeliveryInput input, CancellationToken cancel)
    {
        if (!detailToFolder || input.Detail is not { Length: > 0 } detail || !MailboxName.TryCreate(detail, separator, out MailboxName mailbox)) return ValueTask.FromResult(DeliveryPlan.Keep);
        return ValueTask.FromResult(new DeliveryPlan { Copies = [new(mailbox, SystemFlags.None, KeywordSet.Empty, false)] });
    }
}
