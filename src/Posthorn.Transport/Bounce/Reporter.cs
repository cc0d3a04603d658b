using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Trace;

namespace Posthorn.Transport.Bounce;

/// <summary>Sends reports, the same way that all mail goes. Nothing that carries the null path is ever reported on (RFC 5321 section 4.5.5).</summary>
internal sealed class Reporter(TransportServices services, DeliveryStage stage, Func<QueueId> newId, Func<TransportOptions> options)
{
    /// <summary>Sends a report to the sender of the message that it is about; false when neither it nor its cause could be made durable.</summary>
    public async ValueTask<bool> SendAsync(Report report, CancellationToken cancel)
    {
        if (report.About.From.IsNull) throw new InvalidOperationException("The null path gets no report.");
        QueueId id = newId();
        DateTimeOffset now = services.Time.GetLocalNow();
        await using IMessageSink sink = services.Stores.CreateSink();
        ReportWriter writer = new(options().Hostname, id, now);
        try { await writer.WriteAsync(report, sink, cancel); }
        catch (IOException e)
        {
            services.Log.NotStored(e, id);
            return false;
        }
        EmailAddress sender = report.About.From.Address;
        QueueMessage message = new()
        {
            Id = id, Arrived = now.ToUniversalTime(), From = ReversePath.Null, Origin = "reports", Body = writer.IsEightBit(report) ? BodyType.EightBitMime : BodyType.SevenBit,
            SmtpUtf8 = report.About.SmtpUtf8 || ReportWriter.NeedsUtf8(report) || sender.NeedsUtf8,
            // Whoever signed what comes back has not signed the report.
            Traits = (writer.IsEightBit(report) ? ContentTraits.EightBitBody : 0) | (sender.NeedsUtf8 ? ContentTraits.EightBitHeader : 0),
            RequiresTls = report.About.RequiresTls,
            Size = sink.Length, Recipients = [new(sender, DsnNotify.Never, null)],
        };
        if (services.Trace.IsOn) services.Trace.Tell(new TraceEvent.Received(message, null, System.Text.Encoding.ASCII.GetBytes($"<{id}@{options().Hostname}>")));
        DeliveryOutcome outcome = await stage.DeliverAsync(new() { Message = message, Content = sink, Cause = report.Cause }, cancel);
        if (outcome.Replies[0].IsPositive) services.Log.Reported(report.About.Id, id, report.Kind.ToString(), sender);
        else services.Log.ReportDropped(report.About.Id, outcome.Replies[0].ToString());
        if (services.Trace.IsOn) services.Trace.Tell(new TraceEvent.Reported(report.About.Id, id, report.Kind.ToString().ToLowerInvariant(), sender, outcome.Replies[0]));
        return outcome.IsRecorded;
    }
}
