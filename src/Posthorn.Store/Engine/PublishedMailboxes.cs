using Posthorn.Core;
using Posthorn.Store.Catalogue;

namespace Posthorn.Store.Engine;

/// <summary>An account's mailboxes and subscriptions as everybody sees them.</summary>
/// <remarks>Locking: the account's gate guards everything here (see <see cref="Account"/>). What reads takes it; <see cref="Take(Draft)"/> is called under it.</remarks>
internal sealed class PublishedMailboxes
{
    private readonly Lock _gate;
    private readonly char _separator;
    private readonly AccountQuota _quota;
    private readonly Dictionary<MailboxId, Box> _boxes = [];
    private readonly Dictionary<string, Box> _names = new(StringComparer.Ordinal);
    private readonly HashSet<string> _subscriptions;
    private long _lastId;

    internal PublishedMailboxes(Lock gate, AccountCatalogue catalogue, char separator, AccountQuota quota)
    {
        (_gate, _separator, _quota) = (gate, separator, quota);
        _subscriptions = [.. catalogue.Subscriptions()];
        Dictionary<long, Sharing.MailboxAcl> acls = catalogue.Acls.All();
        foreach (MailboxRow row in catalogue.Mailboxes())
        {
            _lastId = Math.Max(_lastId, row.Id); // also of one that cannot be shown: its number has rows
            if (!MailboxName.TryCreate(row.Name, separator, out MailboxName name) || _names.ContainsKey(name.Value)) continue;
            Box box = new(row.Object, row.Use, row.Validity)
            {
                Id = row.Id, Name = name, UidNext = row.UidNext, Highest = row.Highest, Floor = row.Floor, FirstRecent = row.FirstRecent, Counts = row.Counts, Tombstones = row.Tombstones, NextUid = row.UidNext.Value,
                Acl = acls.GetValueOrDefault(row.Id, Sharing.MailboxAcl.Empty),
            };
            box.Appear();
            _boxes.Add(row.Object, box);
            _names.Add(name.Value, box);
        }

        quota.Boxes = _boxes.Values;
    }

    /// <summary>The mailboxes by their names. Under the gate.</summary>
    internal IReadOnlyDictionary<string, Box> Names => _names;

    internal Box? Find(MailboxId mailbox)
    {
        lock (_gate) return _boxes.GetValueOrDefault(mailbox);
    }

    internal Box? Find(string name)
    {
        lock (_gate) return _names.GetValueOrDefault(name);
    }

    /// <summary>By its number in the catalogue.</summary>
    internal Box? Find(long id)
    {
        lock (_gate)
        {
            foreach (Box box in _boxes.Values)
                if (box.Id == id) return box;
            return null;
        }
    }

    internal IReadOnlyList<Box> All()
    {
        lock (_gate) return [.. _boxes.Values];
    }

    /// <summary>Those that sessions have open.</summary>
    internal IReadOnlyList<Box> Selected()
    {
        lock (_gate) return [.. _boxes.Values.Where(box => box.Readers > 0)];
    }

    /// <summary>All, and the names that are subscribed without a mailbox, as their owner sees them.</summary>
    internal IReadOnlyList<MailboxInfo> List(EmailAddress owner)
    {
        lock (_gate)
        {
            List<MailboxInfo> list = [.. _names.Values.Select(box => InfoOf(box, owner))];
            foreach (string name in _subscriptions)
                if (!_names.ContainsKey(name) && MailboxName.TryCreate(name, _separator, out MailboxName missing)) list.Add(new(missing, null, SpecialUse.None, true, default));
            list.Sort((a, b) => a.Name.IsInbox == b.Name.IsInbox ? string.CompareOrdinal(a.Name.Value, b.Name.Value) : a.Name.IsInbox ? -1 : 1);
            return list;
        }
    }

    internal MailboxInfo InfoOf(Box box, EmailAddress owner)
    {
        lock (_gate) return new(box.Name, box.Mailbox, box.Use, _subscriptions.Contains(box.Name.Value), box.Highest) { Acl = box.Acl, Rights = box.Acl.RightsOf(owner, owner) };
    }

