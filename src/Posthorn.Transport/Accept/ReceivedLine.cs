using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Transport.Accept;

/// <summary>Writes trace lines: Received (RFC 5321 section 4.4), Return-Path and Delivered-To.</summary>
internal static class ReceivedLine
{
    /// <summary>The Received line of a message that a client hands over.</summary>
    public static byte[] Write(Envelope envelope, TransportOptions options, DateTimeOffset now)
    {
        ClientContext client = envelope.Client;
        StringBuilder line = new("Received: ", 400);
        if (client.Role != ListenerRole.Submission || !options.HideSubmissionClient)
        {
            line.Append("from ").Append(Safe(client.Helo)).Append(" (").Append(Literal(client.Address)).Append(")\r\n\t");
            if (client.Tls is { } tls) line.Append("(using ").Append(tls).Append(")\r\n\t");
        }
        // RFC 5321 section 4.4: a FROM clause there must be, and this one gives nobody away.
        else line.Append("from localhost\r\n\t");
        line.Append("by ").Append(options.Hostname).Append(" (Posthorn) with ").Append(Protocol(envelope)).Append(" id ").Append(envelope.Id);
        // Several recipients may not learn of each other.
        if (envelope.Recipients.Count == 1 && (envelope.SmtpUtf8 || !envelope.Recipients[0].Address.NeedsUtf8))
            line.Append("\r\n\tfor <").Append(envelope.Recipients[0].Address).Append('>');
        line.Append(";\r\n\t").Append(Date(now)).Append("\r\n");
        return Encoding.UTF8.GetBytes(line.ToString());
    }

    /// <summary>The lines of one recipient's copy.</summary>
    public static byte[] Prefix(ReversePath from, EmailAddress deliveredTo) =>
        Encoding.UTF8.GetBytes($"Return-Path: <{from}>\r\nDelivered-To: {deliveredTo}\r\n");

    /// <summary>The line by which a message is known that comes back to an account which has sent it on.</summary>
    public static byte[] DeliveredTo(EmailAddress account) => Encoding.UTF8.GetBytes($"Delivered-To: {account}\r\n");

    /// <summary>A date-time as RFC 5322 section 3.3 has it.</summary>
    public static string Date(DateTimeOffset when)
    {
        string zone = when.Offset.ToString(@"hhmm", CultureInfo.InvariantCulture);
        return when.ToString("ddd, d MMM yyyy HH:mm:ss ", CultureInfo.InvariantCulture) + (when.Offset < TimeSpan.Zero ? '-' : '+') + zone;
    }

    // RFC 3848; RFC 6531 section 4.3 for the UTF8 forms.
    private static string Protocol(Envelope envelope)
    {
        ClientContext client = envelope.Client;
        bool lmtp = client.Role == ListenerRole.Lmtp;
        if (!client.IsExtended && !lmtp) return "SMTP";
        string name = (envelope.SmtpUtf8, lmtp) switch
        {
            (true, true) => "UTF8LMTP",
            (true, false) => "UTF8SMTP",
            (false, true) => "LMTP",
            (false, false) => "ESMTP",
        };
        return name + (client.Tls is null ? "" : "S") + (client.Account is null ? "" : "A");
    }

    private static string Literal(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[IPv6:{address}]" : $"[{address}]";

    // What the client called itself must not become structure of the line.
    private static string Safe(string helo)
    {
        if (helo.Length == 0) return "unknown";
        return string.Create(Math.Min(helo.Length, 255), helo, static (text, source) =>
        {
            for (int i = 0; i < text.Length; i++)
                text[i] = char.IsAsciiLetterOrDigit(source[i]) || source[i] is '.' or '-' or '_' or ':' or '[' or ']' ? source[i] : '?';
        });
    }
}
