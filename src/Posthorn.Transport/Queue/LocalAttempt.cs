using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Queue;

/// <summary>Tries mail in the queue that is for our own accounts: a mailbox could not be reached, or a domain has become ours since.</summary>
/// <remarks>The delivery and the last words on its recipients are one record of the journal: no crash makes it come twice.</remarks>
internal sealed class LocalAttempt(TransportServices services, MailTransport transport)
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
            return new([.. hosts.Select(_ => new SmtpReply(554, "5.3.0", "The message's content is lost"))], hosts, [.. hosts.Select(_ => Handover.Delivered)], new ConnectionVerdict.Worked());
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
        HashSet<int> recorded = [];
        AcceptedMessage accepted = new()
        {
            // What aliases send on enters the queue anew, under an id of its own; an operator who has let the message go has let that go.
            Message = message with { Id = transport.NewQueueId(), Recipients = [.. delivery.Recipients.Select(recipient => message.Recipients[recipient])], Size = sink.Length, Ranges = null, HoldReason = null },
            Content = sink,
            RepliesSeparately = true,
            IsFromQueue = true,
            LifeOf = message.Id,
            Settle = done =>
            {
                recorded = [.. done];
                return new(message.Id, [.. done.Order().Select(i => new RecipientAnswer(delivery.Recipients[i], RecipientState.Delivered, Replies.Delivered(message.Recipients[delivery.Recipients[i]].Address, message.Id), ""))]);
            },
        };
        DeliveryOutcome outcome = await transport.Stage.DeliverAsync(accepted, cancel);
        Shortfall[] owed = [.. outcome.Shortfalls, .. Broken(accepted, outcome, recorded)];
        if (outcome.IsRecorded && owed.Length > 0) await transport.KeepPromiseAsync(accepted, owed, cancel);
        return new([.. outcome.Replies.Select((reply, i) => outcome.IsRecorded && recorded.Contains(i) && !reply.IsPositive ? Replies.Delivered(accepted.Message.Recipients[i].Address, message.Id) : reply)],
            hosts, outcome.Handovers, new ConnectionVerdict.Worked()) { IsRecorded = outcome.IsRecorded };
    }

    // The word is given, and then the mailbox was gone after all: the message waits anew.
    private static IEnumerable<Shortfall> Broken(AcceptedMessage accepted, DeliveryOutcome outcome, HashSet<int> recorded) =>
        recorded.Where(i => !outcome.Replies[i].IsPositive).Select(i => new Shortfall(accepted.Message.Recipients[i], outcome.Replies[i]));
}
