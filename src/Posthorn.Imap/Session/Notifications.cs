using Posthorn.Core;
using Posthorn.Imap.Commands;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Session;

/// <summary>What a client has asked to be told of unasked (RFC 5465), and what it knows.</summary>
internal sealed class Notifications
{
    private const NotifyEvents OfNames = NotifyEvents.MailboxName | NotifyEvents.SubscriptionChange;
    private const NotifyEvents OfMetadata = NotifyEvents.MailboxMetadataChange | NotifyEvents.ServerMetadataChange;

    private readonly ImapSession _session;
    private readonly IReadOnlyList<NotifyGroup> _groups;
    private readonly NotifyGroup? _selected;
    private readonly Dictionary<MailboxId, Counts> _told = [];
    private MetadataNews? _metadata;
    private Dictionary<MailboxName, MailboxInfo> _listed = [];
    private long _seen;

    /// <param name="session">Whose client.</param>
    /// <param name="groups">What it wants to hear.</param>
    /// <param name="former">What these take the place of: its client has not yet heard of what happened just now.</param>
    public Notifications(ImapSession session, IReadOnlyList<NotifyGroup> groups, Notifications? former)
    {
        (_session, _groups) = (session, groups);
        _selected = groups.FirstOrDefault(group => group.Filter.IsOfSelected);
        _seen = former?._seen ?? session.Store.ChangeNumber;
        if (former is not null) (_told, _listed) = (former._told, former._listed);
        if (session.Metadata is not null || !groups.Any(group => (group.Events & OfMetadata) != 0)) return;
        _metadata = former?._metadata ?? new(session);
        _metadata.Wanted = WantsMetadata;
    }

    /// <summary>Nothing is told at all (NOTIFY NONE).</summary>
    public bool IsSilent => _groups.Count == 0;

    /// <summary>What is told of the selected mailbox.</summary>
    public NotifyEvents SelectedEvents => _selected?.Events ?? NotifyEvents.None;

    /// <summary>What is fetched of its new messages.</summary>
    public IReadOnlyList<FetchItem> NewItems => _selected?.Items ?? [];

    /// <summary>Expunges may be told between commands.</summary>
    public bool ExpungesAtOnce => _selected?.Filter.Kind == FilterKind.Selected;

    /// <summary>Notes how things are now; says it too when the client asks for that.</summary>
    public async ValueTask BeginAsync(bool status, CancellationToken cancel)
    {
        bool first = _listed.Count == 0;
        IReadOnlyList<MailboxInfo> list = await _session.Store.ListAsync(cancel);
        if (first) Listed(list);
        foreach (MailboxInfo info in list)
        {
            NotifyEvents events = EventsOf(info);
            if (events == NotifyEvents.None || info.Id is null) continue;
            if (!info.Rights.HasFlag(MailboxRights.Read))
            {
                // Names need no more than the right to see them (RFC 5465 section 3.1).
                if ((events & NotifyEvents.OfMessages) != 0) TellNoAccess(info);
                continue;
            }

            if ((events & NotifyEvents.OfMessages) == 0 || IsSelected(info) || !status && _told.ContainsKey(info.Id.Value)) continue;
            Result<MailboxStatus> state = await _session.Store.StatusAsync(info.Name, cancel);
            if (!state.IsOk) continue;
            _told[info.Id.Value] = Counts.Of(state.Value);
            if (status) Status.Write(_session, state.Value, ItemsAtFirst(events));
            await _session.FlushIfLargeAsync(cancel);
        }
    }

    /// <summary>The client has made, renamed or subscribed mailboxes itself: it need not hear of that.</summary>
    /// <param name="names">Which; with those below them, since RENAME takes them along.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask OwnNamesAsync(IReadOnlyList<MailboxName> names, CancellationToken cancel)
    {
        if (IsSilent) return;
        HashSet<MailboxId> before = [.. _listed.Values.Where(info => info.Id is not null).Select(info => info.Id!.Value)];
        bool IsOwn(MailboxName name) => names.Any(own => name == own || name.Value.StartsWith(own.Value + _session.Store.Separator, StringComparison.Ordinal));
        foreach (MailboxName name in _listed.Keys.Where(IsOwn).ToList()) _listed.Remove(name);
        foreach (MailboxInfo info in await _session.Store.ListAsync(cancel))
        {
            if (!IsOwn(info.Name)) continue;
            _listed[info.Name] = info;
            // What it has subscribed it watches from here on; what is in a mailbox that it has made came from elsewhere.
            if (info.Id is not { } id || !before.Contains(id) || _told.ContainsKey(id) || (EventsOf(info) & NotifyEvents.OfMessages) == 0 || IsSelected(info)) continue;
            Result<MailboxStatus> state = await _session.Store.StatusAsync(info.Name, cancel);
            if (state.IsOk) _told[id] = Counts.Of(state.Value);
        }
    }

