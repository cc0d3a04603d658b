using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Transport.Accept;

namespace Posthorn.Transport.Bounce;

/// <summary>The part of a report that programs read: message/delivery-status (RFC 3464 section 2), in ASCII, or message/global-delivery-status (RFC 6533 section 4).</summary>
internal sealed class StatusFields(Report report, bool global, DateTimeOffset now)
{
    /// <summary>Writes the fields of the message, and those of each recipient.</summary>
    public void Write(string hostname, StringBuilder text)
    {
        // RFC 3461 section 6.3: ENVID stands decoded here.
        if (report.About.EnvelopeId is { } envelope) text.Append(CultureInfo.InvariantCulture, $"Original-Envelope-Id: {envelope}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Reporting-MTA: dns; {hostname}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Arrival-Date: {ReceivedLine.Date(report.About.Arrived)}\r\n");
        // RFC 2852 section 5, RFC 4865 section 5.1.2.
        if (report.About.By is { } by) text.Append(CultureInfo.InvariantCulture, $"Deliver-By-Date: {ReceivedLine.Date(by.Time)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"X-Posthorn-Queue-ID: {report.About.Id}\r\n");
        if (report.About.HoldFor is { } seconds) text.Append(CultureInfo.InvariantCulture, $"Future-Release-Request: for;{seconds}\r\n");
        else if (report.About.ReleaseAt is { } release) text.Append(CultureInfo.InvariantCulture, $"Future-Release-Request: until;{release.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}\r\n");
        foreach (ReportedRecipient recipient in report.Recipients) Recipient(recipient, text);
    }

    private void Recipient(ReportedRecipient recipient, StringBuilder text)
    {
        EnvelopeRecipient given = recipient.Recipient;
        text.Append("\r\n");
        if (given is { OriginalRecipient: { } original, IsOriginalOurs: false }) text.Append(CultureInfo.InvariantCulture, $"Original-Recipient: {Original(original)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Final-Recipient: {(given.Address.NeedsUtf8 ? "utf-8" : "rfc822")}; {given.Address}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Action: {recipient.Action}\r\nStatus: {StatusOf(recipient)}\r\n");
        if (MtaName.Of(recipient.Host) is { } host) text.Append(CultureInfo.InvariantCulture, $"Remote-MTA: dns; {host}\r\n");
        // RFC 3464 section 2.3.6: the words of the server, not what we made of them.
        SmtpReply words = recipient.Last ?? recipient.Reply;
        if (recipient.Host.Length > 0 || report.Kind != ReportKind.Success) Diagnose(recipient.Host.Length > 0, words, text);
        text.Append(CultureInfo.InvariantCulture, $"Last-Attempt-Date: {ReceivedLine.Date(now)}\r\n");
        if (report.Until is { } until) text.Append(CultureInfo.InvariantCulture, $"Will-Retry-Until: {ReceivedLine.Date(until)}\r\n");
    }

    private void Diagnose(bool isRemote, SmtpReply words, StringBuilder text)
    {
        string[] lines = isRemote ? [.. ReportLines.Transcript(words)] : [words.Text.Replace('\n', ' ')];
        lines[0] = $"{(isRemote ? "smtp" : "x-posthorn")}; {lines[0]}";
        ReportLines.Field("Diagnostic-Code", lines.Select(Sayable), text);
    }

    // ORCPT as it was before it was coded for a command (RFC 3461 section 4.2). An address of the type utf-8 stays coded where only ASCII may stand (RFC 6533 section 3).
    private string Original(string parameter)
    {
        int semicolon = parameter.IndexOf(';', StringComparison.Ordinal);
        if (semicolon < 0) return parameter;
        (string type, string coded) = (parameter[..semicolon], parameter[(semicolon + 1)..]);
        byte[] octets = Encoding.UTF8.GetBytes(coded);
        string address = type.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            ? Xtext.TryDecodeUtf8(octets, out string unicode) ? global ? unicode : Xtext.EncodeUtf8(unicode) : coded
            : Xtext.TryDecode(octets, out string plain) ? plain : coded;
        return $"{type}; {address}";
    }

    private string Sayable(string words) => global || Ascii.IsValid(words) ? words : string.Concat(words.Select(c => char.IsAscii(c) ? c : '?'));

    // The class of the code has to fit the action (RFC 3464 section 2.3.4): a 4xx that has lasted too long is a 5.
    private static string StatusOf(ReportedRecipient recipient)
    {
        string status = recipient.Reply.Status.Length > 2 ? recipient.Reply.Status : string.Create(CultureInfo.InvariantCulture, $"{recipient.Reply.Code / 100}.0.0");
        char kind = recipient.Action switch { "failed" => '5', "delayed" => '4', _ => '2' };
        return kind + status[1..];
    }
}
