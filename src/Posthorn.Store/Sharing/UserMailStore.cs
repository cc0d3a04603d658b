using Posthorn.Core;

namespace Posthorn.Store.Sharing;

/// <summary>All the mail that one user sees: his own, and what other accounts let him see, under one tree of names. Keeps to everybody's rights (RFC 4314 section 4).</summary>
/// <remarks>
/// For one session, whose calls come one after the other. What a user may not see does not exist for him; what he sees and may not do is refused.
/// Flags, <c>\Seen</c> too, are the mailbox's own: all who may read it see the same.
/// </remarks>
public sealed class UserMailStore : IMailStore
{
    private static readonly Refusal NoMailbox = new(RefusalKind.NoSuchMailbox, "No such mailbox");
    private readonly IMailStore _own;
    private readonly IMailStores _stores;
    private readonly OtherStores _others;
    private readonly SharedNames _names;

    public UserMailStore(IMailStore own, IMailStores stores, Func<EmailAddress, MailAccount?> accounts, SharingOptions options)
    {
        (_own, _stores) = (own, stores);
        _names = new(options, own.Separator);
        _others = new(own, stores, accounts, options, _names);
    }

    public MailAccount Account => _own.Account;
    public char Separator => _own.Separator;
    public ModSeq HighestModSeq => _own.HighestModSeq;
    public long ChangeNumber => _own.ChangeNumber + _others.ChangeNumber;

    /// <summary>The user's own store and those of others that are open now.</summary>
    public IReadOnlyList<IMailStore> Opened => [_own, .. _others.Opened];

    public async ValueTask<IReadOnlyList<MailboxInfo>> ListAsync(CancellationToken cancel)
    {
        IReadOnlyList<MailboxInfo> own = await _own.ListAsync(cancel);
        List<MailboxInfo> shared = await _others.ListAsync(cancel);
        if (shared.Count == 0) return own;
        HashSet<MailboxName> names = [.. shared.Select(info => info.Name)];
        HashSet<MailboxName> subscribed = [.. own.Where(info => info.Id is null && info.IsSubscribed).Select(info => info.Name)];
        return [.. own.Where(info => info.Id is not null || !names.Contains(info.Name)), .. shared.Select(info => info with { IsSubscribed = subscribed.Contains(info.Name) })];
    }

    public async ValueTask<MailboxInfo?> FindAsync(MailboxName name, CancellationToken cancel) =>
        await PlaceOfAsync(name, cancel) is { } place ? Known(place.Store, place.Info) : null;

    public async ValueTask<MailboxInfo?> FindAsync(MailboxId mailbox, CancellationToken cancel)
    {
        (IMailStore store, MailboxId id, MailboxInfo? info) = await HomeOfAsync(mailbox, cancel);
        return info is null ? null : Known(store, info);
    }

    /// <summary>A mailbox of one of the stores that are open, by its id there.</summary>
    public async ValueTask<MailboxInfo?> FindAsync(IMailStore store, MailboxId mailbox, CancellationToken cancel) =>
        await store.FindAsync(mailbox, cancel) is { } info ? Known(store, info) : null;

    /// <summary>The id by which the user knows a mailbox of one of the stores that are open.</summary>
    public MailboxId IdOf(IMailStore store, MailboxId mailbox) => ReferenceEquals(store, _own) ? mailbox : _others.IdOf(store.Account.Address, mailbox);

    /// <summary>What the user may do with a mailbox, also when he may not see it in a list.</summary>
    public async ValueTask<MailboxRights> RightsToAsync(MailboxName name, CancellationToken cancel) => (await PlaceOfAsync(name, cancel))?.Rights ?? MailboxRights.None;

    /// <summary>Whether the user may be told what lies in a mailbox that takes his messages (RFC 9051 section 6.3.12).</summary>
    public async ValueTask<bool> MayReadAsync(MailboxName name, CancellationToken cancel) => (await RightsToAsync(name, cancel)).HasFlag(MailboxRights.Read);

    /// <summary>Whose mailbox takes the user's new messages under this name, or why none does.</summary>
    public async ValueTask<Result<MailAccount>> MayAppendAsync(MailboxName name, CancellationToken cancel)
    {
        Result<Place> place = await NeedAsync(name, MailboxRights.Insert, cancel);
        return place.IsOk ? place.Value.Store.Account : place.Refusal;
    }

