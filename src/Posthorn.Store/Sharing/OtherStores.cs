using System.Security.Cryptography;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Store.Sharing;

/// <summary>The stores of other accounts that one user has to do with, opened when they are needed.</summary>
/// <remarks>For one session, whose calls come one after the other.</remarks>
internal sealed class OtherStores(IMailStore own, IMailStores stores, Func<EmailAddress, MailAccount?> accounts, SharingOptions options, SharedNames names) : IAsyncDisposable
{
    /// <summary>How many stay open for one session. A mailbox that is open keeps its account open by itself.</summary>
    private const int MaxOpen = 16;

    private readonly List<IMailStore> _open = [];
    private readonly Dictionary<MailboxId, (EmailAddress Owner, MailboxId Id)> _homes = [];
    private readonly Dictionary<(EmailAddress Owner, MailboxId Id), MailboxId> _ids = [];

    internal IReadOnlyList<IMailStore> Opened => _open;

    /// <summary>Grows with what changes in open accounts and with who shares at all.</summary>
    internal long ChangeNumber => _open.Sum(store => store.ChangeNumber) + SharingNumber;

    private bool LooksElsewhere => options.OtherUsers is not null;

    private long SharingNumber => LooksElsewhere ? stores.SharingNumber : 0;

    /// <summary>The account that a mailbox belongs to, and its id there; null for the user's own.</summary>
    internal (EmailAddress Owner, MailboxId Id)? HomeOf(MailboxId mailbox) => _homes.TryGetValue(mailbox, out (EmailAddress, MailboxId) home) ? home : null;

    /// <summary>The id by which users know another's mailbox (RFC 8474 section 4).</summary>
    /// <remarks>
    /// Trees that were copied have mailboxes of one id: what the user selects must never be another's. Made of the owner and the id in his account, it is always the same,
    /// whatever else is shared and looked at first.
    /// </remarks>
    internal MailboxId IdOf(EmailAddress owner, MailboxId mailbox)
    {
        if (_ids.TryGetValue((owner, mailbox), out MailboxId known)) return known;
        MailboxId id = new(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{MailboxAcl.IdentifierOf(owner)} {mailbox.Value}")).AsSpan(0, 16)));
        (_ids[(owner, mailbox)], _homes[id]) = (id, (owner, mailbox));
        return id;
    }

    /// <summary>Opens an account's store, if it shares something with the user.</summary>
    internal async ValueTask<IMailStore?> OpenAsync(EmailAddress owner, CancellationToken cancel)
    {
        if (_open.Find(store => store.Account.Address == owner) is { } known) return known;
        if (owner == own.Account.Address || !Owners().Contains(owner) || accounts(owner) is not { } account) return null;
        Result<IMailStore> opened = await stores.OpenAsync(account, cancel);
        if (!opened.IsOk) return null;
        if (_open.Count >= MaxOpen)
        {
            IMailStore oldest = _open[0];
            _open.RemoveAt(0);
            await oldest.DisposeAsync();
        }

        _open.Add(opened.Value);
        return opened.Value;
    }

    /// <summary>All mailboxes of others that the user may see, by the names that they have for him.</summary>
    internal async ValueTask<List<MailboxInfo>> ListAsync(CancellationToken cancel)
    {
        List<MailboxInfo> found = [];
        foreach (EmailAddress owner in Owners())
        {
            if (await OpenAsync(owner, cancel) is not { } store) continue;
            foreach (MailboxInfo info in await store.ListAsync(cancel))
                if (Seen(store.Account.Address, info, MailboxRights.Lookup) is { } seen) found.Add(seen);
        }

        return found;
    }

    /// <summary>A mailbox of another as the user sees it; null when he has none of the rights that let him.</summary>
    internal MailboxInfo? Seen(EmailAddress owner, MailboxInfo info, MailboxRights any) =>
        info.Id is null || (info.Acl.RightsOf(own.Account.Address, owner) & any) == 0 || !names.TryName(owner, info.Name, out MailboxName name) ? null : AsGiven(owner, info, name);

    /// <summary>A mailbox of another by the name that it has for the user, with his rights, whatever these are.</summary>
    internal MailboxInfo AsGiven(EmailAddress owner, MailboxInfo info, MailboxName name) =>
        // What a mailbox is for its owner (his drafts, his trash) it is not for others.
        info with { Name = name, Id = info.Id is { } id ? IdOf(owner, id) : null, Use = SpecialUse.None, IsSubscribed = false, Rights = info.Acl.RightsOf(own.Account.Address, owner), Owner = owner };

    /// <summary>As above, by the name that it has now; by the one given when that cannot be told.</summary>
    internal MailboxInfo AsOpened(EmailAddress owner, MailboxInfo info, MailboxName name) =>
        AsGiven(owner, info, names.TryName(owner, info.Name, out MailboxName now) ? now : name);

    /// <summary>Completes when the user's own or an open account's change number has grown, or somebody else shares something, all taken together.</summary>
    internal async ValueTask WaitForChangeAsync(long seen, CancellationToken cancel)
    {
        if (_open.Count == 0 && !LooksElsewhere)
        {
            await own.WaitForChangeAsync(seen, cancel);
            return;
        }

        (IMailStore Store, long Number)[] all = [(own, own.ChangeNumber), .. _open.Select(store => (store, store.ChangeNumber))];
        long sharing = SharingNumber;
        if (all.Sum(one => one.Number) + sharing != seen) return;
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        List<Task> waits = [.. all.Select(one => one.Store.WaitForChangeAsync(one.Number, done.Token).AsTask())];
        if (LooksElsewhere) waits.Add(stores.WaitForSharingAsync(sharing, done.Token).AsTask());
        Task first = await Task.WhenAny(waits);
        await done.CancelAsync();
        await Task.WhenAll(waits).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IMailStore store in _open) await store.DisposeAsync();
        _open.Clear();
    }

    private IEnumerable<EmailAddress> Owners()
    {
        IEnumerable<EmailAddress> sharers = options.OtherUsers is null ? [] : stores.SharersWith(own.Account.Address);
        return options.PublicAccount is { } account && account != own.Account.Address ? sharers.Where(owner => owner != account).Append(account) : sharers;
    }
}
