using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Bounce;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Queue;

/// <summary>Turns the result of an attempt into last words, reports and further waiting. Last words and the report of them are one record.</summary>
internal sealed class Settlement(TransportServices services, Reporter reporter, Func<TransportOptions> options)
{
    private readonly record struct Settled(int Recipient, RecipientState State, SmtpReply Reply, string Host, Handover Handover)
    {
        /// <summary>The last answer, when time ran out over it.</summary>
        public SmtpReply? Last { get; init; }
    }

    /// <summary>Settles what can be settled. It is durable when the task completes, or the recipients wait on.</summary>
    public async ValueTask SettleAsync(Delivery delivery, DeliveryResult result, CancellationToken cancel)
    {
        QueueEntry entry = delivery.Entry;
        QueueMessage message = entry.Message;
        QueueOptions queue = options().Queue;
        DateTimeOffset now = services.Time.GetUtcNow();
        bool expired = now >= entry.EndOf(queue.Lifetime);
        List<Settled> settled = [];
        List<(int Recipient, SmtpReply Reply, string Host)> waiting = [];
        for (int i = 0; i < delivery.Recipients.Count; i++)
        {
            if (result.Replies[i] is not { } said) continue;
            (int recipient, SmtpReply reply, string host, Handover handover) = (delivery.Recipients[i], QueueEntry.Bounded(said), result.Hosts[i], result.Handovers[i]);
            if (reply.IsPositive) settled.Add(new(recipient, RecipientState.Delivered, reply, host, handover));
            else if (reply.IsPermanent) settled.Add(new(recipient, RecipientState.Failed, reply, host, handover));
            else if (expired) settled.Add(new(recipient, RecipientState.Failed, Expired(reply, message.By is { Return: true } by && by.Time <= now), host, handover) { Last = reply });
            else waiting.Add((recipient, reply, host));
        }
        HashSet<int> deleted = services.Queue.DeletedOf(entry, delivery.Recipients);
        if (deleted.Count > 0)
        {
            // An operator has thrown them away: what another server has said meanwhile is logged, and nobody is told.
            Log(message, settled.FindAll(one => one.Host.Length > 0), waiting.FindAll(one => one.Host.Length > 0), now);
            settled.RemoveAll(one => deleted.Contains(one.Recipient));
            waiting.RemoveAll(one => deleted.Contains(one.Recipient));
        }
        else Log(message, settled, waiting, now);
        foreach ((int recipient, SmtpReply reply, _) in waiting) services.Queue.Defer(entry, recipient, reply);
        await TellAsync(entry, settled, result, cancel);
        if (waiting.Count > 0 && !entry.IsWarned && entry.WarningAt(queue.DelayWarning) <= now) await WarnAsync(entry, waiting, cancel);
    }

    private async ValueTask TellAsync(QueueEntry entry, List<Settled> settled, DeliveryResult result, CancellationToken cancel)
    {
        QueueMessage message = entry.Message;
        List<ReportedRecipient> failed = [], relayed = [];
        foreach (Settled one in settled)
        {
            EnvelopeRecipient recipient = message.Recipients[one.Recipient];
            ReportKind kind = one.State == RecipientState.Failed ? ReportKind.Failed : ReportKind.Success;
            // A server that knows no Deliver By tells nobody whether it was in time: that it has the message is told (RFC 2852 section 4.1.4.2).
            bool handsOn = kind == ReportKind.Success && message.By is { } by && one.Handover.Action == "relayed" && one.Host.Length > 0 && (by.Trace || !by.Return && !one.Handover.IsTimedElsewhere) && !recipient.Notify.HasFlag(DsnNotify.Never);
            // The null path names nobody; of a failure the postmaster hears (RFC 3461 section 5.2).
            if (message.From.IsNull ? kind != ReportKind.Failed : !handsOn && !Report.IsWanted(kind, recipient.Notify)) continue;
            if (kind == ReportKind.Failed) failed.Add(new(recipient, "failed", one.Reply, one.Host) { Last = one.Last });
            else if (handsOn || !one.Handover.IsToldElsewhere) relayed.Add(new(recipient, one.Handover.Action, one.Reply, one.Host));
        }
        // Of what is recorded already the queue has what is to be told. Deliveries first: should the report of the failures not find room, the mail does not go out twice.
        if (!result.IsRecorded) await AnswerAsync(entry, settled.Where(one => one.State == RecipientState.Delivered), ReportKind.Success, relayed, cancel);
        await AnswerAsync(entry, settled.Where(one => one.State == RecipientState.Failed), ReportKind.Failed, failed, cancel);
    }