    /// <summary>The client has put messages there itself: it need not hear of them.</summary>
    public void OwnMessages(MailboxId mailbox, IReadOnlyList<Uid> uids)
    {
        if (uids.Count == 0) return;
        Counts before = _told.GetValueOrDefault(mailbox);
        Uid next = new(Math.Max(before.UidNext.Value, uids.Max().Value + 1));
        _told[mailbox] = before with { UidNext = next, Messages = before.Messages + uids.Count, HasOwn = true };
    }

    /// <summary>The client has set annotations itself.</summary>
    public void OwnMetadata(MailboxId? mailbox, ModSeq change) => _metadata?.Own(mailbox, change);

    /// <summary>Gives away what tells of annotations, with what it has not told yet: the client wants to hear of all of them, by another way.</summary>
    public MetadataNews? TakeMetadata()
    {
        MetadataNews? metadata = _metadata;
        if (metadata is not null) metadata.Wanted = null;
        _metadata = null;
        return metadata;
    }

    /// <summary>The selected mailbox is being left: from here on it is one of the others, of which the client knows what it was told while it was selected.</summary>
    /// <param name="box">The mailbox.</param>
    /// <param name="expunged">What its client has removed and was not told of (CLOSE).</param>
    public void Left(SelectedMailbox box, IReadOnlyList<Uid> expunged)
    {
        MailboxVersion view = box.View;
        int unseen = 0;
        foreach (ReadOnlyMemory<MessageRow> chunk in view.Chunks)
        {
            foreach (ref readonly MessageRow row in chunk.Span)
                if ((row.Flags & SystemFlags.Seen) == 0) unseen++;
        }

        int removed = expunged.Count(view.Contains);
        _told[box.Id] = new(view.UidNext, view.Count - removed, unseen, view.HighestModSeq) { HasOwn = removed > 0 };
        if (box.HasNews) _seen = -1;
    }

    /// <summary>Completes when there may be news.</summary>
    public async Task WaitAsync(CancellationToken cancel)
    {
        if (IsSilent) await Task.Delay(Timeout.Infinite, cancel);
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task store = _session.Store.WaitForChangeAsync(_seen, done.Token).AsTask();
        Task box = _session.HasSelected && SelectedEvents != NotifyEvents.None ? _session.Selected.WaitForNewsAsync(done.Token).AsTask() : store;
        await Task.WhenAny(store, box);
        await done.CancelAsync();
        await Task.WhenAll(store, box).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancel.ThrowIfCancellationRequested();
    }

    /// <summary>Says what is new outside the selected mailbox.</summary>
    public async ValueTask TellAsync(CancellationToken cancel)
    {
        long now = _session.Store.ChangeNumber;
        if (now == _seen || IsSilent) return;
        _seen = now;
        Dictionary<MailboxName, MailboxInfo> before = _listed;
        IReadOnlyList<MailboxInfo> list = await _session.Store.ListAsync(cancel);
        Listed(list);
        TellNames(before, list);
        foreach (MailboxInfo info in list)
            if (info.Id is not null && !IsSelected(info)) await TellMessagesAsync(info, before.GetValueOrDefault(info.Name), cancel);
        Forget(list);
        if (_metadata is not null) await _metadata.TellAsync(cancel);
    }

    private void Listed(IReadOnlyList<MailboxInfo> list) => _listed = list.ToDictionary(info => info.Name);

