using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>A session's hold on a mailbox.</summary>
internal sealed class OpenMailbox(AccountLease lease, Box box, Box watched, bool readOnly, Uid firstRecent) : IMailbox
{
    private int _closed;

    public MailboxInfo Info => lease.Account.InfoOf(box);
    public MailboxVersion Current => box.Version!;
    public Uid FirstRecent { get; } = firstRecent;
    public bool Exists => box.Exists;
    public bool IsReplaced => box.IsReplaced;

    public async ValueTask WaitForChangeAsync(MailboxVersion seen, CancellationToken cancel) => await lease.Account.ChangeOf(box, seen).WaitAsync(cancel);

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) == 1) return ValueTask.CompletedTask;
        lease.Account.Close(box, readOnly);
        FolderWatch.End(watched);
        lease.Dispose();
        return ValueTask.CompletedTask;
    }
}