    public async ValueTask<Result<MailboxInfo>> CreateAsync(MailboxName name, SpecialUse use, CancellationToken cancel)
    {
        Result<(IMailStore Store, MailboxName Local)> target = await MayCreateAsync(name, cancel);
        if (!target.IsOk) return target.Refusal;
        Result<MailboxInfo> made = await target.Value.Store.CreateAsync(target.Value.Local, use, cancel);
        return made.IsOk && !ReferenceEquals(target.Value.Store, _own) ? _others.AsGiven(target.Value.Store.Account.Address, made.Value, name) : made;
    }

    public async ValueTask<Result<Done>> DeleteAsync(MailboxName name, CancellationToken cancel)
    {
        Result<Place> place = await NeedAsync(name, MailboxRights.Delete, cancel);
        return place.IsOk ? await place.Value.Store.DeleteAsync(place.Value.Info.Name, cancel) : place.Refusal;
    }

    public async ValueTask<Result<Done>> RenameAsync(MailboxName from, MailboxName target, CancellationToken cancel)
    {
        Result<(IMailStore Store, MailboxName Local)> into = await MayCreateAsync(target, cancel);
        Result<Place> place = await NeedAsync(from, MailboxRights.Delete, cancel);
        IMailStore store = place.IsOk ? place.Value.Store : _own;
        // A name of one's own without a mailbox may still have mailboxes below it.
        if (!place.IsOk && (place.Refusal.Kind != RefusalKind.NoSuchMailbox || _names.IsForeign(from))) return place.Refusal;
        if (!into.IsOk) return into.Refusal;
        if (!ReferenceEquals(store, into.Value.Store)) return new Refusal(RefusalKind.BadName, "A mailbox stays in its account; copy its messages instead");
        return await store.RenameAsync(place.IsOk ? place.Value.Info.Name : from, into.Value.Local, cancel);
    }

    // Names of others' mailboxes too: subscriptions are the user's own.
    public ValueTask<Result<Done>> SubscribeAsync(MailboxName name, bool subscribed, CancellationToken cancel) => _own.SubscribeAsync(name, subscribed, cancel);

    public async ValueTask<Result<MailboxStatus>> StatusAsync(MailboxName name, CancellationToken cancel)
    {
        Result<Place> place = await NeedAsync(name, MailboxRights.Read, cancel);
        if (!place.IsOk) return place.Refusal;
        Result<MailboxStatus> status = await place.Value.Store.StatusAsync(place.Value.Info.Name, cancel);
        if (!status.IsOk) return status;
        MailboxInfo info = status.Value.Info;
        return status.Value with { Info = info with { Name = name, Id = info.Id is { } id ? IdOf(place.Value.Store, id) : null } };
    }

    public async ValueTask<Result<IMailbox>> OpenMailboxAsync(MailboxName name, bool readOnly, CancellationToken cancel)
    {
        Result<Place> place = await NeedAsync(name, MailboxRights.Read, cancel);
        if (!place.IsOk) return place.Refusal;
        Result<IMailbox> opened = await place.Value.Store.OpenMailboxAsync(place.Value.Info.Name, readOnly, cancel);
        if (!opened.IsOk || ReferenceEquals(place.Value.Store, _own)) return opened;
        MailAccount owner = place.Value.Store.Account;
        return new SharedMailbox(opened.Value, info => _others.AsOpened(owner.Address, info, name));
    }

