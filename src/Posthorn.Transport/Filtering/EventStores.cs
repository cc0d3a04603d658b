using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Transport.Filtering;

/// <summary>The stores as IMAP has them: what changes there is told to scripts when it has come true.</summary>
public sealed class EventStores(IMailStores inner, SieveServices services, IMailTransport transport, Func<SieveOptions> options) : IMailStores
{
    private readonly EventScripts _scripts = new(services, new(transport), options);

    public IMessageSink CreateSink() => inner.CreateSink();

    public async ValueTask<Result<IMailStore>> OpenAsync(MailAccount account, CancellationToken cancel)
    {
        Result<IMailStore> opened = await inner.OpenAsync(account, cancel);
        return opened.IsOk ? new EventStore(opened.Value, _scripts) : opened;
    }

    public ValueTask<Result<Done>> HasRoomAsync(MailAccount account, long octets, CancellationToken cancel) => inner.HasRoomAsync(account, octets, cancel);

    public ValueTask<DeliveryReceipt> DeliverAsync(IMessageSink message, DeliveryOrder order, CancellationToken cancel) => inner.DeliverAsync(message, order, cancel);

    public IReadOnlyList<EmailAddress> SharersWith(EmailAddress user) => inner.SharersWith(user);

    public long SharingNumber => inner.SharingNumber;

    public ValueTask WaitForSharingAsync(long seen, CancellationToken cancel) => inner.WaitForSharingAsync(seen, cancel);

    public async ValueTask<Result<Placement>> TransferAsync(Transfer transfer, CancellationToken cancel)
    {
        Result<Placement> placed = await inner.TransferAsync(transfer, cancel);
        if (!placed.IsOk || _scripts.IsEmpty) return placed;
        Result<IMailStore> target = await OpenAsync(transfer.Into, cancel);
        if (!target.IsOk) return placed;
        await using EventStore store = (EventStore)target.Value;
        await store.ArrivedAsync(placed.Value, cancel);
        return placed;
    }

    // To scripts it is an APPEND: nothing was flagged (RFC 8508 section 4.4).
    public async ValueTask<Result<AppendReceipt>> ReplaceAsync(Replacement replacement, CancellationToken cancel)
    {
        Result<AppendReceipt> receipt = await inner.ReplaceAsync(replacement, cancel);
        if (!receipt.IsOk || _scripts.IsEmpty) return receipt;
        Result<IMailStore> target = await OpenAsync(replacement.Into, cancel);
        if (!target.IsOk) return receipt;
        await using EventStore store = (EventStore)target.Value;
        await store.AppendedAsync(receipt.Value, cancel);
        return receipt;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask; // the inner ones are somebody else's
}
