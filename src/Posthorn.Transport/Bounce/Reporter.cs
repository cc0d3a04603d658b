using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Bounce;

/// <summary>Sends reports, the same way that all mail goes. Nothing that carries the null path is ever reported on to a sender (RFC 5321 section 4.5.5): the postmaster hears of it.</summary>
internal sealed class Reporter(TransportServices services, DeliveryStage stage, Func<QueueId> newId, Func<TransportOptions> options)
{
    /// <summary>Of whom reports come, for fairness in the queue. It reaches the disk.</summary>
    public const string Origin = "reports";

    private readonly PostmasterNotices _notices = new(services.Directory, services.Time, () => options().Outbound.DoubleBounces);

    /// <summary>Sends a report to the sender of the message that it is about; false when neither it nor its cause could be made durable.</summary>
    public async ValueTask<bool> SendAsync(Report report, CancellationToken cancel)
    {
        if (report.About.From.IsNull) return await TellPostmasterAsync(report, null, cancel);
        if (await PlaceAsync(report, report.About.From.Address, Origin, cancel) is not { } reply) return false;
        if (!reply.IsPermanent) return true;
        return report.Kind == ReportKind.Failed ? await TellPostmasterAsync(report, reply, cancel) : await NoteAsync(report.Cause, cancel);
    }

    private async ValueTask<bool> TellPostmasterAsync(Report report, SmtpReply? refused, CancellationToken cancel)
    {
        if (report.Kind == ReportKind.Failed && PostmasterNotices.IsOfInterest(report))
        {
            foreach (ReportedRecipient one in report.Recipients) services.Log.Undeliverable(report.About.Id, report.About.From, one.Recipient.Address, one.Reply);
            if (_notices.Next(report, refused) is { } notice)
            {
                if (await PlaceAsync(report with { Notice = notice }, notice.To, PostmasterNotices.Origin, cancel) is not { } reply) return false;
                if (!reply.IsPermanent) return true;
            }
        }
        return await NoteAsync(report.Cause, cancel);
    }

    // Its reader's reply: positive when it is stored or waits, permanent when nothing was written; null when that could not be made durable.
    private async ValueTask<SmtpReply?> PlaceAsync(Report report, EmailAddress to, string origin, CancellationToken cancel)
    {
        QueueId id = newId();
        DateTimeOffset now = services.Time.GetLocalNow();
        await using IMessageSink sink = services.Stores.CreateSink();
        ReportWriter writer = new(options().Hostname, id, now);
        try { await writer.WriteAsync(report, to, sink, cancel); }
        catch (IOException e)
        {
            services.Log.NotStored(e, id);
            return null;
        }
        QueueMessage message = new()
        {
            Id = id, Arrived = now.ToUniversalTime(), From = ReversePath.Null, Origin = origin, Body = writer.IsEightBit(report) ? BodyType.EightBitMime : BodyType.SevenBit,
            SmtpUtf8 = report.About.SmtpUtf8 || ReportWriter.NeedsUtf8(report) || to.NeedsUtf8,
            // Whoever signed what comes back has not signed the report.
            Traits = (writer.IsEightBit(report) ? ContentTraits.EightBitBody : 0) | (to.NeedsUtf8 ? ContentTraits.EightBitHeader : 0) | (writer.HasLongLine ? ContentTraits.LongLine : 0),
            RequiresTls = report.About.RequiresTls,
            Size = sink.Length, Recipients = [new(to, DsnNotify.Never, null)],
        };
        if (services.Trace.IsOn) services.Trace.Tell(new TraceEvent.Received(message, null, System.Text.Encoding.ASCII.GetBytes($"<{id}@{options().Hostname}>")));
        AcceptedMessage accepted = new() { Message = message, Content = sink, IsReport = true, Cause = report.Cause };
        DeliveryOutcome outcome = await stage.DeliverAsync(accepted, cancel);
        SmtpReply reply = outcome.Replies[0];
        // The word is written, and then the mailbox was gone after all.
        if (outcome.IsRecorded && reply.IsTransient && await stage.PostponeAsync(accepted, message.Recipients, cancel)) reply = Replies.Queued(id);
        if (reply.IsPositive) services.Log.Reported(report.About.Id, id, report.Kind.ToString(), to);
        else services.Log.ReportDropped(report.About.Id, reply.ToString());
        foreach (Shortfall one in outcome.Shortfalls)
            if (one.Reply.IsPermanent) services.Log.ReportDropped(report.About.Id, $"{one.Recipient.Address}: {one.Reply}");
        if (services.Trace.IsOn) services.Trace.Tell(new TraceEvent.Reported(report.About.Id, id, report.Kind.ToString().ToLowerInvariant(), to, reply));
        return outcome.IsRecorded ? reply : null;
    }

    // Nobody is told; the last word stands all the same.
    private async ValueTask<bool> NoteAsync(QueueAnswers? cause, CancellationToken cancel)
    {
        if (cause is null) return true;
        try
        {
            await services.Queue.AnswerAsync(cause, cancel);
            return true;
        }
        catch (IOException e)
        {
            services.Log.NotStored(e, cause.Id);
            return false;
        }
    }
}