    public ValueTask<Result<AppendReceipt>> AppendAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel) => AppendAsync(target, messages, soon: false, cancel);

    public ValueTask<Result<AppendReceipt>> AppendSoonAsync(MailboxName target, IReadOnlyList<NewMessage> messages, CancellationToken cancel) => AppendAsync(target, messages, soon: true, cancel);

    /// <summary>Puts a new message in the place of another, as one step (RFC 8508).</summary>
    public async ValueTask<Result<AppendReceipt>> ReplaceAsync(MailboxId source, Uid old, MailboxName target, NewMessage message, CancellationToken cancel)
    {
        (IMailStore from, MailboxId id, MailboxInfo? info) = await HomeOfAsync(source, cancel);
        if (info is null) return NoMailbox;
        if (Lacks(RightsTo(from, info), MailboxRights.DeleteMessages | MailboxRights.Expunge) is { } refusal) return refusal;
        Result<Place> place = await NeedAsync(target, MailboxRights.Insert, cancel);
        if (!place.IsOk) return place.Refusal;
        Replacement replacement = new(from.Account, id, old, place.Value.Store.Account, place.Value.Info.Name, Allowed(message, place.Value.Rights));
        return Given(place.Value.Store, await _stores.ReplaceAsync(replacement, cancel));
    }

    public ValueTask<Result<Placement>> CopyAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null) => PlaceAsync(source, uids, target, move: false, done, cancel);

    public ValueTask<Result<Placement>> MoveAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, CancellationToken cancel, IProgress<int>? done = null) => PlaceAsync(source, uids, target, move: true, done, cancel);

    public async ValueTask<Result<FlagOutcome>> ChangeFlagsAsync(MailboxId mailbox, IReadOnlyList<Uid> uids, FlagChange change, UnchangedSince? unchangedSince, CancellationToken cancel)
    {
        (IMailStore store, MailboxId id, MailboxInfo? info) = await HomeOfAsync(mailbox, cancel);
        if (info is null) return NoMailbox;
        MailboxRights rights = RightsTo(store, info);
        if (FlagRights.AreWhole(rights)) return await store.ChangeFlagsAsync(id, uids, change, unchangedSince, cancel);
        return await PartialFlags.ChangeAsync(store, info, rights, uids, change, unchangedSince, cancel);
    }

    public async ValueTask<Result<IReadOnlyList<Uid>>> ExpungeAsync(MailboxId mailbox, IReadOnlyList<Uid>? only, CancellationToken cancel)
    {
        (IMailStore store, MailboxId id, MailboxInfo? info) = await HomeOfAsync(mailbox, cancel);
        if (info is null) return NoMailbox;
        return Lacks(RightsTo(store, info), MailboxRights.Expunge) is { } refusal ? refusal : await store.ExpungeAsync(id, only, cancel);
    }

    public async ValueTask<IReadOnlyList<UidRange>> ExpungedSinceAsync(MailboxId mailbox, ModSeq since, CancellationToken cancel)
    {
        (IMailStore store, MailboxId id) = await StoreOfAsync(mailbox, cancel);
        return await store.ExpungedSinceAsync(id, since, cancel);
    }

    public async IAsyncEnumerable<MessageSummary> SummariesAsync(
        MailboxId mailbox, IReadOnlyList<Uid> uids, SummaryFields fields, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        (IMailStore store, MailboxId id) = await StoreOfAsync(mailbox, cancel);
        await foreach (MessageSummary summary in store.SummariesAsync(id, uids, fields, cancel)) yield return summary;
    }

    // For each message that is read: nothing is made on the way to the user's own.
    public ValueTask<Result<IMessageContent>> OpenContentAsync(MailboxId mailbox, Uid uid, CancellationToken cancel) =>
        _others.HomeOf(mailbox) is null ? _own.OpenContentAsync(mailbox, uid, cancel) : OpenOtherAsync(mailbox, uid, cancel);

    public async ValueTask<IReadOnlyList<Uid>> FindTextAsync(MailboxId mailbox, IReadOnlyList<Uid> candidates, TextCriterion criterion, CancellationToken cancel, IProgress<int>? done = null)
    {
        (IMailStore store, MailboxId id) = await StoreOfAsync(mailbox, cancel);
        return await store.FindTextAsync(id, candidates, criterion, cancel, done);
    }

    public ValueTask<bool> RemembersAsync(ReadOnlyMemory<byte> id, CancellationToken cancel) => _own.RemembersAsync(id, cancel);

    public ValueTask<QuotaState> QuotaAsync(CancellationToken cancel) => _own.QuotaAsync(cancel);

    public async ValueTask<Result<Done>> ShareAsync(MailboxId mailbox, string identifier, MailboxRights? rights, CancellationToken cancel)
    {
        (IMailStore store, MailboxId id, MailboxInfo? info) = await HomeOfAsync(mailbox, cancel);
        if (info is null) return NoMailbox;
        return Lacks(RightsTo(store, info), MailboxRights.Administer) is { } refusal ? refusal : await store.ShareAsync(id, identifier, rights, cancel);
    }

    public async ValueTask<IReadOnlyList<Annotation>> AnnotationsAsync(MailboxId? mailbox, CancellationToken cancel)
    {
        if (mailbox is not { } known) return await _own.AnnotationsAsync(null, cancel);
        (IMailStore store, MailboxId id) = await StoreOfAsync(known, cancel);
        return await store.AnnotationsAsync(id, cancel);
    }

    public ValueTask<IReadOnlyList<Annotation>> AnnotationsSinceAsync(ModSeq since, CancellationToken cancel) => _own.AnnotationsSinceAsync(since, cancel);

    public async ValueTask<Result<ModSeq>> AnnotateAsync(MailboxId? mailbox, IReadOnlyList<Annotation> annotations, int most, CancellationToken cancel)
    {
        if (mailbox is not { } known) return await _own.AnnotateAsync(null, annotations, most, cancel);
        (IMailStore store, MailboxId id) = await StoreOfAsync(known, cancel);
        return await store.AnnotateAsync(id, annotations, most, cancel);
    }

    public ValueTask WaitForChangeAsync(long seen, CancellationToken cancel) => _others.WaitForChangeAsync(seen, cancel);

    public async ValueTask DisposeAsync()
    {
        await _others.DisposeAsync();
        await _own.DisposeAsync();
    }

    private async ValueTask<Result<AppendReceipt>> AppendAsync(MailboxName target, IReadOnlyList<NewMessage> messages, bool soon, CancellationToken cancel)
    {
        Result<Place> place = await NeedAsync(target, MailboxRights.Insert, cancel);
        if (!place.IsOk) return place.Refusal;
        if (!FlagRights.AreWhole(place.Value.Rights)) messages = [.. messages.Select(one => Allowed(one, place.Value.Rights))];
        return Given(place.Value.Store, soon
            ? await place.Value.Store.AppendSoonAsync(place.Value.Info.Name, messages, cancel)
            : await place.Value.Store.AppendAsync(place.Value.Info.Name, messages, cancel));
    }

    // With the mailbox by the id that it has for the user.
    private Result<AppendReceipt> Given(IMailStore store, Result<AppendReceipt> appended)
    {
        if (!appended.TryGet(out AppendReceipt? receipt, out _) || IdOf(store, receipt.Mailbox) is var id && id == receipt.Mailbox) return appended;
        return new AppendReceipt(id, receipt.Validity, [.. receipt.Messages.Select(message => message with { Mailbox = id })]);
    }

    private Result<Placement> Given(IMailStore store, Result<Placement> placed) =>
        placed.TryGet(out Placement? placement, out _) && IdOf(store, placement.Target) is var id && id != placement.Target ? placement with { Target = id } : placed;

    private static NewMessage Allowed(NewMessage message, MailboxRights rights) =>
        message with { Flags = message.Flags & FlagRights.Flags(rights), Keywords = FlagRights.Keywords(rights) ? message.Keywords : KeywordSet.Empty };

    private async ValueTask<Result<Placement>> PlaceAsync(MailboxId source, IReadOnlyList<Uid> uids, MailboxName target, bool move, IProgress<int>? done, CancellationToken cancel)
    {
        (IMailStore from, MailboxId id, MailboxInfo? info) = await HomeOfAsync(source, cancel);
        if (info is null) return NoMailbox;
        if (move && Lacks(RightsTo(from, info), MailboxRights.DeleteMessages | MailboxRights.Expunge) is { } refusal) return refusal;
        Result<Place> place = await NeedAsync(target, MailboxRights.Insert, cancel);
        if (!place.IsOk) return place.Refusal;
        (IMailStore into, MailboxName local) = (place.Value.Store, place.Value.Info.Name);
        if (!ReferenceEquals(from, into) || !FlagRights.AreWhole(place.Value.Rights))
            return Given(into, await _stores.TransferAsync(new(from.Account, id, uids, into.Account, local, place.Value.Rights, move) { Done = done }, cancel));
        return Given(into, move ? await from.MoveAsync(id, uids, local, cancel, done) : await from.CopyAsync(id, uids, local, cancel, done));
    }

    // RFC 4314 section 4: the right k on the nearest mailbox above. At the top of one's own tree nothing stands above.
    private async ValueTask<Result<(IMailStore, MailboxName)>> MayCreateAsync(MailboxName name, CancellationToken cancel)
    {
        (IMailStore Store, MailboxName Local)? target = _names.TryParse(name, out EmailAddress owner, out MailboxName local) ? await _others.OpenAsync(owner, cancel) is { } other ? (other, local) : null
            : _names.IsForeign(name) ? null : (_own, name);
        if (target is not { } place) return new Refusal(RefusalKind.NoPermission, "Nobody lets you make mailboxes there");
        for (int at = place.Local.Value.LastIndexOf(Separator); at > 0; at = place.Local.Value.LastIndexOf(Separator, at - 1))
        {
            if (!MailboxName.TryCreate(place.Local.Value[..at], Separator, out MailboxName above) || await place.Store.FindAsync(above, cancel) is not { } parent) continue;
            if (Lacks(RightsTo(place.Store, parent), MailboxRights.Create) is { } refusal) return refusal;
            return place;
        }

        return ReferenceEquals(place.Store, _own) ? place : new Refusal(RefusalKind.NoPermission, "Nobody lets you make mailboxes there");
    }

    private async ValueTask<Result<Place>> NeedAsync(MailboxName name, MailboxRights needed, CancellationToken cancel)
    {
        if (await PlaceOfAsync(name, cancel) is not { } place || (place.Rights & (MailboxRights.Lookup | needed)) == 0) return NoMailbox;
        return Lacks(place.Rights, needed) is { } refusal ? refusal : place;
    }

    private async ValueTask<Place?> PlaceOfAsync(MailboxName name, CancellationToken cancel)
    {
        if (await _own.FindAsync(name, cancel) is { } mine) return new(_own, mine, mine.Rights);
        if (!_names.TryParse(name, out EmailAddress owner, out MailboxName local) || await _others.OpenAsync(owner, cancel) is not { } store) return null;
        if (await store.FindAsync(local, cancel) is not { Id: { } id } info || RightsTo(store, info) is var rights && rights == MailboxRights.None) return null;
        _ = _others.IdOf(store.Account.Address, id); // from now on it is known by that
        return new(store, info, rights);
    }

    // The store of a mailbox, its id there, and what is known of it there.
    private async ValueTask<(IMailStore Store, MailboxId Id, MailboxInfo? Info)> HomeOfAsync(MailboxId mailbox, CancellationToken cancel)
    {
        if (_others.HomeOf(mailbox) is not { } home) return (_own, mailbox, await _own.FindAsync(mailbox, cancel));
        if (await _others.OpenAsync(home.Owner, cancel) is not { } store) return (_own, mailbox, null);
        return (store, home.Id, await store.FindAsync(home.Id, cancel));
    }

    // The store of a mailbox, and its id there.
    private async ValueTask<(IMailStore Store, MailboxId Id)> StoreOfAsync(MailboxId mailbox, CancellationToken cancel) =>
        _others.HomeOf(mailbox) is { } home && await _others.OpenAsync(home.Owner, cancel) is { } store ? (store, home.Id) : (_own, mailbox);

    private async ValueTask<Result<IMessageContent>> OpenOtherAsync(MailboxId mailbox, Uid uid, CancellationToken cancel)
    {
        (IMailStore store, MailboxId id) = await StoreOfAsync(mailbox, cancel);
        return await store.OpenContentAsync(id, uid, cancel);
    }

    // Whoever may ask for his rights knows that it is there (RFC 4314 section 4).
    private MailboxInfo? Known(IMailStore store, MailboxInfo info) =>
        ReferenceEquals(store, _own) ? info : _others.Seen(store.Account.Address, info, MailboxAcl.ToKnow);

    private MailboxRights RightsTo(IMailStore store, MailboxInfo info) => info.Acl.RightsOf(_own.Account.Address, store.Account.Address);

    private static Refusal? Lacks(MailboxRights rights, MailboxRights needed) =>
        (rights & needed) == needed ? null : new(RefusalKind.NoPermission, $"You have not the right to do that ({RightsText.Plain(needed & ~rights)})");

    /// <summary>Where a name leads: the info has the name by which its own store knows it.</summary>
    private readonly record struct Place(IMailStore Store, MailboxInfo Info, MailboxRights Rights);
}
