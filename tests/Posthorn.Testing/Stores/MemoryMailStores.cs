using System.Collections.Concurrent;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Store.Sharing;

namespace Posthorn.Testing.Stores;

/// <summary>The store contract in memory: the plain engine that transcripts run on and the real engine is compared with.</summary>
/// <remarks>Locking: each account has one lock, held for the length of one synchronous step. Deliveries lock one account after the other, never two at once.</remarks>
public sealed class MemoryMailStores(TimeProvider time, MemoryStoreOptions options) : IMailStores
{
    private readonly ConcurrentDictionary<EmailAddress, MemoryAccount> _accounts = new();
    private long _records;
    private TaskCompletionSource _change = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _sharing;
    private int _made;

    public MemoryMailStores(TimeProvider time)
        : this(time, new MemoryStoreOptions())
    {
    }

    public OctetGate WholeMessages { get; } = new(1 << 20);

    public IMessageSink CreateSink() => new MemorySink();

    public ValueTask<Result<IMailStore>> OpenAsync(MailAccount account, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult<Result<IMailStore>>(new MemoryMailStore(account, AccountOf(account)));
    }

    public ValueTask<Result<Done>> HasRoomAsync(MailAccount account, long octets, CancellationToken cancel) =>
        ValueTask.FromResult(AccountOf(account).HasRoom(octets, 1));

    public async ValueTask<DeliveryReceipt> DeliverAsync(IMessageSink message, DeliveryOrder order, CancellationToken cancel)
    {
        byte[] body = MemorySink.BytesOf(message);
        List<Result<StoredMessage>> outcomes = [];
        Dictionary<(string, ContentRange), MemoryMessage> contents = [];
        bool stored = false;
        foreach (LocalDelivery delivery in order.Deliveries)
        {
            string prefix = System.Text.Encoding.Latin1.GetString(delivery.Prefix.Span);
            ContentRange range = delivery.Range ?? new(0, body.Length);
            if (!contents.TryGetValue((prefix, range), out MemoryMessage? content))
                contents.Add((prefix, range), content = new MemoryMessage([.. delivery.Prefix.Span, .. body.AsSpan((int)range.Offset, (int)range.Length)]));
            Result<StoredMessage> outcome = AccountOf(delivery.Account).Deliver(delivery, content);
            stored |= outcome.IsOk;
            outcomes.Add(outcome);
        }

        foreach (FilterNote note in order.Notes)
        {
            bool refused = order.Deliveries.Select((delivery, i) => delivery.Account == note.Account && !outcomes[i].IsOk).Contains(true);
            if (refused && note.OnlyIfDelivered) continue;
            AccountOf(note.Account).Remember(note);
            stored = true;
        }

        DeliveryAttachment? attachment = order.Attachment?.For(outcomes);
        if (!stored && attachment is null) return new(0, outcomes);
        long record = Interlocked.Increment(ref _records);
        if (attachment is not null) await attachment.ApplyAsync(record, cancel);
        return new(record, outcomes);
    }

    public IReadOnlyList<EmailAddress> SharersWith(EmailAddress user) =>
        [.. _accounts.Where(pair => pair.Key != user && pair.Value.SharesWith(MailboxAcl.IdentifierOf(user))).Select(pair => pair.Key).OrderBy(owner => owner.ToString(), StringComparer.OrdinalIgnoreCase)];

    public long SharingNumber => Volatile.Read(ref _sharing);

    public async ValueTask WaitForSharingAsync(long seen, CancellationToken cancel)
    {
        while (true)
        {
            Task change = Volatile.Read(ref _change).Task;
            if (SharingNumber > seen) return;
            await change.WaitAsync(cancel);
        }
    }

    // Two steps here, the new one first; nothing comes between them within one account.
    public ValueTask<Result<AppendReceipt>> ReplaceAsync(Replacement replacement, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        MemoryAccount from = AccountOf(replacement.From), into = AccountOf(replacement.Into);
        if (ReferenceEquals(from, into)) return ValueTask.FromResult(from.Replace(replacement));
        if (from.Give(replacement.Source, [replacement.Old]).Count == 0) return ValueTask.FromResult<Result<AppendReceipt>>(MemoryAccount.Gone);
        Result<AppendReceipt> receipt = into.Append(replacement.Target, [replacement.Message]);
        if (receipt.IsOk) from.Forget(replacement.Source, [replacement.Old]);
        return ValueTask.FromResult(receipt);
    }

    public ValueTask<Result<Placement>> TransferAsync(Transfer transfer, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        MemoryAccount from = AccountOf(transfer.From), into = AccountOf(transfer.Into);
        Result<Placement> placed = into.Take(transfer.Target, transfer.Rights, from.Give(transfer.Source, transfer.Uids));
        if (placed.IsOk && transfer.Move) from.Forget(transfer.Source, placed.Value.Sources);
        return ValueTask.FromResult(placed);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private MemoryAccount AccountOf(MailAccount account)
    {
        MemoryAccount memory = _accounts.GetOrAdd(account.Address, _ => new(time, options, account.Address, $"F{Interlocked.Increment(ref _made)}x") { Shared = Announce });
        memory.SetLimits(account.QuotaBytes, account.QuotaMessages);
        return memory;
    }

    private void Announce()
    {
        Interlocked.Increment(ref _sharing);
        Interlocked.Exchange(ref _change, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }
}
