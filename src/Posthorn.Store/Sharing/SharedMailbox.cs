namespace Posthorn.Store.Sharing;

/// <summary>A mailbox of another account that a user has open. When he may no longer read it, it is gone for him.</summary>
internal sealed class SharedMailbox(IMailbox inner, Func<MailboxInfo, MailboxInfo?> seen) : IMailbox
{
    private MailboxInfo _last = inner.Info;

    public MailboxInfo Info => _last = seen(inner.Info) ?? _last;

    public MailboxVersion Current => inner.Current;

    public Core.Uid FirstRecent => inner.FirstRecent;

    public bool Exists => inner.Exists && seen(inner.Info) is { } info && info.Rights.HasFlag(MailboxRights.Read);

    public bool IsReplaced => inner.IsReplaced;

    public ValueTask WaitForChangeAsync(MailboxVersion seen, CancellationToken cancel) => inner.WaitForChangeAsync(seen, cancel);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
