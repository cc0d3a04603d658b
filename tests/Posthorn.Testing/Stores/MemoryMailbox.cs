using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Testing.Stores;

/// <summary>A session's hold on a mailbox.</summary>
internal sealed class MemoryMailbox(MemoryAccount account, MemoryBox box, bool readOnly, Uid firstRecent, Uid firstNew) : IMailbox
{
    private bool _closed;

    public MailboxInfo Info => account.InfoOf(box);
    public MailboxVersion Current => box.Version;
    public Uid FirstRecent { get; } = firstRecent;
    public Uid FirstNew { get; } = firstNew;
    public bool Exists => box.Exists;
    public bool TakesKeywords => true;

    public Uid ClaimRecent(Uid from, Uid next) => account.ClaimRecent(box, from, next, readOnly);

    public async ValueTask WaitForChangeAsync(MailboxVersion seen, CancellationToken cancel) =>
        await account.ChangeOf(box, seen).WaitAsync(cancel);

    public ValueTask DisposeAsync()
    {
        if (!_closed) account.Close(box, readOnly);
        _closed = true;
        return ValueTask.CompletedTask;
    }
}
