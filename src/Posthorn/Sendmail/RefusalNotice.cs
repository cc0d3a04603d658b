using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Posthorn.Transport;
using Posthorn.Transport.Remote;

namespace Posthorn.Sendmail;

/// <summary>Tells the sender of a local program's message whom the server refused, where the program cannot be told any more.</summary>
internal static class RefusalNotice
{
    /// <summary>Sends it over an open connection; what the server says.</summary>
    /// <param name="handover">The connection.</param>
    /// <param name="server">Names.</param>
    /// <param name="sender">Whom to tell; empty for nobody.</param>
    /// <param name="refused">Who was refused, and why.</param>
    /// <param name="message">The message, to go back with it; null leaves it out.</param>
    /// <param name="cancel">Gives up.</param>
    public static async ValueTask<SmtpReply> SendAsync(LocalHandover handover, LocalServer server, string sender, IReadOnlyList<(string Recipient, SmtpReply Reply)> refused, IAsyncEnumerable<ReadOnlyMemory<byte>>? message, CancellationToken cancel)
    {
        if (sender.Length == 0) return new(550, "5.1.7", "there is no sender");
        SmtpReply reply = await handover.BeginAsync("", DsnReturn.Unspecified, null, !Ascii.IsValid(sender), cancel);
        if (reply.IsPositive) reply = await handover.AddAsync(sender, DsnNotify.Unspecified, cancel);
        return reply.IsPositive ? await handover.SendAsync(ContentAsync(server, sender, refused, message, cancel), cancel) : reply;
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ContentAsync(LocalServer server, string sender, IReadOnlyList<(string Recipient, SmtpReply Reply)> refused, IAsyncEnumerable<ReadOnlyMemory<byte>>? message, [EnumeratorCancellation] CancellationToken cancel)
    {
        DateTimeOffset now = TimeProvider.System.GetLocalNow();
        string mark = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"From: MAILER-DAEMON@{server.Domain}\nTo: {sender}\nSubject: Some recipients did not get your message\n");
        text.Append(CultureInfo.InvariantCulture, $"Date: {now:ddd, dd MMM yyyy HH:mm:ss} {now.ToString("zzz", CultureInfo.InvariantCulture).Replace(":", "", StringComparison.Ordinal)}\nMessage-ID: <{mark}.notice@{server.Helo}>\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n");
        if (message is not null) text.Append(CultureInfo.InvariantCulture, $"Content-Type: multipart/mixed; boundary={mark}\n\n--{mark}\n");
        text.Append("Content-Type: text/plain; charset=utf-8\n\nThe mail server refused these recipients of your message:\n\n");
        foreach ((string recipient, SmtpReply reply) in refused) text.Append(CultureInfo.InvariantCulture, $"  {recipient}: {reply}\n");
        if (message is not null) text.Append(CultureInfo.InvariantCulture, $"\n--{mark}\nContent-Type: message/rfc822\n\n");
        yield return Encoding.UTF8.GetBytes(text.ToString());
        if (message is null) yield break;
        await foreach (ReadOnlyMemory<byte> piece in message.WithCancellation(cancel)) yield return piece;
        yield return Encoding.ASCII.GetBytes($"\n--{mark}--\n");
    }
}
