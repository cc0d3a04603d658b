using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Accept;

namespace Posthorn.Transport.Bounce;

/// <summary>Writes reports: multipart/report with text for people, message/delivery-status for programs, and what was sent (RFC 3464, RFC 6522, RFC 6533).</summary>
internal sealed class ReportWriter(string hostname, QueueId id, DateTimeOffset now)
{
    /// <summary>The largest message that comes back whole, octets. 64 KiB: nobody reads more of it, and a forged sender should not be hit by more.</summary>
    private const long MaxReturned = 64 * 1024;

    /// <summary>The most of a header that comes back, octets.</summary>
    private const long MaxReturnedHeader = 32 * 1024;

    /// <summary>Writes the whole message.</summary>
    public async ValueTask WriteAsync(Report report, IMessageSink sink, CancellationToken cancel)
    {
        string boundary = $"={id}.report=";
        bool global = NeedsUtf8(report);
        // Within a returned header 8-bit octets may stand as they came.
        bool whole = report.Kind == ReportKind.Failed && report.About.Return != DsnReturn.Headers && !report.About.RequiresTls && report.About.Size <= MaxReturned;
        StringBuilder text = new(4096);
        Header(report, boundary, text);
        text.Append(CultureInfo.InvariantCulture, $"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
        Explain(report, text);
        text.Append(CultureInfo.InvariantCulture, $"\r\n--{boundary}\r\nContent-Description: Delivery report\r\nContent-Type: message/{(global ? "global-" : "")}delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
        Status(report, global, text);
        string type = (whole, report.About.SmtpUtf8) switch
        {
            (true, true) => "message/global",
            (true, false) => "message/rfc822",
            (false, true) => "message/global-headers",
            (false, false) => "text/rfc822-headers",
        };
        text.Append(CultureInfo.InvariantCulture, $"\r\n--{boundary}\r\nContent-Description: {(whole ? "Your message" : "The header of your message")}\r\nContent-Type: {type}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
        await sink.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), cancel);
        await ReturnAsync(report.Content, whole ? MaxReturned : MaxReturnedHeader, whole, sink, cancel);
        await sink.WriteAsync(Encoding.UTF8.GetBytes($"\r\n--{boundary}--\r\n"), cancel);
    }

    /// <summary>Addresses in the report that ASCII cannot say (RFC 6533).</summary>
    public static bool NeedsUtf8(Report report) => report.Recipients.Any(recipient => recipient.Recipient.Address.NeedsUtf8);

    private void Header(Report report, string boundary, StringBuilder text)
    {
        string subject = report.Kind switch
        {
            ReportKind.Failed => "Your message could not be delivered",
            ReportKind.Delayed => "Your message is delayed (it will be tried again)",
            _ => "Your message has been delivered",
        };
        text.Append(CultureInfo.InvariantCulture, $"Received: by {hostname} (Posthorn) id {id};\r\n\t{ReceivedLine.Date(now)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"From: Mail Delivery System <MAILER-DAEMON@{hostname}>\r\nTo: {report.About.From}\r\nSubject: {subject}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Date: {ReceivedLine.Date(now)}\r\nMessage-ID: <{id}@{hostname}>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\nThis is a report in MIME format.\r\n\r\n");
    }

    private void Explain(Report report, StringBuilder text)
    {
        text.Append(report.Kind switch
        {
            ReportKind.Failed => $"This is the mail server {hostname}.\r\n\r\nYour message could not be delivered to the following address{(report.Recipients.Count > 1 ? "es" : "")}.\r\nIt will not be tried again.\r\n\r\n",
            ReportKind.Delayed => $"This is the mail server {hostname}.\r\n\r\nYour message has not been delivered yet to the following address{(report.Recipients.Count > 1 ? "es" : "")}.\r\nYou need not send it again: it will be tried until {(report.Until is { } until ? ReceivedLine.Date(until) : "it is too old")}.\r\n\r\n",
            _ => $"This is the mail server {hostname}.\r\n\r\nAs you asked, here is word of your message.\r\n\r\n",
        });
        foreach (ReportedRecipient recipient in report.Recipients)
        {
            text.Append(CultureInfo.InvariantCulture, $"<{recipient.Recipient.Address}>\r\n");
            if (report.Kind == ReportKind.Success)
            {
                text.Append(recipient.Action == "relayed"
                    ? $"    was handed to {recipient.Host}, which will not report what becomes of it.\r\n\r\n"
                    : "    was delivered.\r\n\r\n");
                continue;
            }
            string said = recipient.Host.Length > 0 ? $"The mail server {recipient.Host} said: " : "";
            text.Append(CultureInfo.InvariantCulture, $"    {said}{recipient.Reply}\r\n");
            if (report.Kind == ReportKind.Failed) text.Append(CultureInfo.InvariantCulture, $"    {Advice.For(recipient.Reply.Status)}\r\n");
            text.Append("\r\n");
        }
    }

    private void Status(Report report, bool global, StringBuilder text)
    {
        text.Append(CultureInfo.InvariantCulture, $"Reporting-MTA: dns; {hostname}\r\n");
        if (report.About.EnvelopeId is { } envelope) text.Append(CultureInfo.InvariantCulture, $"Original-Envelope-Id: {Xtext.Encode(envelope)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Arrival-Date: {ReceivedLine.Date(report.About.Arrived)}\r\nX-Posthorn-Queue-ID: {report.About.Id}\r\n");
        // RFC 4865 section 5.1.2.
        if (report.About.ReleaseAt is { } release) text.Append(CultureInfo.InvariantCulture, $"Future-Release-Request: until;{release.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}\r\n");
        foreach (ReportedRecipient recipient in report.Recipients)
        {
            EnvelopeRecipient given = recipient.Recipient;
            text.Append("\r\n");
            if (given.OriginalRecipient?.Split(';', 2) is [string originalType, string original]) text.Append(CultureInfo.InvariantCulture, $"Original-Recipient: {originalType}; {original}\r\n");
            text.Append(CultureInfo.InvariantCulture, $"Final-Recipient: {(global && given.Address.NeedsUtf8 ? "utf-8" : "rfc822")}; {given.Address}\r\n");
            text.Append(CultureInfo.InvariantCulture, $"Action: {recipient.Action}\r\nStatus: {StatusOf(recipient)}\r\n");
            if (recipient.Host.Length > 0) text.Append(CultureInfo.InvariantCulture, $"Remote-MTA: dns; {recipient.Host}\r\n");
            if (report.Kind != ReportKind.Success)
                text.Append(recipient.Host.Length > 0 ? $"Diagnostic-Code: smtp; {recipient.Reply}\r\n" : $"Diagnostic-Code: x-posthorn; {recipient.Reply.Text.Replace('\n', ' ')}\r\n");
            text.Append(CultureInfo.InvariantCulture, $"Last-Attempt-Date: {ReceivedLine.Date(now)}\r\n");
            if (report.Until is { } until) text.Append(CultureInfo.InvariantCulture, $"Will-Retry-Until: {ReceivedLine.Date(until)}\r\n");
        }
    }

    // The class of the code has to fit the action (RFC 3464 section 2.3.4): a 4xx that has lasted too long is a 5.
    private static string StatusOf(ReportedRecipient recipient)
    {
        string status = recipient.Reply.Status.Length > 2 ? recipient.Reply.Status : string.Create(CultureInfo.InvariantCulture, $"{recipient.Reply.Code / 100}.0.0");
        char kind = recipient.Action switch { "failed" => '5', "delayed" => '4', _ => '2' };
        return kind + status[1..];
    }

    private static async ValueTask ReturnAsync(ContentReader content, long limit, bool whole, IMessageSink sink, CancellationToken cancel)
    {
        byte[] buffer = new byte[16 * 1024];
        int matched = 2; // a header may be empty: the message starts at the start of a line
        for (long at = 0; at < limit;)
        {
            int read = content(at, buffer.AsSpan(0, (int)Math.Min(buffer.Length, limit - at)));
            if (read == 0) return;
            int use = whole ? read : HeaderPart(buffer.AsSpan(0, read), ref matched);
            await sink.WriteAsync(buffer.AsMemory(0, use), cancel);
            if (use < read || !whole && matched == 4) return;
            at += read;
        }
    }

    // How much belongs to the header: up to the CRLF that ends its last line; matched counts the octets of CRLF CRLF seen.
    private static int HeaderPart(ReadOnlySpan<byte> bytes, ref int matched)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            bool wanted = bytes[i] == (matched % 2 == 0 ? (byte)'\r' : (byte)'\n');
            matched = wanted ? matched + 1 : bytes[i] == '\r' ? 1 : 0;
            if (matched == 4) return Math.Max(0, i + 1);
        }
        return bytes.Length;
    }
}
