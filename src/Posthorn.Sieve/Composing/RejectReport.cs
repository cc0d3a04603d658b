using Posthorn.Sieve.Language;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Composing;

/// <summary>The notice that a message was refused, for when it cannot be said in a reply any more (RFC 5429 section 2.2.1, RFC 8098).</summary>
internal static class RejectReport
{
    // A message above that comes back as its header only.
    private const long MaxReturned = 256 * 1024;

    /// <summary>The notice; null when the envelope sender is the null path.</summary>
    public static SieveMail? Compose(Execution x, string reason)
    {
        if (x.Context.Envelope.From.Length == 0 || Addresses.Read(x.Context.Envelope.From) is not { } to) return null;
        string recipient = x.Context.Envelope.To.Length > 0 ? x.Context.Envelope.To : Senders.Owner(x);
        ISieveMessage original = x.View.Original;
        MailBuilder mail = new MailBuilder().Begin(x)
            .Addresses("From", $"Mail Delivery Subsystem <{x.Context.Postmaster}>")
            .Addresses("To", $"<{to}>")
            .Header("Subject", "Automatically rejected mail")
            .Line("Auto-Submitted: auto-replied (rejected)")
            .Line("Precedence: bulk")
            .Header("MIME-Version", "1.0");
        string boundary = MailBuilder.Boundary(x);
        mail.Line($"Content-Type: multipart/report; report-type=disposition-notification;\r\n boundary=\"{boundary}\"").Line("")
            .Line("This is a MIME-encapsulated message").Line("").Line($"--{boundary}")
            .Line("Content-Type: text/plain; charset=utf-8").Line("Content-Disposition: inline").Line("Content-Transfer-Encoding: 8bit").Line("")
            .Line($"Your message to <{recipient}> was refused by the recipient's mail filter.").Line("The reason given is:").Line("").Text(reason)
            .Line("").Line($"--{boundary}").Line("Content-Type: message/disposition-notification").Line("")
            .Line($"Reporting-UA: {x.Context.HostName}; Posthorn");
        if (x.Context.Envelope.OriginalTo is { Length: > 0 } first) mail.Line($"Original-Recipient: rfc822; {first}");
        mail.Line($"Final-Recipient: rfc822; {recipient}");
        HeaderField? id = HeaderField.Split(original.Read(0, original.Root.BodyStart), original, x.Limits.MaxHeaderFields).Find(f => f.IsNamed("Message-ID"));
        if (id is not null) mail.Line($"Original-Message-ID: {id.Unfolded}");
        mail.Line("Disposition: automatic-action/MDN-sent-automatically; deleted").Line("").Line($"--{boundary}");
        bool whole = original.Root.End <= MaxReturned;
        mail.Line(whole ? "Content-Type: message/rfc822" : "Content-Type: text/rfc822-headers").Line("")
            .Octets(original.Read(0, whole ? original.Root.End : original.Root.BodyStart).Span)
            .Line("").Line($"--{boundary}--");
        return new("", [to], mail.Build());
    }
}
