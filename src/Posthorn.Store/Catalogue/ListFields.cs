using Posthorn.Core;

namespace Posthorn.Store.Catalogue;

/// <summary>What a <c>dovecot-uidlist</c> said of messages beside name and GUID (POP3 UIDL and order, sizes), and how each folder's list was when it was last in step with the catalogue.</summary>
/// <remarks>Part of <see cref="AccountCatalogue"/>; the account's catalogue lock guards it.</remarks>
internal sealed class ListFields(Database database)
{
    // Most accounts have none: then removing a message need not look.
    private bool _any = database.Number("SELECT EXISTS(SELECT 1 FROM list_fields)") != 0;

    /// <summary>The fields of a message, as they stood there; empty when there are none.</summary>
    internal string Of(long mailbox, Uid uid)
    {
        if (!_any) return "";
        using Statement query = database.Prepare("SELECT fields, checksum FROM list_fields WHERE mailbox = ?1 AND uid = ?2");
        return query.Bind(1, mailbox).Bind(2, uid.Value).Step() ? Checked(mailbox, uid, query.Text(0), query.Int64(1)) : "";
    }

    /// <summary>All of a mailbox.</summary>
    internal Dictionary<Uid, string> All(long mailbox)
    {
        Dictionary<Uid, string> fields = [];
        if (!_any) return fields;
        using Statement query = database.Prepare("SELECT uid, fields, checksum FROM list_fields WHERE mailbox = ?1");
        query.Bind(1, mailbox);
        while (query.Step())
        {
            Uid uid = new((uint)query.Int64(0));
            fields[uid] = Checked(mailbox, uid, query.Text(1), query.Int64(2));
        }

        return fields;
    }

    internal void Put(long mailbox, Uid uid, string fields)
    {
        if (fields.Length == 0) return;
        _any = true;
        using Statement put = database.Prepare("INSERT INTO list_fields(mailbox, uid, fields, checksum) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(mailbox, uid) DO UPDATE SET fields = ?3, checksum = ?4");
        put.Bind(1, mailbox).Bind(2, uid.Value).Bind(3, fields).Bind(4, Sum(mailbox, uid, fields)).Run();
    }

    internal void Remove(long mailbox, Uid uid)
    {
        if (!_any) return;
        using Statement remove = database.Prepare("DELETE FROM list_fields WHERE mailbox = ?1 AND uid = ?2");
        remove.Bind(1, mailbox).Bind(2, uid.Value).Run();
    }

    /// <summary>How each mailbox's files of numbers were when they were last in step with the catalogue; <c>Handed</c> says which index was made for Dovecot, and at which MODSEQ.</summary>
    internal Dictionary<long, (string List, string Handed)> Marks()
    {
        Dictionary<long, (string, string)> marks = [];
        using Statement query = database.Prepare("SELECT mailbox, list, handed, checksum FROM list_marks");
        while (query.Step()) marks[query.Int64(0)] = MarkOf(query);
        return marks;
    }

    internal void PutMark(long mailbox, string list)
    {
        PutMark(mailbox, list, MarkOf(mailbox).Handed);
    }

    internal void PutHanded(long mailbox, string handed)
    {
        PutMark(mailbox, MarkOf(mailbox).List, handed);
    }

    private (string List, string Handed) MarkOf(long mailbox)
    {
        using Statement query = database.Prepare("SELECT mailbox, list, handed, checksum FROM list_marks WHERE mailbox = ?1");
        return query.Bind(1, mailbox).Step() ? MarkOf(query) : ("", "");
    }

    private (string List, string Handed) MarkOf(Statement query)
    {
        (string list, string handed) = (query.Text(1), query.Text(2));
        database.Hold(query.Int64(3), RowSum.ListMark(query.Int64(0), list, handed), "list_marks");
        return (list, handed);
    }

    private void PutMark(long mailbox, string list, string handed)
    {
        using Statement put = database.Prepare("INSERT INTO list_marks(mailbox, list, handed, checksum) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(mailbox) DO UPDATE SET list = ?2, handed = ?3, checksum = ?4");
        put.Bind(1, mailbox).Bind(2, list).Bind(3, handed).Bind(4, RowSum.ListMark(mailbox, list, handed)).Run();
    }

    private string Checked(long mailbox, Uid uid, string fields, long sum)
    {
        database.Hold(sum, Sum(mailbox, uid, fields), "list_fields");
        return fields;
    }

    private static long Sum(long mailbox, Uid uid, string fields) => default(RowSum).Add(mailbox).Add(uid.Value).Add(fields).Value;
}
