namespace Posthorn.Store.Sharing;

/// <summary>A mailbox of another account that a user has open. When he may no longer read it, it is gone for him.</summary>
/// <param name="inner">As its owner's store has it.</param>
/// <param name="seen">What it is for the user, with his rights.</param>
internal sealed class SharedMailbox(IMailbox inner, Func<MailboxInfo, MailboxInfo> seen) : IMailbox
{
    private MailboxInfo _last = seen(inner.Info);

    // One that was removed has no id any more, which its sessions still speak of.
    public MailboxInfo Info => inner.Info is { Id: not null } info ? _last = seen(info) : _last;

    public MailboxVersion Current => inner.Current;

    public Core.Uid FirstRecent => inner.FirstRecent;

    public Core.Uid FirstNew => inner.FirstNew;

    public Core.Uid ClaimRecent(Core.Uid from, Core.Uid next) => inner.ClaimRecent(from, next);

    public bool Exists => inner.Exists && Info.Rights.HasFlag(MailboxRights.Read);

    public bool IsReplaced => inner.IsReplaced;

    public bool TakesKeywords => inner.TakesKeywords;

    public ValueTask WaitForChangeAsync(MailboxVersion seen, CancellationToken cancel) => inner.WaitForChangeAsync(seen, cancel);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
