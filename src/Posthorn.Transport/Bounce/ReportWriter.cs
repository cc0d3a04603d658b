using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Bounce;

/// <summary>Writes reports: multipart/report with text for people, message/delivery-status for programs, and what was sent (RFC 3464, RFC 6522, RFC 6533).</summary>
internal sealed class ReportWriter(string hostname, QueueId id, DateTimeOffset now)
{
    /// <summary>The largest message that comes back whole, octets. 64 KiB: nobody reads more of it, and a forged sender should not be hit by more.</summary>
    private const long MaxReturned = 64 * 1024;

    /// <summary>The most of a header that comes back, octets.</summary>
    private const long MaxReturnedHeader = 32 * 1024;

    private LineMeter _lines;

    /// <summary>What was written has a line that not every server takes: it came back with the message.</summary>
    public bool HasLongLine => _lines.HasLong;

    /// <summary>Writes the whole message.</summary>
    public async ValueTask WriteAsync(Report report, EmailAddress to, IMessageSink sink, CancellationToken cancel)
    {
        string boundary = $"={id}.report=", words = Explain(report);
        bool whole = IsWhole(report);
        StringBuilder text = new(4096);
        Header(report, to, boundary, text);
        text.Append(CultureInfo.InvariantCulture, $"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {Encoded(!Ascii.IsValid(words))}\r\n\r\n{words}");
        // RFC 3464 section 2.1: what programs read is 7-bit, unless it is of the kind that RFC 6533 has for more.
        bool global = NeedsUtf8(report);
        text.Append(CultureInfo.InvariantCulture, $"\r\n--{boundary}\r\nContent-Description: Delivery report\r\nContent-Type: message/{(global ? "global-" : "")}delivery-status\r\nContent-Transfer-Encoding: {Encoded(global)}\r\n\r\n");
        new StatusFields(report, global, now).Write(hostname, text);
        string type = (whole, report.About.SmtpUtf8) switch
        {
            (true, true) => "message/global",
            (true, false) => "message/rfc822",
            (false, true) => "message/global-headers",
            (false, false) => "text/rfc822-headers",
        };
        string whose = report.Notice is null ? "your" : "the";
        text.Append(CultureInfo.InvariantCulture, $"\r\n--{boundary}\r\nContent-Description: {(whole ? "Your message" : $"The header of {whose} message")}\r\nContent-Type: {type}\r\nContent-Transfer-Encoding: {Encoded(ReturnsEightBit(report))}\r\n\r\n");
        await PutAsync(Encoding.UTF8.GetBytes(text.ToString()), sink, cancel);
        await ReturnAsync(report.Content, whole ? MaxReturned : MaxReturnedHeader, whole, sink, cancel);
        await PutAsync(Encoding.UTF8.GetBytes($"\r\n--{boundary}--\r\n"), sink, cancel);
    }

    /// <summary>Something in the report is not ASCII.</summary>
    public bool IsEightBit(Report report) => NeedsUtf8(report) || ReturnsEightBit(report) || !Ascii.IsValid(Explain(report));

    /// <summary>Addresses in the report that ASCII cannot say (RFC 6533).</summary>
    public static bool NeedsUtf8(Report report) =>
        report.Recipients.Any(recipient => recipient.Recipient.Address.NeedsUtf8 || recipient.Recipient is { OriginalRecipient: { } original, IsOriginalOurs: false } && !Ascii.IsValid(original));

    // RFC 3461 section 6.2: only failures return the message. Binary content would need a way back that bears it (RFC 6522 section 3).
    private static bool IsWhole(Report report) =>
        report is { Kind: ReportKind.Failed, Notice: null } && report.About is { Return: not DsnReturn.Headers, RequiresTls: false, Body: not BodyType.BinaryMime, Size: <= MaxReturned };

    private static bool ReturnsEightBit(Report report) => (report.About.Traits & (IsWhole(report) ? ContentTraits.EightBitHeader | ContentTraits.EightBitBody : ContentTraits.EightBitHeader)) != 0;

    private static string Encoded(bool eightBit) => eightBit ? "8bit" : "7bit";

