using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Tests.Fakes;

/// <summary>Keeps what the queue's records hold, and can fail.</summary>
internal sealed class FakeJournal : IQueueJournal
{
    private readonly Dictionary<long, byte[]> _contents = [];

    public List<(QueueStep Kind, byte[] Payload)> Steps { get; } = [];
    public bool Fails { get; set; }

    public void Keep(long record, byte[] content)
    {
        lock (_contents) _contents[record] = content;
    }

    public ValueTask WriteAsync(QueueStep kind, ReadOnlyMemory<byte> payload, Action apply, CancellationToken cancel)
    {
        if (Fails) throw new IOException("The disk is gone.");
        lock (Steps) Steps.Add((kind, payload.ToArray()));
        apply();
        return ValueTask.CompletedTask;
    }

    public IMessageContent? OpenContent(long record)
    {
        lock (_contents) return _contents.TryGetValue(record, out byte[]? bytes) ? new BytesContent(bytes) : null;
    }
}

/// <summary>Content in memory.</summary>
internal sealed class BytesContent(byte[] bytes) : IMessageContent
{
    public long Length => bytes.Length;

    public int Read(long offset, Span<byte> into)
    {
        int count = (int)Math.Clamp(bytes.Length - offset, 0, into.Length);
        bytes.AsSpan((int)offset, count).CopyTo(into);
        return count;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Stores that hand the content of the queue's records to a <see cref="FakeJournal"/>, and can fail.</summary>
internal sealed class RecordingStores(IMailStores inner, FakeJournal journal) : IMailStores
{
    public IOException? Failure { get; set; }
    public Func<LocalDelivery, Refusal?> Refuses { get; set; } = _ => null;
    public int Deliveries { get; private set; }

    /// <summary>Runs before each sink is made; it may throw, as a full disk does.</summary>
    public Action? BeforeSink { get; set; }

    public IMessageSink CreateSink()
    {
        BeforeSink?.Invoke();
        return inner.CreateSink();
    }

    public ValueTask<Result<IMailStore>> OpenAsync(MailAccount account, CancellationToken cancel) => inner.OpenAsync(account, cancel);
    public ValueTask<Result<Done>> HasRoomAsync(MailAccount account, long octets, CancellationToken cancel) => inner.HasRoomAsync(account, octets, cancel);

    public IReadOnlyList<EmailAddress> SharersWith(EmailAddress user) => inner.SharersWith(user);

    public OctetGate WholeMessages => inner.WholeMessages;

    public long SharingNumber => inner.SharingNumber;

    public ValueTask WaitForSharingAsync(long seen, CancellationToken cancel) => inner.WaitForSharingAsync(seen, cancel);

    public ValueTask<Result<Placement>> TransferAsync(Store.Sharing.Transfer transfer, CancellationToken cancel) => inner.TransferAsync(transfer, cancel);

    public ValueTask<Result<AppendReceipt>> ReplaceAsync(Store.Sharing.Replacement replacement, CancellationToken cancel) => inner.ReplaceAsync(replacement, cancel);

    public async ValueTask<DeliveryReceipt> DeliverAsync(IMessageSink message, DeliveryOrder order, CancellationToken cancel)
    {
        if (Failure is not null) throw Failure;
        Deliveries++;
        IReadOnlyList<Result<StoredMessage>> Whole(IReadOnlyList<Result<StoredMessage>> some)
        {
            Queue<Result<StoredMessage>> rest = new(some);
            return [.. order.Deliveries.Select(delivery => Refuses(delivery) is { } refusal ? refusal : rest.Dequeue())];
        }
        DeliveryAttachment? recording = order.Attachment is not { } attachment ? null : attachment with
        {
            Decide = attachment.Decide is { } decide ? some => decide(Whole(some)) : null,
            ApplyAsync = (record, token) =>
            {
                byte[] bytes = new byte[message.Length];
                for (int at = 0; at < bytes.Length;) at += message.Read(at, bytes.AsSpan(at));
                journal.Keep(record, bytes);
                return attachment.ApplyAsync(record, token);
            },
        };
        List<LocalDelivery> taken = [.. order.Deliveries.Where(delivery => Refuses(delivery) is null)];
        DeliveryReceipt receipt = await inner.DeliverAsync(message, order with { Deliveries = taken, Attachment = recording }, cancel);
        return receipt with { Outcomes = Whole(receipt.Outcomes) };
    }

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
