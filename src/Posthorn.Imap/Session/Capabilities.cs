using System.Text;

namespace Posthorn.Imap.Session;

/// <summary>The capability list: computed from what this session could do now (RFC 9051 section 7.2.2).</summary>
internal static class Capabilities
{
    // In this order: some clients want IMAP4rev1 first, old gateways look for IDLE before login (trap 26).
    private static readonly (string Name, Func<ImapSession, bool> When)[] Rows =
    [
        ("IMAP4rev1", _ => true),
        ("IMAP4rev2", _ => true),
        ("LITERAL+", _ => true),
        ("SASL-IR", _ => true),
        ("ID", _ => Has("ID")),
        ("ENABLE", _ => Has("ENABLE")),
        ("IDLE", _ => Has("IDLE")),
        ("STARTTLS", s => s.CanStartTls),
        ("LOGINDISABLED", s => !s.IsLoggedIn && !s.MayLogIn),
        ("NAMESPACE", s => s.IsLoggedIn && Has("NAMESPACE")),
        ("CHILDREN", s => s.IsLoggedIn),
        ("UNSELECT", s => s.IsLoggedIn && Has("UNSELECT")),
        ("UIDPLUS", s => s.IsLoggedIn && Has("UID EXPUNGE")),
        ("MOVE", s => s.IsLoggedIn && Has("MOVE")),
        ("SPECIAL-USE", s => s.IsLoggedIn),
        ("CREATE-SPECIAL-USE", s => s.IsLoggedIn),
        ("LIST-EXTENDED", s => s.IsLoggedIn),
        ("LIST-STATUS", s => s.IsLoggedIn),
        ("STATUS=SIZE", s => s.IsLoggedIn),
        ("ESEARCH", s => s.IsLoggedIn),
        ("SEARCHRES", s => s.IsLoggedIn),
        ("WITHIN", s => s.IsLoggedIn),
        ("CONDSTORE", s => s.IsLoggedIn),
        ("QRESYNC", s => s.IsLoggedIn),
        ("MULTIAPPEND", s => s.IsLoggedIn),
        ("BINARY", s => s.IsLoggedIn),
        ("UTF8=ACCEPT", s => s.IsLoggedIn),
        ("OBJECTID", s => s.IsLoggedIn),
        ("SAVEDATE", s => s.IsLoggedIn),
        ("PREVIEW", s => s.IsLoggedIn),
        ("QUOTA", s => s.IsLoggedIn && Has("GETQUOTA")),
        ("QUOTASET", s => s.IsLoggedIn && s.Services.Limits is not null && Commands.QuotaRoots.IsAdministrator(s)),
        ("QUOTA=RES-STORAGE", s => s.IsLoggedIn && Has("GETQUOTA")),
        ("QUOTA=RES-MESSAGE", s => s.IsLoggedIn && Has("GETQUOTA")),
        ("ACL", s => s.IsLoggedIn && Has("SETACL")),
        ("RIGHTS=texk", s => s.IsLoggedIn && Has("SETACL")),
        ("LIST-MYRIGHTS", s => s.IsLoggedIn && Has("MYRIGHTS")),
        ("METADATA", s => s.IsLoggedIn && Has("GETMETADATA")),
        ("LIST-METADATA", s => s.IsLoggedIn && Has("GETMETADATA")),
        ("SORT", s => s.IsLoggedIn && Has("SORT")),
        ("SORT=DISPLAY", s => s.IsLoggedIn && Has("SORT")),
        ("ESORT", s => s.IsLoggedIn && Has("SORT")),
        ("THREAD=ORDEREDSUBJECT", s => s.IsLoggedIn && Has("THREAD")),
        ("THREAD=REFERENCES", s => s.IsLoggedIn && Has("THREAD")),
        ("I18NLEVEL=1", s => s.IsLoggedIn && Has("SORT")),
        ("REPLACE", s => s.IsLoggedIn && Has("REPLACE")),
        ("SEARCH=FUZZY", s => s.IsLoggedIn),
        ("PARTIAL", s => s.IsLoggedIn),
        ("CONTEXT=SEARCH", s => s.IsLoggedIn && Has("CANCELUPDATE")),
        ("CONTEXT=SORT", s => s.IsLoggedIn && Has("CANCELUPDATE")),
        ("CATENATE", s => s.IsLoggedIn && Has("APPEND")),
        ("NOTIFY", s => s.IsLoggedIn && Has("NOTIFY")),
        ("MULTISEARCH", s => s.IsLoggedIn && Has("ESEARCH")),
        ("INPROGRESS", s => s.IsLoggedIn),
        ("UIDONLY", s => s.IsLoggedIn && s.OffersUidOnly),
        ("COMPRESS=DEFLATE", s => s.IsLoggedIn && !s.Connection.IsCompressed && Has("COMPRESS")),
        ("UNAUTHENTICATE", s => s.IsLoggedIn && s.Options.Unauthenticate),
    ];

    /// <summary>The list, space-parted, without the word CAPABILITY.</summary>
    public static string Of(ImapSession session)
    {
        StringBuilder list = new(512);
        foreach ((string name, Func<ImapSession, bool> when) in Rows)
            if (when(session)) list.Append(list.Length > 0 ? " " : "").Append(name);
        if (session.IsLoggedIn && session.Options.SieveServer is { } sieve) list.Append(" IMAPSIEVE=").Append(sieve);
        if (session.IsLoggedIn) AddLimits(list, session.Options);
        else foreach (string mechanism in session.Mechanisms) list.Append(" AUTH=").Append(mechanism);
        return list.ToString();
    }

    private static void AddLimits(StringBuilder list, ImapOptions options)
    {
        list.Append(System.Globalization.CultureInfo.InvariantCulture, $" APPENDLIMIT={options.MaxMessage}");
        if (options.MessageLimit is { } most) list.Append(System.Globalization.CultureInfo.InvariantCulture, $" MESSAGELIMIT={most}");
    }

    private static bool Has(string verb) => Verb.Find(Encoding.ASCII.GetBytes(verb)) is not null;
}
