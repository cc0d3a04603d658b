using Posthorn.Core;
using Posthorn.Store.Catalogue;

namespace Posthorn.Store.Engine;

/// <summary>What a transaction has made of one mailbox so far; it becomes visible when the transaction is committed.</summary>
internal sealed class BoxDraft(Box box)
{
    internal Box Box { get; } = box;
    internal MailboxName Name { get; set; } = box.Name;
    internal Uid UidNext { get; set; } = box.UidNext;
    internal ModSeq Highest { get; set; } = box.Highest;
    internal Uid FirstRecent { get; set; } = box.FirstRecent;
    internal Counts Counts { get; set; } = box.Counts;
    internal long Tombstones { get; set; } = box.Tombstones;
    internal Sharing.MailboxAcl Acl { get; set; } = box.Acl;
    internal bool IsNew { get; init; }
    internal bool IsDeleted { get; set; }

    /// <summary>The object that sessions know for a mailbox that gets another UIDVALIDITY: for them it is gone.</summary>
    internal Box? Replaced { get; set; }
    internal SortedDictionary<Uid, MessageRow> Upserts { get; } = [];
    internal SortedSet<Uid> Removed { get; } = [];
    internal List<(Uid Uid, GoneMessage Where)> Gone { get; } = [];

    internal MailboxRow ToRow() => new(Box.Id, Box.Mailbox, Name.Value, Box.Use, Box.Validity)
    {
        UidNext = UidNext,
        Highest = Highest,
        Floor = Box.Floor,
        FirstRecent = FirstRecent,
        Counts = Counts,
        Tombstones = Tombstones,
    };
}

/// <summary>What a transaction has made of an account so far.</summary>
internal sealed class Draft(Account account)
{
    private readonly Dictionary<MailboxId, BoxDraft> _boxes = [];

    internal long ModSeq { get; set; } = account.ModSeq;
    internal uint Validity { get; set; } = account.Validity;
    internal Dictionary<string, bool> Subscriptions { get; } = [];
    internal IEnumerable<BoxDraft> Boxes => _boxes.Values;

    /// <summary>Whether anything became different.</summary>
    internal bool IsChanged { get; set; }

    /// <summary>Whether somebody's rights became different.</summary>
    internal ModSeq? AclChanged { get; set; }

    /// <summary>Whether the filter has something new to remember.</summary>
    internal bool HasNotes { get; set; }

    /// <summary>A mailbox as this transaction has it; null when there is none.</summary>
    internal BoxDraft? Find(MailboxId mailbox)
    {
        if (_boxes.TryGetValue(mailbox, out BoxDraft? draft)) return draft.IsDeleted ? null : draft;
        if (account.Published(mailbox) is not { } box) return null;
        _boxes.Add(mailbox, draft = new(box));
        return draft;
    }

    internal BoxDraft Add(Box box)
    {
        BoxDraft draft = new(box) { IsNew = true };
        _boxes[box.Mailbox] = draft;
        return draft;
    }

    /// <summary>Whose a name is; null when it is free.</summary>
    internal BoxDraft? FindName(string name) => _boxes.Values.FirstOrDefault(draft => !draft.IsDeleted && draft.Name.Value == name)
        ?? (account.PublishedByName(name) is { } box && !_boxes.ContainsKey(box.Mailbox) ? Find(box.Mailbox) : null);
}