    /// <summary>The messages that were expunged while the mailbox is open.</summary>
    internal IReadOnlyList<Uid> GoneFrom(MailboxId mailbox)
    {
        lock (_gate) return _boxes.GetValueOrDefault(mailbox) is { } box ? [.. box.Gone.Keys] : [];
    }

    /// <summary>A message that was expunged while the mailbox is open.</summary>
    internal GoneMessage? GoneOf(MailboxId mailbox, Uid uid)
    {
        lock (_gate) return _boxes.GetValueOrDefault(mailbox)?.Gone is { } gone && gone.TryGetValue(uid, out GoneMessage where) ? where : null;
    }

    /// <summary>The names that are subscribed.</summary>
    internal IReadOnlyList<string> Subscriptions()
    {
        lock (_gate) return [.. _subscriptions];
    }

    /// <summary>Whether a name can be subscribed: it is already, or there are fewer than so many.</summary>
    internal bool MaySubscribe(string name, int most)
    {
        lock (_gate) return _subscriptions.Count < most || _subscriptions.Contains(name);
    }

    /// <summary>Whose rights are given to others.</summary>
    internal Sharing.MailboxAcl[] Acls()
    {
        lock (_gate) return [.. _boxes.Values.Select(box => box.Acl)];
    }

    /// <summary>A number in the catalogue for one more.</summary>
    internal long NextId() => ++_lastId;

    /// <summary>Makes visible what a transaction has made of them.</summary>
    internal void Take(Draft draft)
    {
        foreach (BoxDraft box in draft.Boxes) Take(box);
        foreach (BoxDraft box in draft.Boxes)
            if (!box.IsDeleted) _names[box.Name.Value] = box.Box;
        foreach ((string name, bool subscribed) in draft.Subscriptions)
            _ = subscribed ? _subscriptions.Add(name) : _subscriptions.Remove(name);
    }

    private void Take(BoxDraft draft)
    {
        Box box = draft.Box;
        if (_names.TryGetValue(box.Name.Value, out Box? named) && ReferenceEquals(named, box)) _names.Remove(box.Name.Value);
        if (draft.IsDeleted)
        {
            _quota.Keep(box.Counts.Octets, box.Counts.Messages);
            _boxes.Remove(box.Mailbox);
            box.Vanish();
            return;
        }

        box.Name = draft.Name;
        box.Acl = draft.Acl;
        draft.Replaced?.Replace();
        if (draft.IsNew)
        {
            _boxes[box.Mailbox] = box;
            box.Appear();
        }

        // The next UID alone, when what it was given to did not come in.
        bool changed = draft.Upserts.Count > 0 || draft.Removed.Count > 0 || draft.UidNext != box.UidNext || draft.Highest != box.Highest;
        (box.UidNext, box.Highest, box.Counts, box.Tombstones) = (draft.UidNext, draft.Highest, draft.Counts, draft.Tombstones);
        box.NextUid = Math.Max(box.NextUid, box.UidNext.Value);
        if (draft.FirstRecent > box.FirstRecent) box.FirstRecent = draft.FirstRecent;
        foreach ((Uid _, GoneMessage where) in draft.Gone)
            if (where.Path.Length > 0) _quota.Keep(where.Octets, 1);
        if (box.Readers > 0)
            foreach ((Uid uid, GoneMessage where) in draft.Gone) box.Gone[uid] = where;
        if (!changed) return;
        box.ListStale = true;
        MailboxVersion? version = box.Version;
        if (version is not null)
        {
            KeywordSet keywords = version.Keywords;
            foreach (MessageRow row in draft.Upserts.Values) keywords = keywords.Union(row.Keywords);
            version = version.With([.. draft.Upserts.Values], [.. draft.Removed], box.UidNext, box.Highest, keywords);
        }

        box.Publish(version);
    }
}