    private void Forget(IReadOnlyList<MailboxInfo> list)
    {
        HashSet<MailboxId> here = [.. list.Where(info => info.Id is not null).Select(info => info.Id!.Value)];
        foreach (MailboxId gone in _told.Keys.Where(id => !here.Contains(id)).ToList()) _told.Remove(gone);
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

    private async ValueTask TellMessagesAsync(MailboxInfo info, MailboxInfo? sameName, CancellationToken cancel)
    {
        NotifyEvents events = EventsOf(info) & NotifyEvents.OfMessages;
        if (events == NotifyEvents.None) return;
        if (!info.Rights.HasFlag(MailboxRights.Read))
        {
            if (sameName?.Rights.HasFlag(MailboxRights.Read) == true) TellNoAccess(info); // RFC 5465 section 5.9
            return;
        }

        MailboxId id = info.Id!.Value;
        bool isKnown = _told.TryGetValue(id, out Counts before);
        bool isAnother = sameName?.Id is { } former && former != id; // made anew, or another was renamed to this name
        if (isKnown && !isAnother && before.HighestModSeq == info.HighestModSeq) return;
        Result<MailboxStatus> state = await _session.Store.StatusAsync(info.Name, cancel);
        if (!state.IsOk) return;
        Counts after = Counts.Of(state.Value);
        _told[id] = after;
        StatusItems items = isAnother ? ItemsAtFirst(NotifyEvents.None)
            : after.UidNext != before.UidNext || after.Messages != before.Messages ? ItemsOfCounts(isKnown, after)
            : events.HasFlag(NotifyEvents.FlagChange) && !before.HasOwn && (_session.Mode.Condstore || after.Unseen != before.Unseen) ? StatusItems.UidValidity | StatusItems.Unseen
            : StatusItems.None;
        if (items == StatusItems.None) return;
        if (_session.Mode.Condstore) items |= StatusItems.HighestModSeq;
        Status.Write(_session, state.Value, items);
        await _session.FlushIfLargeAsync(cancel);
    }

    // One that came into sight just now was empty as far as the client knows.
    private static StatusItems ItemsOfCounts(bool isKnown, Counts after) =>
        isKnown ? StatusItems.UidNext | StatusItems.Messages
        : after.Messages > 0 || after.UidNext.Value > 1 ? ItemsAtFirst(NotifyEvents.None)
        : StatusItems.None;

    private void TellNames(Dictionary<MailboxName, MailboxInfo> before, IReadOnlyList<MailboxInfo> list)
    {
        if (_groups.All(group => (group.Events & OfNames) == 0)) return;
        MailboxTree tree = new(list, _session.Store.Separator);
        Dictionary<MailboxId, MailboxInfo> former = before.Values.Where(info => info.Id is not null).ToDictionary(info => info.Id!.Value);
        HashSet<MailboxId> here = [.. list.Where(info => info.Id is not null).Select(info => info.Id!.Value)];
        HashSet<string> renamed = [], told = [];
        List<MailboxInfo> madeOrGone = [];
        foreach (MailboxInfo info in list)
        {
            before.TryGetValue(info.Name, out MailboxInfo? same);
            MailboxInfo? was = info.Id is { } id ? former.GetValueOrDefault(id) : null;
            if (was is not null && was.Name != info.Name)
            {
                // Out of what is watched as well as into it.
                if ((WatchesName(info) || WatchesName(was)) && !IsBelow(info.Name, renamed)) Tell(info.Name.Value, was.Name);
                renamed.Add(info.Name.Value);
            }
            else if (info.Id is not null && same?.Id != info.Id)
            {
                if (WatchesName(info)) Tell(info.Name.Value);
                madeOrGone.Add(info);
            }
            else if ((EventsOf(info) | (same is null ? NotifyEvents.None : EventsOf(same))).HasFlag(NotifyEvents.SubscriptionChange) && info.IsSubscribed != (same?.IsSubscribed ?? false)) Tell(info.Name.Value);
        }

        foreach (MailboxInfo gone in before.Values)
        {
            MailboxInfo? now = _listed.GetValueOrDefault(gone.Name);
            bool left = gone.Id is { } id && !here.Contains(id) && now?.Id is null;
            if (left && WatchesName(gone)) Tell(gone.Name.Value, noAccess: gone.Owner is not null);
            else if (gone.Id is null && gone.IsSubscribed && now is null && EventsOf(gone).HasFlag(NotifyEvents.SubscriptionChange)) Tell(gone.Name.Value);
            if (left) madeOrGone.Add(gone);
        }

        // The level above each is affected too, whether it is a mailbox or not (RFC 5465 section 5.4).
        foreach (MailboxInfo each in madeOrGone)
            if (LevelAbove(each, before) is { } above && !told.Contains(above.Name.Value) && WatchesName(above)) Tell(above.Name.Value);

        void Tell(string name, MailboxName? oldName = null, bool noAccess = false)
        {
            told.Add(name);
            TellName(tree, name, oldName, noAccess);
        }
    }

    private bool WatchesName(MailboxInfo info) => EventsOf(info).HasFlag(NotifyEvents.MailboxName);

    private MailboxInfo? LevelAbove(MailboxInfo info, Dictionary<MailboxName, MailboxInfo> before)
    {
        char separator = _session.Store.Separator;
        int at = info.Name.Value.LastIndexOf(separator);
        if (at <= 0 || !MailboxName.TryCreate(info.Name.Value[..at], separator, out MailboxName above)) return null;
        return _listed.GetValueOrDefault(above) ?? before.GetValueOrDefault(above) ?? new(above, null, SpecialUse.None, false, default) { Owner = info.Owner };
    }

    private bool IsBelow(MailboxName name, HashSet<string> renamed) => renamed.Any(above => name.Value.StartsWith(above + _session.Store.Separator, StringComparison.Ordinal));

    private void TellName(MailboxTree tree, string name, MailboxName? oldName, bool noAccess)
    {
        MailboxNode node = tree.Find(name) ?? new(name);
        MailboxTree.WriteLine(_session, noAccess ? "LIST (\\NoAccess "u8 : "LIST ("u8, node, node.Exists ? [] : "\\NonExistent "u8, node.IsSubscribed);
        if (oldName is { } old) MailboxTree.WriteOldName(_session.Out, old.Value);
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

    /// <summary>What a client knows of a mailbox that is not selected; nothing at first.</summary>
    private readonly record struct Counts(Uid UidNext, int Messages, int Unseen, ModSeq HighestModSeq)
    {
        /// <summary>It holds what the client has done there itself: counts that agree are no news.</summary>
        public bool HasOwn { get; init; }

        public static Counts Of(MailboxStatus status) => new(status.UidNext, status.Messages, status.Unseen, status.HighestModSeq);
    }
}
