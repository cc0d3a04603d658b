using System.Globalization;
using System.IO.Compression;
using System.Text;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Transport.Remote.Security;

/// <summary>Tells domains that ask for it how TLS with their servers went, once a day, by mail or HTTPS (RFC 8460).</summary>
public sealed class TlsReporter(MailTransport transport, TlsTally tally, IMailDns dns, IHttpsClient https)
{
    /// <summary>RFC 8460 section 4.1 suggests a delay of up to four hours, so that not all the world reports at midnight.</summary>
    private static readonly TimeSpan Spread = TimeSpan.FromHours(2);

    /// <summary>RFC 8460 section 5.5.</summary>
    private static readonly TimeSpan GiveUp = TimeSpan.FromHours(24);

    private readonly TimeSpan _delay = Spread + Jitter.Spread(Spread, 1) - Spread;

    private TransportServices Services => transport.Services;

    /// <summary>Sends the reports that are due; what cannot be handed in is tried at the next call, for a day.</summary>
    public async Task SendDueAsync(CancellationToken cancel)
    {
        DateTimeOffset now = Services.Time.GetUtcNow();
        foreach ((DateOnly day, string domain) in tally.Before(DateOnly.FromDateTime(now.UtcDateTime)))
        {
            DateTimeOffset due = new DateTimeOffset(day.AddDays(1).ToDateTime(TimeOnly.MinValue), TimeSpan.Zero) + _delay;
            if (now < due) continue;
            bool done = await SendAsync(day, domain, cancel);
            if (done || now >= due + GiveUp) tally.Forget(day, domain);
        }
        tally.Save();
    }

    // True when nothing is left to do: the report is on its way to one place, or nobody wants it.
    private async ValueTask<bool> SendAsync(DateOnly day, string domain, CancellationToken cancel)
    {
        if (!transport.Options.Outbound.TlsReports) return true;
        TextAnswer answer = await dns.FindTextAsync("_smtp._tls." + domain, cancel);
        if (answer.Status == DnsStatus.Failed) return false;
        IReadOnlyList<Uri> places = TlsReportRecord.PlacesOf(answer.Texts);
        if (places.Count == 0) return true;
        string host = transport.Options.Hostname, id = $"{day.ToString("yyyyMMdd", CultureInfo.InvariantCulture)}.{transport.NewQueueId()}";
        TlsReport report = new(host, $"postmaster@{host}", id, domain, day, tally.Of(day, domain));
        byte[] packed = Pack(report.ToJson());
        // RFC 8460 section 3: a report by mail must be signed, or its receiver throws it away. Nothing here signs: HTTPS is first, whatever the order.
        foreach (Uri place in places.OrderBy(place => place.Scheme == "https" ? 0 : 1))
        {
            bool sent = place.Scheme == "https" ? await PostAsync(place, packed, cancel) : await MailAsync(place, report, packed, cancel);
            Services.Log.TlsReportSent(domain, day, place.ToString(), sent ? "sent" : "failed");
            if (sent) return true;
        }
        return false;
    }

    private async ValueTask<bool> PostAsync(Uri place, byte[] packed, CancellationToken cancel)
    {
        HttpsAnswer answer = await https.PostAsync(place, packed, "application/tlsrpt+gzip", cancel);
        return answer.Status is >= 200 and < 300;
    }

    private async ValueTask<bool> MailAsync(Uri place, TlsReport report, byte[] packed, CancellationToken cancel)
    {
        string address = Uri.UnescapeDataString(place.AbsoluteUri["mailto:".Length..].Split('?')[0]);
        if (!EmailAddress.TryParse(address, out EmailAddress to)) return false;
        QueueId id = transport.NewQueueId();
        await using IMessageSink sink = Services.Stores.CreateSink();
        try { await sink.WriteAsync(Encoding.UTF8.GetBytes(Compose(id, to, report, packed)), cancel); }
        catch (IOException) { return false; }
        QueueMessage message = new()
        {
            Id = id, Arrived = Services.Time.GetUtcNow(), From = ReversePath.Null, Origin = "tls-reports", Size = sink.Length, Recipients = [new(to, DsnNotify.Never, null)],
            // RFC 8460 section 5.3: a report of a fault must get past the fault.
            IsTlsOptional = true,
        };
        DeliveryOutcome outcome = await transport.Stage.DeliverAsync(new() { Message = message, Content = sink }, cancel);
        return outcome.Replies[0].IsPositive;
    }

    private string Compose(QueueId id, EmailAddress to, TlsReport report, byte[] packed)
    {
        string host = transport.Options.Hostname, boundary = $"={id}.tlsrpt=";
        DateTimeOffset now = Services.Time.GetLocalNow();
        StringBuilder text = new(4096);
        text.Append(CultureInfo.InvariantCulture, $"Received: by {host} (Posthorn) id {id};\r\n\t{ReceivedLine.Date(now)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"From: TLS reports <postmaster@{host}>\r\nTo: {to}\r\nDate: {ReceivedLine.Date(now)}\r\nMessage-ID: <{id}@{host}>\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Subject: Report Domain: {report.Domain}\r\n Submitter: {host}\r\n Report-ID: <{report.Id}@{host}>\r\n");
        text.Append(CultureInfo.InvariantCulture, $"TLS-Report-Domain: {report.Domain}\r\nTLS-Report-Submitter: {host}\r\nTLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"{boundary}\"\r\n\r\nThis is a report in MIME format.\r\n\r\n");
        text.Append(CultureInfo.InvariantCulture, $"--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nThis is a report of {host} on TLS with the mail servers of {report.Domain}\r\non {report.Day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)} (UTC), as RFC 8460 describes it.\r\n");
        text.Append(CultureInfo.InvariantCulture, $"\r\n--{boundary}\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n\tfilename=\"{report.FileName(host)}\"\r\n\r\n");
        text.Append(Convert.ToBase64String(packed, Base64FormattingOptions.InsertLineBreaks)).Append(CultureInfo.InvariantCulture, $"\r\n--{boundary}--\r\n");
        return text.ToString();
    }

    private static byte[] Pack(byte[] json)
    {
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Optimal)) gzip.Write(json);
        return packed.ToArray();
    }
}
