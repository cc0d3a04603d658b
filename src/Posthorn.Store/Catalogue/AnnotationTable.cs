namespace Posthorn.Store.Catalogue;

/// <summary>Annotations (RFC 5464). What was removed stays for a while without a value, so that sessions hear of it.</summary>
/// <remarks>Part of <see cref="AccountCatalogue"/>; the account's catalogue lock guards it.</remarks>
internal sealed class AnnotationTable(Database database)
{
    /// <summary>The account as a whole, among numbers of mailboxes.</summary>
    internal const long Account = 0;

    /// <summary>How many removed ones are remembered for each mailbox: a session hears of them within moments.</summary>
    private const int MaxRemoved = 100;

    private const string Columns = "mailbox, owner, entry, value, removed, changed, checksum";

    /// <summary>All of a mailbox that have a value, by name.</summary>
    internal List<(string User, string Entry, byte[] Value)> Of(long mailbox)
    {
        using Statement query = database.Prepare($"SELECT {Columns} FROM annotations WHERE mailbox = ?1 AND removed = 0 ORDER BY entry, owner");
        query.Bind(1, mailbox);
        return [.. Read(query).Select(row => (row.User, row.Entry, row.Value!))];
    }

    /// <summary>Octets of all that one user has set, values and names.</summary>
    internal long OctetsOf(string user)
    {
        using Statement query = database.Prepare("SELECT coalesce(sum(length(value) + length(entry)), 0) FROM annotations WHERE owner = ?1 AND removed = 0");
        query.Bind(1, user);
        return query.Step() ? query.Int64(0) : 0;
    }

    /// <summary>What was set or removed after a change, in any mailbox.</summary>
    internal List<(long Mailbox, string User, string Entry, byte[]? Value, long Changed)> Since(long modSeq)
    {
        using Statement query = database.Prepare($"SELECT {Columns} FROM annotations WHERE changed > ?1 ORDER BY mailbox, entry");
        query.Bind(1, modSeq);
        return Read(query);
    }

    /// <summary>Sets or removes one.</summary>
    internal void Put(long mailbox, string user, string entry, ReadOnlyMemory<byte>? value, long modSeq)
    {
        ReadOnlySpan<byte> bytes = value is { } set ? set.Span : default;
        long removed = value is null ? 1 : 0;
        using Statement put = database.Prepare("""
            INSERT INTO annotations(mailbox, owner, entry, value, removed, changed, checksum) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT(mailbox, owner, entry) DO UPDATE SET value = ?4, removed = ?5, changed = ?6, checksum = ?7
            """);
        put.Bind(1, mailbox).Bind(2, user).Bind(3, entry).Bind(4, bytes).Bind(5, removed).Bind(6, modSeq).Bind(7, Sum(mailbox, user, entry, bytes, removed, modSeq)).Run();
        if (removed == 0) return;
        using Statement forget = database.Prepare("""
            DELETE FROM annotations WHERE mailbox = ?1 AND removed = 1 AND changed < (SELECT min(changed) FROM (SELECT changed FROM annotations WHERE mailbox = ?1 AND removed = 1 ORDER BY changed DESC LIMIT ?2) newest)
            """);
        forget.Bind(1, mailbox).Bind(2, MaxRemoved).Run();
    }

    private List<(long Mailbox, string User, string Entry, byte[]? Value, long Changed)> Read(Statement query)
    {
        List<(long, string, string, byte[]?, long)> rows = [];
        while (query.Step())
        {
            (long mailbox, string user, string entry, byte[] value, long removed, long changed) = (query.Int64(0), query.Text(1), query.Text(2), query.Blob(3), query.Int64(4), query.Int64(5));
            database.Hold(query.Int64(6), Sum(mailbox, user, entry, value, removed, changed), "annotations");
            rows.Add((mailbox, user, entry, removed == 0 ? value : null, changed));
        }

        return rows;
    }

    private static long Sum(long mailbox, string user, string entry, ReadOnlySpan<byte> value, long removed, long changed) =>
        default(RowSum).Add(mailbox).Add(user).Add(entry).Add(value).Add(removed).Add(changed).Value;
}
