using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>A session's hold on a mailbox.</summary>
internal sealed class OpenMailbox(AccountLease lease, Box box, FolderWatch watch, Box watched, bool readOnly, OpenedBox opened) : IMailbox
{
    private int _closed;

    public MailboxInfo Info => lease.Account.InfoOf(box);
    public MailboxVersion Current => box.Version!;
    public Uid FirstRecent => opened.FirstRecent;
    public Uid FirstNew => opened.FirstNew;
    public bool Exists => box.Exists;
    public bool IsReplaced => box.IsReplaced;
    public bool TakesKeywords => lease.Account.TakesKeywords;

    public Uid ClaimRecent(Uid from, Uid next) => lease.Account.ClaimRecent(box, from, next, readOnly);

    public async ValueTask WaitForChangeAsync(MailboxVersion seen, CancellationToken cancel) => await lease.Account.ChangeOf(box, seen).WaitAsync(cancel);

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) == 1) return ValueTask.CompletedTask;
        lease.Account.Close(box, readOnly);
        watch.End(watched);
        lease.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>A mailbox at the moment when a session opened it.</summary>
/// <param name="Box">The mailbox.</param>
/// <param name="FirstRecent">From here on its messages are recent for the session.</param>
/// <param name="FirstNew">The next UID.</param>
/// <param name="HasClaimed">Something became recent for this session alone, which is to be remembered.</param>
internal sealed record OpenedBox(Box Box, Uid FirstRecent, Uid FirstNew, bool HasClaimed);
