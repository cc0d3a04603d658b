using Posthorn.Store.Sharing;

namespace Posthorn.Store.Catalogue;

/// <summary>The access control lists of mailboxes (RFC 4314).</summary>
/// <remarks>Part of <see cref="AccountCatalogue"/>; the account's catalogue lock guards it.</remarks>
internal sealed class AclTable(Database database)
{
    /// <summary>All lists, by mailbox.</summary>
    internal Dictionary<long, MailboxAcl> All()
    {
        Dictionary<long, List<AclEntry>> lists = [];
        using Statement query = database.Prepare("SELECT mailbox, identifier, rights, checksum FROM acl");
        while (query.Step())
        {
            (long mailbox, string identifier, long rights) = (query.Int64(0), query.Text(1), query.Int64(2));
            database.Hold(query.Int64(3), Sum(mailbox, identifier, rights), "acl");
            if (!lists.TryGetValue(mailbox, out List<AclEntry>? entries)) lists[mailbox] = entries = [];
            entries.Add(new(identifier, (MailboxRights)rights));
        }

        return lists.ToDictionary(pair => pair.Key, pair => MailboxAcl.Of(pair.Value));
    }

    internal void Put(long mailbox, string identifier, MailboxRights? rights)
    {
        using Statement put = database.Prepare(rights is null
            ? "DELETE FROM acl WHERE mailbox = ?1 AND identifier = ?2"
            : "INSERT INTO acl(mailbox, identifier, rights, checksum) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(mailbox, identifier) DO UPDATE SET rights = ?3, checksum = ?4");
        put.Bind(1, mailbox).Bind(2, identifier);
        if (rights is { } granted) put.Bind(3, (long)granted).Bind(4, Sum(mailbox, identifier, (long)granted));
        put.Run();
    }

    private static long Sum(long mailbox, string identifier, long rights) => default(RowSum).Add(mailbox).Add(identifier).Add(rights).Value;
}
