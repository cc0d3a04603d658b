using Posthorn.Core;
using Posthorn.Imap.Session;
using Posthorn.Store;

namespace Posthorn.Imap.Commands;

/// <summary>A message that goes when the new one is here: whose it is, and its octets.</summary>
internal sealed record Replaced(EmailAddress Owner, long Size);

/// <summary>Whose limits a message that comes in must keep to.</summary>
/// <param name="Account">Whose it will be.</param>
/// <param name="Freed">The octets of the one in whose place it goes; null when none goes.</param>
internal sealed record Destination(MailAccount Account, long? Freed)
{
    /// <summary>Null when so many octets have room; else why not. With REPLACE what is more than before must have room (RFC 8508 section 3.4).</summary>
    public async ValueTask<Completion?> CheckAsync(ImapSession session, long octets, CancellationToken cancel)
    {
        if (Freed is not { } freed)
        {
            Result<Done> room = await session.Services.Stores.HasRoomAsync(Account, octets, cancel);
            return room.IsOk ? null : Completion.From(room.Refusal);
        }

        if (octets <= freed) return null;
        Result<QuotaState> quota = await QuotaRoots.StateAsync(session, Account, cancel);
        if (!quota.IsOk) return Completion.From(quota.Refusal);
        return quota.Value.UsedBytes + octets - freed > quota.Value.LimitBytes ? Completion.From(new(RefusalKind.OverQuota, "The mailbox is full")) : null;
    }
}
