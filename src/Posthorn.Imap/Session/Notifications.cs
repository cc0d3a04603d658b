using Posthorn.Core;
using Posthorn.Imap.Commands;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Session;

/// <summary>What a client has asked to be told of unasked (RFC 5465), and what it knows.</summary>
internal sealed class Notifications
{
    private const NotifyEvents OfNames = NotifyEvents.MailboxName | NotifyEvents.SubscriptionChange;

    private readonly ImapSession _session;
    private readonly IReadOnlyList<NotifyGroup> _groups;
    private readonly NotifyGroup? _selected;
    private readonly MetadataNews? _metadata;
    private readonly Dictionary<MailboxId, MailboxStatus> _statuses = [];
    private Dictionary<MailboxName, MailboxInfo> _known = [];
    private long _seen;

    public Notifications(ImapSession session, IReadOnlyList<NotifyGroup> groups)
    {
        (_session, _groups) = (session, groups);
        _selected = groups.FirstOrDefault(group => group.Filter.IsOfSelected);
        NotifyEvents all = groups.Aggregate(NotifyEvents.None, (events, group) => events | group.Events);
        if (session.Metadata is null && (all & (NotifyEvents.MailboxMetadataChange | NotifyEvents.ServerMetadataChange)) != 0) _metadata = new(session, WantsMetadata);
    }

    /// <summary>What is told of the selected mailbox.</summary>
    public NotifyEvents SelectedEvents => _selected?.Events ?? NotifyEvents.None;

    /// <summary>What is fetched of its new messages.</summary>
    public IReadOnlyList<FetchItem> NewItems => _selected?.Items ?? [];

    /// <summary>Expunges may be told between commands.</summary>
    public bool ExpungesAtOnce => _selected?.Filter.Kind == FilterKind.Selected;

    /// <summary>Notes how things are now; says it too when the client asks for that.</summary>
    public async ValueTask BeginAsync(bool status, CancellationToken cancel)
    {
        _seen = _session.Store.ChangeNumber;
        foreach (MailboxInfo info in await ListAsync(cancel))
        {
            NotifyEvents events = EventsOf(info);
            if (events == NotifyEvents.None || info.Id is null) continue;
            if (!info.Rights.HasFlag(MailboxRights.Read))
            {
                TellNoAccess(info);
                continue;
            }

            if ((events & NotifyEvents.OfMessages) == 0 || IsSelected(info)) continue;
            Result<MailboxStatus> state = await _session.Store.StatusAsync(info.Name, cancel);
            if (!state.IsOk) continue;
            _statuses[info.Id.Value] = state.Value;
            if (status) Status.Write(_session, state.Value, ItemsAtFirst(events));
            await _session.FlushIfLargeAsync(cancel);
        }
    }

    /// <summary>The client has made, renamed or subscribed mailboxes itself: it need not hear of that.</summary>
    public async ValueTask OwnNamesAsync(CancellationToken cancel) => await ListAsync(cancel);

    /// <summary>Completes when there may be news.</summary>
    public Task WaitAsync(CancellationToken cancel)
    {
        Task store = _session.Store.WaitForChangeAsync(_seen, cancel).AsTask();
        return _session.HasSelected && SelectedEvents != NotifyEvents.None ? Task.WhenAny(store, _session.Selected.WaitForNewsAsync(cancel).AsTask()) : store;
    }

    /// <summary>Says what is new outside the selected mailbox.</summary>
    public async ValueTask TellAsync(CancellationToken cancel)
    {
        long now = _session.Store.ChangeNumber;
        if (now == _seen) return;
        _seen = now;
        Dictionary<MailboxName, MailboxInfo> before = _known;
        IReadOnlyList<MailboxInfo> list = await ListAsync(cancel);
        TellNames(before, list);
        foreach (MailboxInfo info in list)
            if (info.Id is not null && !IsSelected(info)) await TellMessagesAsync(info, cancel);
        if (_metadata is not null) await _metadata.TellAsync(cancel);
    }

    private async ValueTask<IReadOnlyList<MailboxInfo>> ListAsync(CancellationToken cancel)
    {
        IReadOnlyList<MailboxInfo> list = await _session.Store.ListAsync(cancel);
        _known = list.ToDictionary(info => info.Name);
        return list;
    }

    private NotifyEvents EventsOf(MailboxInfo info)
    {
        NotifyEvents events = NotifyEvents.None;
        foreach (NotifyGroup group in _groups)
            if (group.Filter.Matches(info, _session.Store.Separator)) events |= group.Events;
        return events;
    }

    private bool WantsMetadata(MailboxInfo? info) => info is null
        ? _groups.Any(group => group.Events.HasFlag(NotifyEvents.ServerMetadataChange))
        : EventsOf(info).HasFlag(NotifyEvents.MailboxMetadataChange);

