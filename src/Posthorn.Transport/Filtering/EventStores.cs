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

    public OctetGate WholeMessages => inner.WholeMessages;

    public long SharingNumber => inner.SharingNumber;

    public ValueTask WaitForSharingAsync(long seen, CancellationToken cancel) => inner.WaitForSharingAsync(seen, cancel);

    public async ValueTask<Result<Placement>> TransferAsync(Transfer transfer, CancellationToken cancel) =>
        await ToldAsync(await inner.TransferAsync(transfer, cancel), transfer.Into, (store, placed) => store.ArrivedAsync(placed, cancel), cancel);

    // To scripts it is an APPEND: nothing was flagged (RFC 8508 section 4.4).
    public async ValueTask<Result<AppendReceipt>> ReplaceAsync(Replacement replacement, CancellationToken cancel) =>
        await ToldAsync(await inner.ReplaceAsync(replacement, cancel), replacement.Into, (store, receipt) => store.AppendedAsync(receipt, cancel), cancel);

    // What has come true is told to the scripts of its account.
    private async ValueTask<Result<T>> ToldAsync<T>(Result<T> happened, MailAccount into, Func<EventStore, T, ValueTask> tell, CancellationToken cancel) where T : notnull
    {
        if (!happened.IsOk || _scripts.IsEmpty) return happened;
        Result<IMailStore> target = await OpenAsync(into, cancel);
        if (!target.IsOk) return happened;
        await using EventStore store = (EventStore)target.Value;
        await tell(store, happened.Value);
        return happened;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask; // the inner ones are somebody else's
}
