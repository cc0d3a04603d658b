using Posthorn.Core;
using Posthorn.Sieve.Language;
using Posthorn.Sieve.Messages;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Composing;

/// <summary>What a vacation command asks for, its strings filled in.</summary>
internal sealed record VacationRequest(string Reason, string? Subject, string? From, IReadOnlyList<EmailAddress> Addresses, bool IsMime);

/// <summary>Decides whether a message is answered, and writes the reply (RFC 5230 sections 4.5, 4.6 and 5, RFC 3834).</summary>
internal static class VacationReply
{
    private static readonly string[] ListHeaders =
        ["List-Id", "List-Owner", "List-Subscribe", "List-Post", "List-Unsubscribe", "List-Help", "List-Archive"];

    private static readonly string[] RecipientHeaders = ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];

    private static readonly string[] SystemNames =
        ["mailer-daemon", "listserv", "majordomo", "noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "do_not_reply", "bounce", "bounces", "auto-reply", "autoreply"];

    /// <summary>The reply, or null and why there is none.</summary>
    public static SieveMail? Compose(Execution x, VacationRequest request, out string? suppressed)
    {
        suppressed = null;
        string from = x.Context.Envelope.From;
        if (from.Length == 0) suppressed = "the message has no sender";
        else if (Addresses.Read(from) is not { } sender) suppressed = "the sender's address cannot be answered";
        else
        {
            List<EmailAddress> own = OwnAddresses(x, request);
            suppressed = Suppress(x, sender, own);
            if (suppressed is null && FindOwn(x, own, out EmailAddress found)) return Write(x, request, sender, Permitted(x, request, found));
            suppressed ??= "the message is not addressed to the owner";
        }
        return null;
    }

    private static List<EmailAddress> OwnAddresses(Execution x, VacationRequest request)
    {
        List<EmailAddress> own = [];
        if (Addresses.Read(x.Context.Envelope.To) is { } to) own.Add(to);
        if (x.Settings.VacationUseOriginalRecipient && x.Context.Envelope.OriginalTo is { } first && Addresses.Read(first) is { } original) own.Add(original);
        if (x.Context.Owner is { } owner) own.Add(owner);
        own.AddRange(x.Context.OwnerAliases);
        own.AddRange(request.Addresses);
        return own;
    }

    private static string? Suppress(Execution x, EmailAddress sender, List<EmailAddress> own)
    {
        if (own.Contains(sender)) return "the sender is the owner";
        if (IsSystem(sender.LocalPart)) return "the sender is an automatic system";
        foreach (string name in ListHeaders)
            if (x.View.First(name) is not null) return "the message comes from a mailing list";
        if (x.View.First("Auto-Submitted") is { } auto && !FirstWord(auto.Text).Equals("no", StringComparison.OrdinalIgnoreCase)) return "the message was sent automatically";
        if (x.View.First("Precedence") is { } precedence && FirstWord(precedence.Text).ToLowerInvariant() is "junk" or "bulk" or "list") return "the message is bulk mail";
        if (x.View.First("X-Auto-Response-Suppress") is { } suppress
            && suppress.Text.Split(',', StringSplitOptions.TrimEntries).Any(w => w.ToLowerInvariant() is "all" or "oof" or "autoreply"))
            return "the sender wants no automatic replies";
        return null;
    }

    private static string FirstWord(string text)
    {
        int end = text.AsSpan().IndexOfAny(" \t;(");
        return end < 0 ? text : text[..end];
    }

    private static bool IsSystem(string localPart)
    {
        string name = localPart.ToLowerInvariant();
        return Array.Exists(SystemNames, s => name == s || name.StartsWith(s + "-", StringComparison.Ordinal) || name.StartsWith(s + "+", StringComparison.Ordinal))
            || name.StartsWith("owner-", StringComparison.Ordinal) || name.EndsWith("-request", StringComparison.Ordinal) || name.EndsWith("-owner", StringComparison.Ordinal);
    }

    // The address under which the message found the owner; the reply comes from it.
    private static bool FindOwn(Execution x, List<EmailAddress> own, out EmailAddress found)
    {
        foreach (string name in RecipientHeaders)
            foreach (HeaderField field in x.View.Fields)
            {
                if (!field.IsNamed(name)) continue;
                foreach (ParsedAddress address in AddressParser.Parse(field.Unfolded))
                {
                    if (!address.IsValid || Addresses.Read(address.All) is not { } named || !own.Contains(named)) continue;
                    found = named;
                    return true;
                }
            }
        found = own.Count > 0 ? own[0] : default;
        return !x.Settings.VacationCheckRecipient && own.Count > 0;
    }

    // ":addresses" says what finds the owner; it makes him nobody else (see Senders.Author).
    private static EmailAddress Permitted(Execution x, VacationRequest request, EmailAddress found) =>
        request.Addresses.Contains(found) && Senders.Author(x, found.ToString()) is null ? x.Context.Owner!.Value : found;

    private static SieveMail Write(Execution x, VacationRequest request, EmailAddress sender, EmailAddress own)
    {
        MailBuilder mail = new MailBuilder().Begin(x)
            .Addresses("From", request.From ?? $"<{own}>")
            .Addresses("To", ToValue(x, sender))
            .Header("Subject", Short(request.Subject ?? Subject(x), x.Settings.VacationMaxSubject));
        if (x.View.First("Message-ID") is { } id)
        {
            mail.Header("In-Reply-To", id.Unfolded);
            string references = x.View.First("References")?.Unfolded ?? x.View.First("In-Reply-To")?.Unfolded ?? "";
            mail.Header("References", $"{references} {id.Unfolded}".Trim());
        }
        mail.Line("Auto-Submitted: auto-replied (vacation)").Line("Precedence: bulk").Line("X-Auto-Response-Suppress: All").Header("MIME-Version", "1.0");
        if (request.IsMime) mail.Text(request.Reason);
        else mail.Line("Content-Type: text/plain; charset=utf-8").Line("Content-Transfer-Encoding: 8bit").Line("").Text(request.Reason);
        return new(x.Settings.VacationSendFromRecipient ? own.ToString() : "", [sender], mail.Build());
    }

    private static string Short(string subject, int max)
    {
        if (subject.Length <= max) return subject;
        int end = 0;
        for (int count = 0; count < max - 1 && end < subject.Length; count++) end += char.IsHighSurrogate(subject[end]) && end + 1 < subject.Length ? 2 : 1;
        return end + 1 < subject.Length ? subject[..end] + "…" : subject;
    }

    private static string Subject(Execution x)
    {
        if (x.View.First("Subject")?.Text is not { Length: > 0 } subject) return x.Settings.VacationDefaultSubject;
        return x.Settings.VacationSubjectTemplate.Replace("%{subject}", subject, StringComparison.Ordinal).Replace("%$", subject, StringComparison.Ordinal);
    }

    // With the sender's name, where a header tells it.
    private static string ToValue(Execution x, EmailAddress sender)
    {
        foreach (string name in (string[])["Sender", "Resent-From", "From"])
            foreach (HeaderField field in x.View.Fields)
            {
                if (!field.IsNamed(name)) continue;
                foreach (ParsedAddress address in AddressParser.Parse(field.Unfolded))
                    if (address.IsValid && address.Domain.Length > 0 && (x.Settings.VacationToHeaderIgnoreEnvelope || Addresses.Read(address.All) == sender)) return address.Raw;
            }
        return $"<{sender}>";
    }
}