    private void Header(Report report, EmailAddress to, string boundary, StringBuilder text)
    {
        string subject = report.Kind switch
        {
            _ when report.Notice is not null => "Mail that could be neither delivered nor returned",
            ReportKind.Failed => "Your message could not be delivered",
            ReportKind.Delayed => "Your message is delayed (it will be tried again)",
            _ => "Your message has been delivered",
        };
        text.Append(CultureInfo.InvariantCulture, $"Received: by {hostname} (Posthorn) id {id};\r\n\t{ReceivedLine.Date(now)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"From: Mail Delivery System <MAILER-DAEMON@{hostname}>\r\nTo: {to}\r\nSubject: {subject}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Date: {ReceivedLine.Date(now)}\r\nMessage-ID: <{id}@{hostname}>\r\nAuto-Submitted: {(report.Notice is null ? "auto-replied" : "auto-generated")}\r\nMIME-Version: 1.0\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\nContent-Transfer-Encoding: {Encoded(IsEightBit(report))}\r\n\r\nThis is a report in MIME format.\r\n\r\n");
    }

    private string Explain(Report report)
    {
        StringBuilder text = new();
        text.Append(report.Kind switch
        {
            _ when report.Notice is { } notice => Introduce(report, notice),
            ReportKind.Failed => $"This is the mail server {hostname}.\r\n\r\nYour message could not be delivered to the following address{(report.Recipients.Count > 1 ? "es" : "")}.\r\nIt will not be tried again.\r\n\r\n",
            ReportKind.Delayed => $"This is the mail server {hostname}.\r\n\r\nYour message has not been delivered yet to the following address{(report.Recipients.Count > 1 ? "es" : "")}.\r\nYou need not send it again: it will be tried until {(report.Until is { } until ? ReceivedLine.Date(until) : "it is too old")}.\r\n\r\n",
            _ => $"This is the mail server {hostname}.\r\n\r\nAs you asked, here is word of your message.\r\n\r\n",
        });
        foreach (ReportedRecipient recipient in report.Recipients)
        {
            text.Append(CultureInfo.InvariantCulture, $"<{recipient.Recipient.Address}>{Via(recipient.Recipient)}\r\n");
            if (report.Kind == ReportKind.Success)
            {
                text.Append(recipient.Action switch
                {
                    "relayed" => $"    was handed to {MtaName.Of(recipient.Host) ?? "the next mail server"}, which will not report what becomes of it.\r\n\r\n",
                    "expanded" => "    stands for several addresses, to which it has been sent on. They do not report.\r\n\r\n",
                    _ => "    was delivered.\r\n\r\n",
                });
                continue;
            }
            string said = recipient is { Host.Length: > 0, Last: null } ? $"{(MtaName.Of(recipient.Host) is { } host ? $"The mail server {host}" : "The next mail server")} said: " : "";
            Indent($"{said}{recipient.Reply}", text);
            if (report is { Kind: ReportKind.Failed, Notice: null }) Indent(Advice.For(recipient.Reply.Status), text);
            text.Append("\r\n");
        }
        return text.ToString();
    }

    // The sender knows the address that it used, and not always where that leads.
    private static string Via(EnvelopeRecipient recipient) =>
        recipient is { IsOriginalOurs: true, OriginalRecipient: { } original } && Xtext.TryDecode(Encoding.UTF8.GetBytes(original[(original.IndexOf(';', StringComparison.Ordinal) + 1)..]), out string address) ? $" (for {address})" : "";

    private string Introduce(Report report, PostmasterNotice notice)
    {
        string many = report.Recipients.Count > 1 ? "es" : "";
        StringBuilder text = new($"This is the mail server {hostname}, to its postmaster.\r\n\r\n");
        if (notice.Refused is { } refused)
        {
            text.Append(CultureInfo.InvariantCulture, $"A message from\r\n<{report.About.From}>\r\ncould not be delivered to the following address{many}, and its sender could not be told:\r\n");
            Indent(refused.ToString(), text);
        }
        else text.Append(CultureInfo.InvariantCulture, $"A message without a sender to whom it could be returned (a report, or another\r\nautomatic message) could not be delivered to the following address{many}.\r\n");
        text.Append("Nobody else hears of it.\r\n\r\n");
        if (notice.Untold > 0) text.Append(CultureInfo.InvariantCulture, $"Of {notice.Untold} more nothing was said since the last such word; the log names them (undeliverable).\r\n\r\n");
        return text.ToString();
    }

    private static void Indent(string words, StringBuilder text)
    {
        foreach (string line in ReportLines.Wrap(words, 74)) text.Append("    ").Append(line).Append("\r\n");
    }

    private async ValueTask ReturnAsync(ContentReader content, long limit, bool whole, IMessageSink sink, CancellationToken cancel)
    {
        byte[] buffer = new byte[16 * 1024];
        int matched = 2; // a header may be empty: the message starts at the start of a line
        for (long at = 0; at < limit;)
        {
            int read = content(at, buffer.AsSpan(0, (int)Math.Min(buffer.Length, limit - at)));
            if (read == 0) return;
            int use = whole ? read : HeaderPart(buffer.AsSpan(0, read), ref matched);
            await PutAsync(buffer.AsMemory(0, use), sink, cancel);
            if (use < read || !whole && matched == 4) return;
            at += read;
        }
    }

    private ValueTask PutAsync(ReadOnlyMemory<byte> bytes, IMessageSink sink, CancellationToken cancel)
    {
        _lines.Look(bytes.Span);
        return sink.WriteAsync(bytes, cancel);
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
