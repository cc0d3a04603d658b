
namespace Posthorn.Store.Catalogue;

/// <summary>Gives the rows of an earlier catalogue their checksums, once, as it is brought forward.</summary>
internal static class Sealing
{
    /// <summary>From version 1 to 2. Mailboxes get theirs with their last column, in <see cref="RunSecond"/>.</summary>
    internal static void Run(Database database)
    {
        Seal(database, "SELECT key, number, text FROM meta", "UPDATE meta SET checksum = ?1 WHERE key = ?2",
            row => (RowSum.Meta((MetaKey)row.Int64(0), row.Int64(1), row.Text(2)), [row.Int64(0)]));
        Seal(database, "SELECT mailbox, uid, disk_name, base FROM files", "UPDATE files SET checksum = ?1 WHERE mailbox = ?2 AND uid = ?3",
            row => (RowSum.File(row.Int64(0), new((uint)row.Int64(1)), row.Text(2), row.Text(3)), [row.Int64(0), row.Int64(1)]));
        Seal(database, "SELECT id, email, thread, record, part, octets FROM contents", "UPDATE contents SET checksum = ?1 WHERE id = ?2",
            row => (RowSum.Content(new(row.Int64(0), new(row.Text(1)), new(row.Text(2)), row.Int64(3), (int)row.Int64(4), row.Int64(5))), [row.Int64(0)]));
        Seal(database, "SELECT id, envelope, body, extended, structure, preview, sort_keys FROM contents", "UPDATE contents SET facts_checksum = ?1 WHERE id = ?2", row =>
        {
            RowSum sum = default(RowSum).Add(row.Int64(0));
            for (int i = 1; i < 7; i++) sum = sum.Add(row.Span(i));
            return (sum.Value, [row.Int64(0)]);
        });
        Seal(database, "SELECT id, names FROM keyword_sets", "UPDATE keyword_sets SET checksum = ?1 WHERE id = ?2", row => (RowSum.KeywordSet(row.Text(1)), [row.Int64(0)]));
        Seal(database, "SELECT mailbox, number, name FROM letters", "UPDATE letters SET checksum = ?1 WHERE mailbox = ?2 AND number = ?3",
            row => (RowSum.Letter(row.Int64(0), (int)row.Int64(1), row.Text(2)), [row.Int64(0), row.Int64(1)]));
        Seal(database, "SELECT mailbox, modseq, uid FROM tombstones", "UPDATE tombstones SET checksum = ?1 WHERE mailbox = ?2 AND modseq = ?3 AND uid = ?4",
            row => (RowSum.Tombstone(row.Int64(0), new(row.Int64(1)), new((uint)row.Int64(2))), [row.Int64(0), row.Int64(1), row.Int64(2)]));
        SealSubscriptions(database);
    }

    /// <summary>From version 4 to 5.</summary>
    internal static void RunSecond(Database database)
    {
        database.Execute("UPDATE mailboxes SET tombstones = (SELECT count(*) FROM tombstones t WHERE t.mailbox = mailboxes.id)");
        Seal(database, $"SELECT {AccountCatalogue.MailboxColumns} FROM mailboxes",
            "UPDATE mailboxes SET checksum = ?1 WHERE id = ?2", row => (RowSum.Mailbox(AccountCatalogue.MailboxOf(row)), [row.Int64(0)]));
        Seal(database, "SELECT mailbox, list, handed FROM list_marks", "UPDATE list_marks SET checksum = ?1 WHERE mailbox = ?2",
            row => (RowSum.ListMark(row.Int64(0), row.Text(1), row.Text(2)), [row.Int64(0)]));
        Seal(database, "SELECT hash, thread FROM message_ids", "UPDATE message_ids SET checksum = ?1 WHERE hash = ?2",
            row => (RowSum.MessageId(row.Int64(0), row.Text(1)), [row.Int64(0)]));
        List<(byte[] Id, long Until)> notes = [];
        using (Statement query = database.Prepare("SELECT id, until FROM filter_notes"))
            while (query.Step()) notes.Add((query.Blob(0), query.Int64(1)));
        using Statement put = database.Prepare("UPDATE filter_notes SET checksum = ?1 WHERE id = ?2");
        foreach ((byte[] id, long until) in notes) put.Bind(1, RowSum.FilterNote(id, until)).Bind(2, id).Run();
    }

    private static void Seal(Database database, string select, string update, Func<Statement, (long Sum, long[] Key)> sum)
    {
        List<(long Sum, long[] Key)> sums = [];
        using (Statement query = database.Prepare(select))
            while (query.Step()) sums.Add(sum(query));
        using Statement put = database.Prepare(update);
        foreach ((long value, long[] key) in sums)
        {
            put.Bind(1, value);
            for (int i = 0; i < key.Length; i++) put.Bind(i + 2, key[i]);
            put.Run();
        }
    }

    private static void SealSubscriptions(Database database)
    {
        using Statement put = database.Prepare("UPDATE subscriptions SET checksum = ?1 WHERE name = ?2");
        foreach (string name in database.Texts("SELECT name FROM subscriptions")) put.Bind(1, RowSum.Subscription(name)).Bind(2, name).Run();
    }
}
