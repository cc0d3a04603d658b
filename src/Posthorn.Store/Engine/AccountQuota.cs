using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>What an account uses, what is on its way to it, and how much it may have.</summary>
/// <remarks>Locking: the account's gate guards everything here; whoever calls holds it.</remarks>
internal sealed class AccountQuota(OperationQueue queue, bool countsKept)
{
    private long? _octets, _messages;
    private (long Octets, long Messages) _kept;

    /// <summary>The mailboxes that count.</summary>
    internal IReadOnlyCollection<Box> Boxes { get; set; } = [];

    /// <summary>Whether what was expunged and is still kept counts against the limit (<see cref="MaildirStoreOptions.CountExpunged"/>).</summary>
    internal bool CountsKept => countsKept;

    internal QuotaState State
    {
        get
        {
            (long octets, long messages) = Used;
            return new(octets, _octets, messages, _messages);
        }
    }

    private (long Octets, long Messages) Used
    {
        get
        {
            (long octets, long messages) = _kept;
            foreach (Box box in Boxes)
            {
                octets += box.Counts.Octets;
                messages += box.Counts.Messages;
            }

            return (octets, messages);
        }
    }

    internal void SetLimits(long? octets, long? messages) => (_octets, _messages) = (octets, messages);

    /// <summary>Begins to count anew what was expunged and is kept.</summary>
    internal void SetKept((long Octets, long Messages) kept) => _kept = kept;

    /// <summary>Something more was expunged and is kept.</summary>
    internal void Keep(long octets, long messages)
    {
        if (countsKept) _kept = (_kept.Octets + octets, _kept.Messages + messages);
    }

    /// <summary>Null when there is room for so much more.</summary>
    internal Refusal? Room(long octets, int messages)
    {
        (long usedOctets, long usedMessages) = Used;
        return usedOctets + queue.ReservedOctets + octets > _octets || usedMessages + queue.ReservedMessages + messages > _messages
            ? new(RefusalKind.OverQuota, "The mailbox is full")
            : null;
    }

    /// <summary>As above, for a message in whose place another one goes, unless what was expunged goes on counting.</summary>
    internal Refusal? RoomToReplace(long octets, long freed) => countsKept ? Room(octets, 1) : octets <= freed ? null : Room(octets - freed, 0);
}
