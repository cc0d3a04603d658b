using Posthorn.Journal;
using Posthorn.Store;

namespace Posthorn.Transport.Queue;

/// <summary>What the queue needs of the journal. An edge that tests fake.</summary>
internal interface IQueueJournal
{
    /// <summary>Writes one step; when it is durable, <paramref name="apply"/> is called once, before the task completes.</summary>
    /// <exception cref="IOException">It is not durable and will not be.</exception>
    ValueTask WriteAsync(QueueStep kind, ReadOnlyMemory<byte> payload, Action apply, CancellationToken cancel);

    /// <summary>Opens the content of a record; null when the journal has it no more.</summary>
    IMessageContent? OpenContent(long record);
}

/// <summary>The queue's view of the real journal.</summary>
internal sealed class QueueJournal(Journal.Journal journal) : IQueueJournal
{
    public async ValueTask WriteAsync(QueueStep kind, ReadOnlyMemory<byte> payload, Action apply, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        Lsn lsn = journal.Append([new JournalStep(MailQueue.Participant, (byte)kind, payload)], null);
        await journal.WhenDurableAsync(lsn);
        apply();
        journal.Applied(lsn);
    }

    public IMessageContent? OpenContent(long record) => journal.OpenContent(new(record)) is { } content ? new Content(content) : null;

    private sealed class Content(JournalContent content) : IMessageContent
    {
        public long Length => content.Length;
        public int Read(long offset, Span<byte> into) => content.Read(offset, into);
        public ValueTask DisposeAsync() => content.DisposeAsync();
    }
}