    private async ValueTask AnswerAsync(QueueEntry entry, IEnumerable<Settled> settled, ReportKind kind, List<ReportedRecipient> reported, CancellationToken cancel)
    {
        RecipientAnswer[] words = [.. settled.Select(one => new RecipientAnswer(one.Recipient, one.State, QueueEntry.Bounded(one.Reply), one.Host))];
        if (words.Length == 0) return;
        QueueAnswers answers = new(entry.Message.Id, words);
        bool recorded = false;
        if (reported.Count > 0) recorded = await ReportAsync(entry, kind, reported, answers, null, cancel);
        else
        {
            try
            {
                await services.Queue.AnswerAsync(answers, cancel);
                recorded = true;
            }
            catch (IOException e) { services.Log.NotStored(e, entry.Message.Id); }
        }
        // What has gone out must not go out again while this process lives, even if the disk does not take it down.
        if (!recorded && kind == ReportKind.Success && entry.Message.Outcome is null) services.Queue.ApplyUnrecorded(answers);
    }

    private async ValueTask WarnAsync(QueueEntry entry, List<(int Recipient, SmtpReply Reply, string Host)> waiting, CancellationToken cancel)
    {
        QueueMessage message = entry.Message;
        QueueAnswers warned = new(message.Id, []) { Warned = true };
        // RFC 2852 section 4.1.3: that its sender's time is over is what is told, and the last answer beside it.
        SmtpReply? late = message.By is { Return: false } by && by.Time <= services.Time.GetUtcNow() ? new(450, "4.4.7", "The message could not be delivered in the time that its sender wished; it will be tried further") : null;
        ReportedRecipient[] delayed = message.From.IsNull ? [] : [.. waiting
            .Where(one => Report.IsWanted(ReportKind.Delayed, message.Recipients[one.Recipient].Notify))
            .Select(one => new ReportedRecipient(message.Recipients[one.Recipient], "delayed", late ?? one.Reply, one.Host) { Last = late is null ? null : one.Reply })];
        if (delayed.Length > 0)
        {
            await ReportAsync(entry, ReportKind.Delayed, delayed, warned, entry.EndOf(options().Queue.Lifetime), cancel);
            return;
        }
        try { await services.Queue.AnswerAsync(warned, cancel); }
        catch (IOException e) { services.Log.NotStored(e, message.Id); }
    }

    private async ValueTask<bool> ReportAsync(QueueEntry entry, ReportKind kind, IReadOnlyList<ReportedRecipient> recipients, QueueAnswers? cause, DateTimeOffset? until, CancellationToken cancel)
    {
        await using IMessageContent? content = services.Queue.OpenContent(entry);
        ContentReader reader = content is null ? (_, _) => 0 : content.Read;
        return await reporter.SendAsync(new() { Kind = kind, About = entry.Message, Recipients = recipients, Content = reader, Cause = cause, Until = until }, cancel);
    }

    private void Log(QueueMessage message, List<Settled> settled, List<(int Recipient, SmtpReply Reply, string Host)> waiting, DateTimeOffset now)
    {
        TimeSpan delay = now - message.Arrived;
        if (message.Outcome is { IsPositive: true }) return; // said when it was delivered
        foreach (Settled one in settled)
            Answered(one.State == RecipientState.Delivered ? "sent" : "bounced", message, one.Recipient, one.Host, delay, one.Reply);
        foreach ((int recipient, SmtpReply reply, string host) in waiting) Answered("deferred", message, recipient, host, delay, reply);
    }

    private void Answered(string status, QueueMessage message, int recipient, string host, TimeSpan delay, SmtpReply reply)
    {
        EmailAddress to = message.Recipients[recipient].Address;
        services.Log.Answered(status, message.Id, message.From, to, host, delay, reply);
        if (services.Trace.IsOn) services.Trace.Tell(new TraceEvent.Attempted(message.Id, status, to, host, reply));
    }

    private static SmtpReply Expired(SmtpReply last, bool wasDue) => new(550, "5.4.7", $"The message could not be delivered {(wasDue ? "in the time that its sender allowed" : "for too long")}; the last answer was: {last}");
}
