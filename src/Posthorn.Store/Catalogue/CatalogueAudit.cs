using System.Globalization;
using Posthorn.Core;

namespace Posthorn.Store.Catalogue;

/// <summary>Questions that only a check of the whole catalogue asks.</summary>
internal sealed class CatalogueAudit(Database database)
{
    /// <summary>How many messages a mailbox has by their rows.</summary>
    internal long MessageCount(long mailbox)
    {
        using Statement query = database.Prepare("SELECT count(*) FROM messages WHERE mailbox = ?1");
        return query.Bind(1, mailbox).Step() ? query.Int64(0) : 0;
    }

    /// <summary>The UIDs of a mailbox, in order, whatever their rows say.</summary>
    internal List<Uid> Uids(long mailbox) => Numbers("SELECT uid FROM messages WHERE mailbox = ?1 ORDER BY uid", mailbox).ConvertAll(uid => new Uid((uint)uid));

    /// <summary>Files' rows of a mailbox that no message has.</summary>
    internal List<Uid> StrayFiles(long mailbox) =>
        Numbers("SELECT uid FROM files f WHERE mailbox = ?1 AND NOT EXISTS(SELECT 1 FROM messages m WHERE m.mailbox = f.mailbox AND m.uid = f.uid)", mailbox).ConvertAll(uid => new Uid((uint)uid));

    /// <summary>Rows of mailboxes that are not there.</summary>
    internal List<string> Strays()
    {
        List<string> found = [];
        foreach (string table in (string[])["messages", "files", "tombstones", "letters", "list_fields", "list_marks", "annotations", "acl"])
        {
            long count = database.Number($"SELECT count(*) FROM {table} WHERE mailbox > 0 AND mailbox NOT IN (SELECT id FROM mailboxes)");
            if (count > 0) found.Add(string.Create(CultureInfo.InvariantCulture, $"{count} rows of {table} belong to no mailbox"));
        }

        long contents = database.Number("SELECT count(*) FROM contents c WHERE NOT EXISTS(SELECT 1 FROM messages m WHERE m.content = c.id)");
        if (contents > 0) found.Add(string.Create(CultureInfo.InvariantCulture, $"{contents} rows of contents belong to no message"));
        return found;
    }

    private List<long> Numbers(string sql, long mailbox)
    {
        List<long> numbers = [];
        using Statement query = database.Prepare(sql);
        query.Bind(1, mailbox);
        while (query.Step()) numbers.Add(query.Int64(0));
        return numbers;
    }
}
