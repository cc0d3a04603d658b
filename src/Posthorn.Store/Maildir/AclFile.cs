using System.Text;
using Posthorn.Core;
using Posthorn.Store.Sharing;

namespace Posthorn.Store.Maildir;

/// <summary>Dovecot's <c>dovecot-acl</c> in a folder: who may do what with it. Read on adoption and rebuild, kept up to date as a second home and for the way back.</summary>
/// <remarks>A line for each entry: the identifier (<c>user=</c>, <c>group=</c>, <c>owner</c>, <c>anyone</c>, <c>authenticated</c>, each perhaps behind <c>-</c>), a blank, letters of rights.</remarks>
internal static class AclFile
{
    internal const string FileName = "dovecot-acl";

    internal static string Format(MailboxAcl acl)
    {
        StringBuilder text = new();
        foreach (AclEntry entry in acl.Entries)
        {
            bool negative = entry.Identifier[0] == '-';
            string who = negative ? entry.Identifier[1..] : entry.Identifier;
            string identifier = (negative ? "-" : "") + (who == MailboxAcl.Anyone ? who : who[0] == '$' ? "group=" + who[1..] : "user=" + who);
            if (identifier.Contains(' ', StringComparison.Ordinal)) identifier = $"\"{identifier}\"";
            text.Append(identifier).Append(' ').Append(RightsText.Plain(entry.Rights)).Append('\n');
        }

        return text.ToString();
    }

    internal static MailboxAcl Parse(string text, EmailAddress owner)
    {
        List<AclEntry> entries = [];
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            bool quoted = line[0] == '"';
            int end = quoted ? line.IndexOf('"', 1) : line.IndexOf(' ', StringComparison.Ordinal);
            string identifier = (end < 0 ? line : line[(quoted ? 1 : 0)..end]).Trim();
            string letters = end < 0 ? "" : line[(end + 1)..].Trim().Split(' ', ':')[0];
            if (Identifier(identifier, owner) is not { } known || !RightsText.TryParse(letters, out MailboxRights rights, out _)) continue;
            entries.RemoveAll(entry => entry.Identifier == known);
            entries.Add(new(known, rights));
        }

        return MailboxAcl.Of(entries);
    }

    private static string? Identifier(string text, EmailAddress owner)
    {
        string sign = text.StartsWith('-') ? "-" : "";
        text = text[sign.Length..];
        if (text is "anyone" or "authenticated") return sign + MailboxAcl.Anyone;
        if (text == "owner") return sign + MailboxAcl.IdentifierOf(owner);
        string[] parts = text.Split('=', 2);
        if (parts is not [string kind, { Length: > 0 } name]) return null;
        if (kind is "group" or "group-override") return $"{sign}${name}";
        return kind == "user" ? sign + (name.Contains('@', StringComparison.Ordinal) ? name : $"{name}@{owner.Domain}").ToLowerInvariant() : null;
    }
}
