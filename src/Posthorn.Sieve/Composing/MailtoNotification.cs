using System.Text;
using Posthorn.Core;
using Posthorn.Sieve.Language;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Composing;

/// <summary>A mailto URI taken apart (RFC 6068).</summary>
internal sealed class MailtoUri
{
    // More would be a mailing, not a notification.
    private const int MaxRecipients = 8;
    private const int MaxHeaders = 16;

    public List<EmailAddress> To { get; } = [];
    public List<EmailAddress> Cc { get; } = [];

    /// <summary>The recipients as the URI writes them, with display names.</summary>
    public Dictionary<EmailAddress, string> Written { get; } = [];
    public List<(string Name, string Value)> Headers { get; } = [];
    public string? Subject { get; private set; }
    public string? Body { get; private set; }

    // Set by us, or unsafe in the hands of others (RFC 5436 section 2.7).
    private static bool IsReserved(string name) => name.ToLowerInvariant() is
        "from" or "sender" or "auto-submitted" or "received" or "message-id" or "date" or "return-path" or "bcc" or "mime-version" or "in-reply-to" or "references"
        or "x-priority" or "importance" or "precedence" or "apparently-to" || name.StartsWith("content-", StringComparison.OrdinalIgnoreCase) || name.StartsWith("resent-", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("list-", StringComparison.OrdinalIgnoreCase);

    public static MailtoUri? Parse(string uri, out string? problem)
    {
        problem = null;
        MailtoUri mailto = new();
        string rest = uri["mailto:".Length..];
        int query = rest.IndexOf('?', StringComparison.Ordinal);
        if (!mailto.Recipients(query < 0 ? rest : rest[..query], mailto.To, ref problem)) return null;
        if (query >= 0)
            foreach (string field in rest[(query + 1)..].Split('&'))
                if (!mailto.Field(field, ref problem)) return null;
        if (mailto.To.Count + mailto.Cc.Count > MaxRecipients) problem = "the URI names too many recipients";
        return problem is null ? mailto : null;
    }

    private bool Recipients(string list, List<EmailAddress> into, ref string? problem)
    {
        if (list.Length == 0) return true;
        // Some write the comma between addresses as %2C, which RFC 6068 section 2 keeps for commas in one; quoted local parts with commas are the rarer.
        foreach (string item in list.Replace("%2C", ",", StringComparison.OrdinalIgnoreCase).Split(','))
        {
            if (Unescape(item, ref problem) is not { } text) return false;
            if (Addresses.Read(text) is not { } address)
            {
                problem = $"\"{text}\" is not an e-mail address";
                return false;
            }
            if (!into.Contains(address)) into.Add(address);
            Written.TryAdd(address, text.Trim());
        }
        return true;
    }

    private bool Field(string field, ref string? problem)
    {
        int equals = field.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
        {
            problem = $"\"{field}\" is no header field of a mailto URI";
            return false;
        }
        if (Unescape(field[..equals], ref problem) is not { } name || Unescape(field[(equals + 1)..], ref problem) is not { } value) return false;
        if (!HeaderCommands.IsFieldName(name))
        {
            problem = $"\"{name}\" is no name for a header field";
            return false;
        }
        switch (name.ToLowerInvariant())
        {
            case "to":
                return Recipients(field[(equals + 1)..], To, ref problem);
            case "cc":
                return Recipients(field[(equals + 1)..], Cc, ref problem);
            case "subject":
                Subject ??= value;
                return true;
            case "body":
                Body ??= value;
                return true;
        }
        if (Headers.Count >= MaxHeaders) problem = "the URI has too many header fields";
        else if (!IsReserved(name)) Headers.Add((name, value));
        return problem is null;
    }

    private static string? Unescape(string text, ref string? problem)
    {
        List<byte> octets = [];
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == '%')
            {
                if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                {
                    problem = "a '%' is not followed by two hexadecimal digits";
                    return null;
                }
                octets.Add(Convert.FromHexString(text.AsSpan(i + 1, 2))[0]);
                i += 2;
            }
            else if (c is <= ' ' or '"' or '<' or '>' or '\\' or '^' or '`' or '{' or '|' or '}' or '\x7f')
            {
                problem = "the URI holds a character that must be written with '%'";
                return null;
            }
            else octets.AddRange(Encoding.UTF8.GetBytes(c.ToString()));
        }
        return SieveText.FromUtf8([.. octets]);
    }
}

/// <summary>A notification by mail (RFC 5436).</summary>
internal static class MailtoNotification
{
    /// <summary>Whether nobody is told of the message, since a program sent it (RFC 3834 section 5, RFC 5436 section 2.7.1).</summary>
    public static bool WasAutomatic(Execution x) =>
        x.View.First("Auto-Submitted") is { } auto && !auto.Text.TrimStart().StartsWith("no", StringComparison.OrdinalIgnoreCase);

    /// <summary>The mail, or null and why there is none.</summary>
    public static SieveMail? Compose(Execution x, MailtoUri uri, IReadOnlyList<EmailAddress> recipients, string? from, string? message, int importance, out string? suppressed)
    {
        suppressed = null;
        if (WasAutomatic(x)) suppressed = "the message was sent automatically";
        else if (recipients.Count == 0) suppressed = "the notification has no recipient";
        if (suppressed is not null) return null;
        string owner = Senders.Owner(x);
        MailBuilder mail = new MailBuilder().Begin(x)
            .Line($"Auto-Submitted: auto-notified; owner-email=\"{owner.Replace("\"", "\\\"", StringComparison.Ordinal)}\"")
            .Addresses("From", from ?? owner);
        List<EmailAddress> to = [.. uri.To.Where(recipients.Contains)], cc = [.. uri.Cc.Where(a => recipients.Contains(a) && !uri.To.Contains(a))];
        if (to.Count > 0) mail.Addresses("To", string.Join(", ", to.Select(a => uri.Written[a])));
        if (cc.Count > 0) mail.Addresses("Cc", string.Join(", ", cc.Select(a => uri.Written[a])));
        mail.Line("X-Sieve: Posthorn Sieve");
        mail.Header("Subject", message ?? uri.Subject ?? x.View.First("Subject")?.Text ?? "Notification of a new message");
        if (importance == 1) mail.Line("X-Priority: 1 (Highest)").Line("Importance: High");
        else if (importance == 3) mail.Line("X-Priority: 5 (Lowest)").Line("Importance: Low");
        else mail.Line("X-Priority: 3 (Normal)").Line("Importance: Normal");
        mail.Line("Precedence: bulk");
        foreach ((string name, string value) in uri.Headers) mail.Header(char.ToUpperInvariant(name[0]) + name[1..], value);
        mail.Header("MIME-Version", "1.0").Line("Content-Type: text/plain; charset=utf-8").Line("Content-Transfer-Encoding: 8bit").Line("");
        mail.Text(uri.Body ?? $"Notification of a new message.\r\n\r\nFrom: {x.View.First("From")?.Text}\r\nSubject: {x.View.First("Subject")?.Text}\r\n");
        // What the administrator chose comes first, then :from (RFC 5436 section 2.3); a message without sender gets none.
        string sender = x.Context.Envelope.From.Length == 0 ? ""
            : x.Settings.NotifySender is { } chosen ? Senders.Choose(x, chosen)
            : from is not null && Addresses.Read(from) is { } author ? author.ToString()
            : Senders.Choose(x, new(SieveSenderPolicy.Postmaster));
        return new(sender, recipients, mail.Build());
    }
}
