using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Queue;

/// <summary>Tries mail in the queue that is for our own accounts: a mailbox could not be reached, or a domain has become ours since.</summary>
internal sealed class LocalAttempt(TransportServices services, DeliveryStage stage, Func<QueueId> newId)
{
    /// <summary>Tries once.</summary>
    public async ValueTask<DeliveryResult> TryAsync(Delivery delivery, CancellationToken cancel)
    {
        QueueMessage message = delivery.Entry.Message;
        string[] hosts = [.. delivery.Recipients.Select(_ => "")];
        await using IMessageContent? content = services.Queue.OpenContent(delivery.Entry);
        if (content is null)
        {
            services.Log.ContentMissing(message.Id);
            return new([.. hosts.Select(_ => new SmtpReply(554, "5.3.0", "The message's content is lost"))], hosts, new ConnectionVerdict.Worked(), false);
        }
        await using IMessageSink sink = services.Stores.CreateSink();
        byte[] buffer = new byte[32 * 1024];
        for (long at = 0; at < content.Length;)
        {
            int read = content.Read(at, buffer);
            if (read == 0) throw new IOException($"The content of {message.Id} ends early.");
            await sink.WriteAsync(buffer.AsMemory(0, read), cancel);
            at += read;
        }
        // What aliases send on enters the queue anew, under an id of its own.
        QueueMessage again = message with { Id = newId(), Recipients = [.. delivery.Recipients.Select(recipient => message.Recipients[recipient])], Size = sink.Length, Ranges = null };
        DeliveryOutcome outcome = await stage.DeliverAsync(new() { Message = again, Content = sink, RepliesSeparately = true, IsFromQueue = true }, cancel);
        return new(outcome.Replies, hosts, new ConnectionVerdict.Worked(), false);
    }
}
