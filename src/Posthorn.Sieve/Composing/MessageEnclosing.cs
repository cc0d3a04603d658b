using Posthorn.Sieve.Language;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Composing;

/// <summary>The messages that replace and enclose make (RFC 5703 sections 5 and 6).</summary>
internal static class MessageEnclosing
{
    /// <summary>The message with another content: all header fields but those of the MIME structure stay.</summary>
    public static byte[] ReplaceAll(MessageView view, byte[] entity, string? subject, string? from)
    {
        MailBuilder mail = new();
        string? oldSubject = view.First("Subject")?.Text;
        string? oldFrom = view.First("From")?.Unfolded;
        foreach (HeaderField field in view.Fields)
        {
            if (field.Name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase) || field.IsNamed("MIME-Version")) continue;
            if (subject is not null && field.IsNamed("Subject") || from is not null && field.IsNamed("From")) continue;
            mail.Octets(field.Raw.Span);
        }
        if (subject is not null)
        {
            mail.Header("Subject", subject);
            if (oldSubject is not null) mail.Header("Original-Subject", oldSubject);
        }
        if (from is not null)
        {
            mail.Addresses("From", from);
            if (oldFrom is not null) mail.Addresses("Original-From", oldFrom);
        }
        return mail.Header("MIME-Version", "1.0").Octets(entity).Build().ToArray();
    }

    /// <summary>A new message around the whole old one.</summary>
    public static byte[] Enclose(Execution x, string? subject, string[] headers, string text)
    {
        MessageView view = x.View;
        ReadOnlyMemory<byte> inner = view.Image.ToBytes();
        MailBuilder mail = new();
        foreach (string name in headers)
            foreach (HeaderField field in view.Fields)
                if (field.IsNamed(name)) mail.Octets(field.Raw.Span);
        bool Copied(string name) => Array.Exists(headers, h => h.Equals(name, StringComparison.OrdinalIgnoreCase)) && view.First(name) is not null;
        mail.Begin(x, date: !Copied("Date"), id: !Copied("Message-ID"));
        if (!Copied("From")) mail.Addresses("From", Senders.Owner(x));
        if (!Copied("Subject") && (subject ?? view.First("Subject")?.Text) is { } title) mail.Header("Subject", title);
        string boundary = MailBuilder.Boundary(x);
        mail.Header("MIME-Version", "1.0").Line($"Content-Type: multipart/mixed; boundary=\"{boundary}\"").Line("")
            .Line($"--{boundary}").Line("Content-Type: text/plain; charset=utf-8").Line("Content-Transfer-Encoding: 8bit").Line("").Text(text)
            .Line("").Line($"--{boundary}").Line("Content-Type: message/rfc822").Line("").Octets(inner.Span)
            .Line("").Line($"--{boundary}--");
        return mail.Build().ToArray();
    }
}