    // The selected mailbox is spoken of as SELECTED says, whatever else names it.
    private bool IsSelected(MailboxInfo info) => _session.HasSelected && _session.Selected.Id == info.Id;

    private static StatusItems ItemsAtFirst(NotifyEvents events)
    {
        StatusItems items = StatusItems.Messages | StatusItems.UidNext | StatusItems.UidValidity;
        if (events.HasFlag(NotifyEvents.FlagChange)) items |= StatusItems.HighestModSeq;
        return items;
    }

    private async ValueTask TellMessagesAsync(MailboxInfo info, CancellationToken cancel)
    {
        NotifyEvents events = EventsOf(info) & NotifyEvents.OfMessages;
        if (events == NotifyEvents.None || !info.Rights.HasFlag(MailboxRights.Read)) return;
        MailboxId id = info.Id!.Value;
        bool known = _statuses.TryGetValue(id, out MailboxStatus? before);
        if (known && before!.HighestModSeq == info.HighestModSeq) return;
        Result<MailboxStatus> state = await _session.Store.StatusAsync(info.Name, cancel);
        if (!state.IsOk) return;
        MailboxStatus after = state.Value;
        _statuses[id] = after;
        if (!known) return; // it was told by its name, or came into sight just now
        StatusItems items = StatusItems.None;
        if (after.UidNext != before!.UidNext || after.Messages != before.Messages) items = StatusItems.UidNext | StatusItems.Messages;
        else if (events.HasFlag(NotifyEvents.FlagChange) && (_session.Mode.Condstore || after.Unseen != before.Unseen)) items = StatusItems.UidValidity | StatusItems.Unseen;
        if (items == StatusItems.None) return;
        if (_session.Mode.Condstore) items |= StatusItems.HighestModSeq;
        Status.Write(_session, after, items);
        await _session.FlushIfLargeAsync(cancel);
    }

    private void TellNames(Dictionary<MailboxName, MailboxInfo> before, IReadOnlyList<MailboxInfo> list)
    {
        if (_groups.All(group => (group.Events & OfNames) == 0)) return;
        MailboxTree tree = new(list, _session.Store.Separator);
        Dictionary<MailboxId, MailboxInfo> former = before.Values.Where(info => info.Id is not null).ToDictionary(info => info.Id!.Value);
        HashSet<MailboxId> here = [.. list.Where(info => info.Id is not null).Select(info => info.Id!.Value)];
        HashSet<string> renamed = [];
        foreach (MailboxInfo info in list)
        {
            before.TryGetValue(info.Name, out MailboxInfo? same);
            MailboxInfo? was = info.Id is { } id ? former.GetValueOrDefault(id) : null;
            bool named = EventsOf(info).HasFlag(NotifyEvents.MailboxName);
            if (was is not null && was.Name != info.Name)
            {
                if (named && !IsBelow(info.Name, renamed)) Tell(tree, info.Name.Value, was.Name);
                renamed.Add(info.Name.Value);
            }
            else if (named && info.Id is not null && same?.Id != info.Id) Tell(tree, info.Name.Value);
            else if (EventsOf(info).HasFlag(NotifyEvents.SubscriptionChange) && info.IsSubscribed != (same?.IsSubscribed ?? false)) Tell(tree, info.Name.Value);
        }

        foreach (MailboxInfo gone in before.Values)
        {
            bool left = gone.Id is { } id && !here.Contains(id);
            bool unsubscribed = gone.Id is null && gone.IsSubscribed && !list.Any(info => info.Name == gone.Name);
            if (left && EventsOf(gone).HasFlag(NotifyEvents.MailboxName) && !list.Any(info => info.Name == gone.Name && info.Id is not null)
                || unsubscribed && EventsOf(gone).HasFlag(NotifyEvents.SubscriptionChange)) Tell(tree, gone.Name.Value);
            if (left) _statuses.Remove(gone.Id!.Value);
        }
    }

    private bool IsBelow(MailboxName name, HashSet<string> renamed) => renamed.Any(above => name.Value.StartsWith(above + _session.Store.Separator, StringComparison.Ordinal));

    private void Tell(MailboxTree tree, string name, MailboxName? oldName = null)
    {
        MailboxNode node = tree.Find(name) ?? new(name);
        MailboxTree.WriteLine(_session, "LIST ("u8, node, node.Exists ? [] : "\\NonExistent \\Noselect "u8, node.IsSubscribed);
        if (oldName is { } old)
        {
            _session.Out.Raw(" (\"OLDNAME\" ("u8);
            _session.Out.Mailbox(old.Value);
            _session.Out.Raw("))"u8);
        }

        _session.Out.End();
    }

    private void TellNoAccess(MailboxInfo info)
    {
        _session.Out.Begin("LIST (\\NoAccess) "u8);
        _session.Out.String(_session.Store.Separator.ToString());
        _session.Out.Raw(" "u8);
        _session.Out.Mailbox(info.Name.Value);
        _session.Out.End();
    }
}
