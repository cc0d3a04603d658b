namespace Posthorn.Transport.Rewriting;

/// <summary>Which fields of a header hold addresses, as Postfix's header_opts: who speaks, and who is spoken to.</summary>
public static class AddressFields
{
    private static readonly HashSet<string> Senders = new(StringComparer.OrdinalIgnoreCase)
    {
        "From", "Sender", "Reply-To", "Errors-To", "Return-Path", "Return-Receipt-To", "Disposition-Notification-To", "Mail-Followup-To", "Resent-From", "Resent-Sender",
    };

    private static readonly HashSet<string> Recipients = new(StringComparer.OrdinalIgnoreCase)
    {
        "To", "Cc", "Bcc", "Apparently-To", "Resent-To", "Resent-Cc", "Resent-Bcc", "Resent-Reply-To",
    };

    public static bool IsOfSender(string name) => Senders.Contains(name);

    public static bool IsOfRecipient(string name) => Recipients.Contains(name);
}
