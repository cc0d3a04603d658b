using System.Collections.Concurrent;
using System.Text;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store;

namespace Posthorn.Transport.Tests.Fakes;

/// <summary>Stores that only know how to deliver, through a real journal: what the queue meets in the program. Copies are kept by account.</summary>
internal sealed class JournalStores : IMailStores, IJournalParticipant
{
    private const byte Number = 1;
    private readonly ConcurrentDictionary<(long Record, string Account), string> _mail = new();

    public Journal.Journal Journal { get; set; } = null!;

    /// <summary>Which copies are not taken, and why.</summary>
    public Func<LocalDelivery, Refusal?> Refuses { get; set; } = _ => null;

    byte IJournalParticipant.Id => Number;

    /// <summary>All copies: account and content.</summary>
    public IReadOnlyList<(string Account, string Content)> Mail => [.. _mail.Select(copy => (copy.Key.Account, copy.Value))];

    public IMessageSink CreateSink() => new Sink(Journal.CreateContent());
    public ValueTask<Result<IMailStore>> OpenAsync(MailAccount account, CancellationToken cancel) => ValueTask.FromResult<Result<IMailStore>>(new Refusal(RefusalKind.Unavailable, "not here"));
    public ValueTask<Result<Done>> HasRoomAsync(MailAccount account, long octets, CancellationToken cancel) => ValueTask.FromResult<Result<Done>>(Done.It);

    public async ValueTask<DeliveryReceipt> DeliverAsync(IMessageSink message, DeliveryOrder order, CancellationToken cancel)
    {
        JournalContent content = ((Sink)message).Content;
        await content.CompleteAsync(cancel);
        Result<StoredMessage>[] outcomes = [.. order.Deliveries.Select(delivery => Refuses(delivery) is { } refusal ? refusal : (Result<StoredMessage>)new StoredMessage(new("m"), new(1), new(1), new("e")))];
        LocalDelivery[] deliveries = [.. order.Deliveries.Where(delivery => Refuses(delivery) is null)];
        DeliveryAttachment? attachment = order.Attachment?.For(outcomes);
        if (deliveries.Length == 0 && attachment is null) return new(0, outcomes);
        List<JournalStep> steps = [.. deliveries.Select(delivery => new JournalStep(Number, 1, Encoding.UTF8.GetBytes(delivery.Account.Address.ToString())))];
        if (attachment is not null) steps.Add(new(attachment.Participant, attachment.Kind, attachment.Payload));
        Lsn lsn = Journal.Append(steps.ToArray(), content);
        await Journal.WhenDurableAsync(lsn);
        foreach (LocalDelivery delivery in deliveries) _mail[(lsn.Value, delivery.Account.Address.ToString())] = Text(content);
        if (attachment is not null) await attachment.ApplyAsync(lsn.Value, cancel);
        Journal.Applied(lsn);
        return new(lsn.Value, outcomes);
    }

    public IReadOnlyList<EmailAddress> SharersWith(EmailAddress user) => [];

    public OctetGate WholeMessages { get; } = new(1 << 20);

    public long SharingNumber => 0;

    public ValueTask WaitForSharingAsync(long seen, CancellationToken cancel) => new(Task.Delay(Timeout.Infinite, cancel));

    public ValueTask<Result<Placement>> TransferAsync(Store.Sharing.Transfer transfer, CancellationToken cancel) => throw new NotSupportedException();

    public ValueTask<Result<AppendReceipt>> ReplaceAsync(Store.Sharing.Replacement replacement, CancellationToken cancel) => throw new NotSupportedException();

    public async ValueTask ReplayAsync(JournalRecord record, CancellationToken cancel)
    {
        foreach (JournalStep step in record.Steps.Where(step => step.Participant == Number))
        {
            await using JournalContent content = record.OpenContent();
            _mail[(record.Lsn.Value, Encoding.UTF8.GetString(step.Payload.Span))] = Text(content);
        }
    }

    // The copies of this fake live outside the volume that crashes.
    public ValueTask SyncAsync(Lsn upTo, CancellationToken cancel) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string Text(JournalContent content)
    {
        byte[] bytes = new byte[content.Length];
        for (int at = 0; at < bytes.Length;) at += content.Read(at, bytes.AsSpan(at));
        return Encoding.Latin1.GetString(bytes);
    }

    private sealed class Sink(JournalContent content) : IMessageSink
    {
        public JournalContent Content => content;
        public long Length => content.Length;
        public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel) => content.WriteAsync(bytes, cancel);
        public int Read(long offset, Span<byte> into) => content.Read(offset, into);
        public ValueTask DisposeAsync() => content.DisposeAsync();
    }
}
