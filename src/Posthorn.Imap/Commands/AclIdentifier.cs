using Posthorn.Imap.Session;
using Posthorn.Imap.Wire;
using Posthorn.Store.Sharing;

namespace Posthorn.Imap.Commands;

/// <summary>Whom an entry of an access control list is about (RFC 4314 section 2): an account, or <c>anyone</c>; behind a <c>-</c> rights are taken away.</summary>
internal static class AclIdentifier
{
    /// <summary>Reads an identifier as the client wrote it; an empty one is bad (RFC 4314 section 3).</summary>
    public static string Parse(ref ImapReader args)
    {
        string text = ImapReader.Text(args.AString());
        text = text.Contains('\uFFFE', StringComparison.Ordinal) ? "" : text.Normalize(System.Text.NormalizationForm.FormKC).Trim(); // which is no character
        if (text.Length == 0 || text == "-" || text.Any(char.IsControl)) args.Fail("an identifier");
        return text;
    }

    /// <summary>The form in which lists keep it; null when there is no such account here: a mistyped name must not look as if it had worked.</summary>
    public static string? Canonical(ImapSession session, string identifier)
    {
        string sign = identifier[0] == '-' ? "-" : "";
        string name = identifier[sign.Length..];
        if (name is MailboxAcl.Anyone or "authenticated") return sign + MailboxAcl.Anyone;
        return session.Services.Directory.FindLogin(name) is { } account ? sign + MailboxAcl.IdentifierOf(account.Address) : null;
    }

    /// <summary>As <see cref="Canonical"/>, for entries that may be about somebody who has gone.</summary>
    public static string Known(ImapSession session, string identifier) => Canonical(session, identifier) ?? identifier.ToLowerInvariant();

    public static Completion NoSuch(string identifier) => Completion.No("NONEXISTENT", $"There is no account {identifier.TrimStart('-')} here");
}
