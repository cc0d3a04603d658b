using System.Net;
using Posthorn.Core;
using Posthorn.Sieve;

namespace Posthorn.Transport.Filtering;

/// <summary>Sends what scripts send for IMAP events: by the way in that all mail takes, as a client that may relay (RFC 6785 sections 3.4 and 3.6).</summary>
internal sealed class EventMail(IMailTransport transport)
{
    // A piece of a message that is sent on; it may be large.
    private const int Piece = 64 * 1024;

    /// <summary>Sends the message as the script left it. The refusal, or null when it is safe in the queue or a mailbox.</summary>
    public ValueTask<SmtpReply?> SendAsync(SieveAction.Redirect redirect, string helo, CancellationToken cancel) =>
        SendAsync(redirect.Sender, [redirect.Address], helo, intake => WriteAsync(intake, redirect.Image, cancel), cancel);

    /// <summary>Sends a message that the script made.</summary>
    public ValueTask<SmtpReply?> SendAsync(SieveMail mail, string helo, CancellationToken cancel) =>
        SendAsync(mail.Sender, mail.Recipients, helo, intake => intake.WriteAsync(mail.Octets, cancel), cancel);

    private async ValueTask<SmtpReply?> SendAsync(string sender, IReadOnlyList<EmailAddress> recipients, string helo, Func<IMessageIntake, ValueTask> write, CancellationToken cancel)
    {
        ClientContext client = new() { Session = new("imapsieve"), Role = ListenerRole.Mx, Listener = "imapsieve", Address = IPAddress.Loopback, Helo = helo, IsExtended = true, IsTrusted = true };
        Envelope envelope = new() { Id = transport.NewQueueId(), Client = client, From = EmailAddress.TryParse(sender, out EmailAddress from) ? ReversePath.Of(from) : ReversePath.Null, Body = BodyType.EightBitMime, IsWhole = true };
        foreach (EmailAddress to in recipients)
        {
            EnvelopeRecipient recipient = new(to, DsnNotify.Unspecified, null);
            SmtpReply admitted = await transport.AdmitRecipientAsync(envelope, recipient, cancel);
            if (!admitted.IsPositive) return admitted;
            envelope.Recipients.Add(recipient);
        }
        await using IMessageIntake intake = transport.Begin(envelope);
        await write(intake);
        AcceptOutcome outcome = await intake.FinishAsync(cancel);
        return outcome.Overall.IsPositive ? null : outcome.Overall;
    }

    private static async ValueTask WriteAsync(IMessageIntake intake, SieveImage image, CancellationToken cancel)
    {
        if (!image.Header.IsEmpty) await intake.WriteAsync(image.Header, cancel);
        for (long at = image.BodyOffset; at < image.Base.Root.End; at += Piece) await intake.WriteAsync(image.Base.Read(at, Math.Min(Piece, image.Base.Root.End - at)), cancel);
    }
}
