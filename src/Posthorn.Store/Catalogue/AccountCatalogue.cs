using System.Buffers.Binary;
using Posthorn.Core;
using Posthorn.Journal.Format;

namespace Posthorn.Store.Catalogue;

/// <summary>The catalogue of one account: all SQL of the store stands here and in <see cref="Schema"/>.</summary>
/// <remarks>Not for two threads at once; the account's catalogue lock guards it.</remarks>
internal sealed class AccountCatalogue : IDisposable
{
    private readonly Database _database;
    private readonly Statement _begin, _commit, _rollback, _putMeta, _putProgress, _putBox, _updateBox, _removeBox, _putMessage, _putFlags, _getMessage, _removeMessage, _rows, _putFile, _getFile, _removeFile,
        _renameFile, _dirty, _unplaced, _files;
    private readonly byte[] _packed = new byte[80];

    // What the catalogue has for sure; null when that is not known.
    private uint? _validity;

    internal AccountCatalogue(string path)
    {
        _database = new(path);
        try
        {
            _database.SetUp(pagesInLog: 4000);
            Schema.Migrate(_database);
            _begin = _database.Prepare(Database.BeginWriting);
            _commit = _database.Prepare("COMMIT");
            _rollback = _database.Prepare("ROLLBACK");
            _putMeta = _database.Prepare("INSERT INTO meta(key, number, text, checksum) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(key) DO UPDATE SET number = ?2, text = ?3, checksum = ?4");
            _putProgress = _database.Prepare(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"""
                INSERT INTO meta(key, number, text, checksum) VALUES({(int)MetaKey.Applied}, ?1, '', ?3), ({(int)MetaKey.ModSeq}, ?2, '', ?4)
                ON CONFLICT(key) DO UPDATE SET number = excluded.number, text = excluded.text, checksum = excluded.checksum
                """));
            _putBox = _database.Prepare("""
                INSERT INTO mailboxes(id, object, name, special_use, validity, uid_next, highest, floor, first_recent, messages, unseen, deleted, octets, deleted_octets, checksum, tombstones)
                VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                ON CONFLICT(id) DO UPDATE SET name = ?3, special_use = ?4, validity = ?5, uid_next = ?6, highest = ?7, floor = ?8, first_recent = ?9,
                  messages = ?10, unseen = ?11, deleted = ?12, octets = ?13, deleted_octets = ?14, checksum = ?15, tombstones = ?16
                """);
            // Without the columns that have indexes: to set one rewrites its index, even to what it was.
            _updateBox = _database.Prepare("""
                UPDATE mailboxes SET special_use = ?4, validity = ?5, uid_next = ?6, highest = ?7, floor = ?8, first_recent = ?9,
                  messages = ?10, unseen = ?11, deleted = ?12, octets = ?13, deleted_octets = ?14, checksum = ?15, tombstones = ?16 WHERE id = ?1 AND object = ?2 AND name = ?3
                """);
            _removeBox = _database.Prepare("DELETE FROM mailboxes WHERE id = ?1");
            _putMessage = _database.Prepare("""
                INSERT INTO messages(mailbox, uid, modseq, flags, keywords, size, internal, zone, content, saved, checksum) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                ON CONFLICT(mailbox, uid) DO UPDATE SET modseq = ?3, flags = ?4, keywords = ?5, size = ?6, internal = ?7, zone = ?8, content = ?9, saved = ?10, checksum = ?11
                """);
            _putFlags = _database.Prepare("UPDATE messages SET modseq = ?3, flags = ?4, keywords = ?5, checksum = ?6 WHERE mailbox = ?1 AND uid = ?2");
            const string columns = "uid, modseq, flags, keywords, size, internal, zone, content, saved, checksum";
            _getMessage = _database.Prepare($"SELECT {columns} FROM messages WHERE mailbox = ?1 AND uid = ?2");
            _rows = _database.Prepare($"SELECT {columns} FROM messages WHERE mailbox = ?1 ORDER BY uid");
            _removeMessage = _database.Prepare("DELETE FROM messages WHERE mailbox = ?1 AND uid = ?2");
            _putFile = _database.Prepare("""
                INSERT INTO files(mailbox, uid, disk_name, base, dirty, checksum) VALUES(?1, ?2, ?3, ?4, ?5, ?6)
                ON CONFLICT(mailbox, uid) DO UPDATE SET disk_name = ?3, base = ?4, dirty = ?5, checksum = ?6
                """);
            _getFile = _database.Prepare("SELECT uid, disk_name, base, dirty, checksum FROM files WHERE mailbox = ?1 AND uid = ?2");
            _removeFile = _database.Prepare("DELETE FROM files WHERE mailbox = ?1 AND uid = ?2");
            _renameFile = _database.Prepare("UPDATE files SET dirty = 1 WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND dirty = 0");
            _files = _database.Prepare("SELECT uid, disk_name, base, dirty, checksum FROM files WHERE mailbox = ?1 ORDER BY uid");
            _unplaced = _database.Prepare("SELECT mailbox, uid FROM files WHERE dirty = 1 AND disk_name = ''");
            _dirty = _database.Prepare("SELECT mailbox, uid FROM files WHERE dirty = 1 LIMIT ?1");
            Lists = new(_database);
            Annotations = new(_database);
            Acls = new(_database);
            Tombstones = new(_database);
            FolderTimes = new(_database);
            Notes = new(_database);
            Keywords = new(_database);
            Contents = new(this, _database);
        }
        catch
        {
            _database.Dispose();
            throw;
        }
    }

    /// <summary>What Dovecot's lists say beside names.</summary>
    internal ListFields Lists { get; }

    /// <summary>What the filter remembers.</summary>
    internal FilterNotes Notes { get; }

    /// <summary>The sets of keywords.</summary>
    internal KeywordSets Keywords { get; }

    /// <summary>What is kept about contents.</summary>
    internal Contents Contents { get; }

    internal AnnotationTable Annotations { get; }

    internal AclTable Acls { get; }

    /// <summary>What is gone, for clients that were away.</summary>
    internal TombstoneTable Tombstones { get; }

    /// <summary>How folders were when the account was closed.</summary>
    internal FolderTimes FolderTimes { get; }

    internal void Begin() => _begin.Run();

    internal void Commit()
    {
        _commit.Run();
        Contents.Removed.Commit();
    }

    internal void Rollback()
    {
        Contents.Removed.Rollback();
        _validity = null;
        if (_database.InTransaction) _rollback.Run();
    }

    /// <summary>Copies the write-ahead log into the database, without waiting for anybody.</summary>
    internal void Fold() => _database.Fold();

    /// <summary>Writes every page once more and makes them durable: after a failed sync the system takes for written what is not.</summary>
    internal void Rewrite() => _database.Rewrite();

    internal (long Number, string Text) Meta(MetaKey key)
    {
        using Statement query = _database.Prepare("SELECT number, text, checksum FROM meta WHERE key = ?1");
        if (!query.Bind(1, (long)key).Step()) return (0, "");
        (long number, string text) = (query.Int64(0), query.Text(1));
        Hold(query.Int64(2), RowSum.Meta(key, number, text), "meta");
        return (number, text);
    }

    internal void SetMeta(MetaKey key, long number, string text) => _putMeta.Bind(1, (long)key).Bind(2, number).Bind(3, text).Bind(4, RowSum.Meta(key, number, text)).Run();

    /// <summary>What each transaction moves on: the last record applied, the MODSEQ counter and the last UIDVALIDITY.</summary>
    internal void SetProgress(long applied, long modSeq, uint validity)
    {
        _putProgress.Bind(1, applied).Bind(2, modSeq).Bind(3, RowSum.Meta(MetaKey.Applied, applied, "")).Bind(4, RowSum.Meta(MetaKey.ModSeq, modSeq, "")).Run();
        if (validity == _validity) return;
        SetMeta(MetaKey.Validity, validity, "");
        _validity = validity;
    }

    internal List<MailboxRow> Mailboxes()
    {
        List<MailboxRow> rows = [];
        using Statement query = _database.Prepare($"SELECT {MailboxColumns}, checksum FROM mailboxes");
        while (query.Step())
        {
            rows.Add(MailboxOf(query));
            Hold(query.Int64(15), RowSum.Mailbox(rows[^1]), "mailboxes");
        }

        return rows;
    }

    internal const string MailboxColumns = "id, object, name, special_use, validity, uid_next, highest, floor, first_recent, messages, unseen, deleted, octets, deleted_octets, tombstones";

    /// <summary>A mailbox's row, its columns in their order.</summary>
    internal static MailboxRow MailboxOf(Statement query) => new(query.Int64(0), new(query.Text(1)), query.Text(2), (SpecialUse)query.Int64(3), new((uint)query.Int64(4)))
    {
        UidNext = new((uint)query.Int64(5)),
        Highest = new(query.Int64(6)),
        Floor = new(query.Int64(7)),
        FirstRecent = new((uint)query.Int64(8)),
        Counts = new(query.Int64(9), query.Int64(10), query.Int64(11), query.Int64(12), query.Int64(13)),
        Tombstones = query.Int64(14),
    };

    internal void PutMailbox(MailboxRow row)
    {
        PutMailbox(_updateBox, row);
        if (_database.Changes == 0) PutMailbox(_putBox, row);
    }

    private static void PutMailbox(Statement put, MailboxRow row)
    {
        put.Bind(1, row.Id).Bind(2, row.Object.Value).Bind(3, row.Name).Bind(4, (long)row.Use).Bind(5, row.Validity.Value).Bind(6, row.UidNext.Value)
            .Bind(7, row.Highest.Value).Bind(8, row.Floor.Value).Bind(9, row.FirstRecent.Value);
        put.Bind(10, row.Counts.Messages).Bind(11, row.Counts.Unseen).Bind(12, row.Counts.Deleted).Bind(13, row.Counts.Octets).Bind(14, row.Counts.DeletedOctets)
            .Bind(15, RowSum.Mailbox(row)).Bind(16, row.Tombstones).Run();
    }

    /// <summary>Removes a mailbox and all its rows.</summary>
    internal void RemoveMailbox(long id)
    {
        List<long> contents = [];
        using (Statement query = _database.Prepare("SELECT DISTINCT content FROM messages WHERE mailbox = ?1"))
        {
            query.Bind(1, id);
            while (query.Step()) contents.Add(query.Int64(0));
        }

        foreach (string table in (string[])["messages", "files", "tombstones", "letters", "list_fields", "list_marks", "annotations", "acl"])
        {
            using Statement remove = _database.Prepare($"DELETE FROM {table} WHERE mailbox = ?1");
            remove.Bind(1, id).Run();
        }

        foreach (long content in contents) Contents.Remove(content);
        _removeBox.Bind(1, id).Run();
    }

    internal void PutMessage(long mailbox, in StoredRow stored)
    {
        MessageRow row = stored.Row;
        long keywords = Keywords.IdOf(row.Keywords);
        _putMessage.Bind(1, mailbox).Bind(2, row.Uid.Value).Bind(3, row.ModSeq.Value).Bind(4, (long)row.Flags).Bind(5, keywords).Bind(6, row.Size)
            .Bind(7, row.Internal).Bind(8, row.ZoneMinutes).Bind(9, stored.Content).Bind(10, stored.Saved)
            .Bind(11, Checksum(mailbox, stored, keywords)).Run();
    }

    /// <summary>Flags, keywords and MODSEQ of a message that is there.</summary>
    internal void PutFlags(long mailbox, in StoredRow stored)
    {
        MessageRow row = stored.Row;
        long keywords = Keywords.IdOf(row.Keywords);
        _putFlags.Bind(1, mailbox).Bind(2, row.Uid.Value).Bind(3, row.ModSeq.Value).Bind(4, (long)row.Flags).Bind(5, keywords)
            .Bind(6, Checksum(mailbox, stored, keywords)).Run();
    }

    internal bool TryGetMessage(long mailbox, Uid uid, out StoredRow row)
    {
        row = default;
        if (!_getMessage.Bind(1, mailbox).Bind(2, uid.Value).Step()) return false;
        try
        {
            row = RowOf(_getMessage, mailbox);
        }
        finally
        {
            _getMessage.Reset();
        }

        return true;
    }

    internal void RemoveMessage(long mailbox, Uid uid)
    {
        _removeMessage.Bind(1, mailbox).Bind(2, uid.Value).Run();
        _removeFile.Bind(1, mailbox).Bind(2, uid.Value).Run();
        Lists.Remove(mailbox, uid);
    }

    /// <summary>All messages of a mailbox in UID order.</summary>
    internal IEnumerable<StoredRow> Messages(long mailbox)
    {
        _rows.Bind(1, mailbox);
        try
        {
            while (_rows.Step()) yield return RowOf(_rows, mailbox);
        }
        finally
        {
            _rows.Reset();
        }
    }

    /// <summary>What a view needs of all messages of a mailbox, in UID order and in pieces of a size. A million take half a second.</summary>
    internal List<MessageRow[]> View(long mailbox, int size, ModSeq floor, out KeywordSet keywords)
    {
        List<MessageRow[]> chunks = [];
        MessageRow[] chunk = new MessageRow[size];
        int filled = 0;
        keywords = KeywordSet.Empty;
        KeywordSet last = KeywordSet.Empty;
        _rows.Bind(1, mailbox);
        try
        {
            while (_rows.Step())
            {
                MessageRow row = RowOf(_rows, mailbox).Row;
                if (!ReferenceEquals(row.Keywords, last)) keywords = keywords.Union(last = row.Keywords);
                chunk[filled++] = row.ModSeq < floor ? row with { ModSeq = floor } : row;
                if (filled < size) continue;
                chunks.Add(chunk);
                (chunk, filled) = (new MessageRow[size], 0);
            }
        }
        finally
        {
            _rows.Reset();
        }

        if (filled > 0) chunks.Add(chunk[..filled]);
        return chunks;
    }

    internal void PutFile(long mailbox, Uid uid, string diskName, string baseName, bool dirty) =>
        _putFile.Bind(1, mailbox).Bind(2, uid.Value).Bind(3, diskName).Bind(4, baseName).Bind(5, dirty ? 1 : 0)
            .Bind(6, RowSum.File(mailbox, uid, diskName, baseName)).Run();

    internal bool TryGetFile(long mailbox, Uid uid, out FileRow row)
    {
        row = default;
        if (!_getFile.Bind(1, mailbox).Bind(2, uid.Value).Step()) return false;
        try
        {
            row = FileOf(_getFile, mailbox);
        }
        finally
        {
            _getFile.Reset();
        }

        return true;
    }

    /// <summary>The files of some messages, one behind the other, have names that do not say what they should.</summary>
    internal void MarkDirty(long mailbox, Uid first, Uid last) => _renameFile.Bind(1, mailbox).Bind(2, first.Value).Bind(3, last.Value).Run();

    /// <summary>Files whose names do not say what they should, some of them.</summary>
    internal List<(long Mailbox, Uid Uid)> Dirty(int limit)
    {
        List<(long, Uid)> rows = [];
        _dirty.Bind(1, limit);
        while (_dirty.Step()) rows.Add((_dirty.Int64(0), new((uint)_dirty.Int64(1))));
        return rows;
    }

    /// <summary>Messages whose files are still to be brought over from another folder, and where those lie: a slash and the path in the tree.</summary>
    internal List<(long Mailbox, Uid Uid, string Path)> Elsewhere()
    {
        List<(long, Uid, string)> rows = [];
        // A slash stands before a zero: names that begin with one.
        using Statement query = _database.Prepare("SELECT mailbox, uid, disk_name FROM files WHERE dirty = 1 AND disk_name >= '/' AND disk_name < '0'");
        while (query.Step()) rows.Add((query.Int64(0), new((uint)query.Int64(1)), query.Text(2)));
        return rows;
    }

    /// <summary>Messages whose files are still to be made.</summary>
    internal List<(long Mailbox, Uid Uid)> Unplaced()
    {
        List<(long, Uid)> rows = [];
        while (_unplaced.Step()) rows.Add((_unplaced.Int64(0), new((uint)_unplaced.Int64(1))));
        return rows;
    }

    internal List<FileRow> Files(long mailbox) => [.. FilesIn(mailbox)];

    /// <summary>Which of some base names are those of a mailbox's files.</summary>
    internal HashSet<string> BasesAmong(long mailbox, HashSet<string> names) => FilesIn(mailbox).Select(file => file.Base).Where(names.Contains).ToHashSet(StringComparer.Ordinal);

    /// <summary>Hashes of the names on disk of a mailbox's files, for a quick comparison.</summary>
    internal HashSet<long> DiskNames(long mailbox) => [.. FilesIn(mailbox).Where(file => file.IsInFolder).Select(file => HashOf(file.DiskName))];

    private IEnumerable<FileRow> FilesIn(long mailbox)
    {
        _files.Bind(1, mailbox);
        try
        {
            while (_files.Step()) yield return FileOf(_files, mailbox);
        }
        finally
        {
            _files.Reset();
        }
    }

    /// <summary>What a folder's <c>dovecot-uidlist</c> says, in UID order.</summary>
    internal IEnumerable<(Uid Uid, string Base, EmailId Email, ThreadId Thread)> ListOf(long mailbox)
    {
        using Statement query = _database.Prepare("""
            SELECT f.uid, f.base, c.id, c.email, c.thread, c.record, c.part, c.octets, c.checksum FROM files f JOIN messages m ON m.mailbox = f.mailbox AND m.uid = f.uid JOIN contents c ON c.id = m.content
            WHERE f.mailbox = ?1 ORDER BY f.uid
            """);
        query.Bind(1, mailbox);
        while (query.Step())
        {
            // Who makes the catalogue anew believes the list.
            ContentRow content = new(query.Int64(2), new(query.Text(3)), new(query.Text(4)), query.Int64(5), (int)query.Int64(6), query.Int64(7));
            _database.Hold(query.Int64(8), RowSum.Content(content), "contents");
            yield return (new((uint)query.Int64(0)), query.Text(1), content.Email, content.Thread);
        }
    }

    // FNV-1a, 64 bits: two message ids that meet would only join two conversations.
    internal static long HashOf(string messageId)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in messageId) hash = unchecked((hash ^ c) * 1099511628211);
        return unchecked((long)hash);
    }

    /// <summary>Reads many messages at once.</summary>
    internal MessageScan Scan => field ??= new(_database, this);

    internal List<string> Subscriptions()
    {
        List<string> names = [];
        using Statement query = _database.Prepare("SELECT name, checksum FROM subscriptions");
        while (query.Step())
        {
            names.Add(query.Text(0));
            Hold(query.Int64(1), RowSum.Subscription(names[^1]), "subscriptions");
        }

        return names;
    }

    internal void Subscribe(string name, bool subscribed)
    {
        using Statement change = _database.Prepare(subscribed ? "INSERT INTO subscriptions(name, checksum) VALUES(?1, ?2) ON CONFLICT DO NOTHING" : "DELETE FROM subscriptions WHERE name = ?1");
        change.Bind(1, name);
        if (subscribed) change.Bind(2, RowSum.Subscription(name));
        change.Run();
    }

    /// <summary>The keywords that have letters in a mailbox, by number.</summary>
    internal SortedDictionary<int, string> Letters(long mailbox)
    {
        SortedDictionary<int, string> letters = [];
        using Statement query = _database.Prepare("SELECT number, name, checksum FROM letters WHERE mailbox = ?1");
        query.Bind(1, mailbox);
        while (query.Step())
        {
            (int number, string name) = ((int)query.Int64(0), query.Text(1));
            Hold(query.Int64(2), RowSum.Letter(mailbox, number, name), "letters");
            letters[number] = name;
        }

        return letters;
    }

    internal void PutLetter(long mailbox, int number, string name)
    {
        using Statement put = _database.Prepare("INSERT INTO letters(mailbox, number, name, checksum) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(mailbox, number) DO UPDATE SET name = ?3, checksum = ?4");
        put.Bind(1, mailbox).Bind(2, number).Bind(3, name).Bind(4, RowSum.Letter(mailbox, number, name)).Run();
    }

    /// <summary>Whether anything in it was found to be wrong; then it must be made anew.</summary>
    internal bool IsDamaged => _database.IsDamaged;

    /// <summary>Notes that something in it is wrong.</summary>
    internal CatalogueException Damage(string problem) => _database.Damage(problem);

    private void Hold(long found, long computed, string what) => _database.Hold(found, computed, what);

    /// <summary>A look at what every opening needs: the tables are there and the small ones can be read.</summary>
    internal void Look()
    {
        _ = Meta(MetaKey.Id);
        _ = Mailboxes();
        _ = Subscriptions();
    }

    /// <summary>Questions for a check of the whole.</summary>
    internal CatalogueAudit Audit => field ??= new(_database);

    /// <summary>Reads every page and index.</summary>
    internal List<string> Verify() => _database.Verify();

    public void Dispose() => _database.Dispose();

    /// <summary>The row of <c>messages</c> that a query has in its first ten columns, held to its checksum.</summary>
    internal StoredRow RowOf(Statement query, long mailbox)
    {
        long keywords = query.Int64(3);
        if (!Keywords.TryGet(keywords, out KeywordSet? set)) throw _database.Damage("A message has keywords that are not there.");
        MessageRow row = new(new((uint)query.Int64(0)), query.Int64(4), query.Int64(5), new(query.Int64(1)), (SystemFlags)query.Int64(2), set, (short)query.Int64(6));
        StoredRow stored = new(row, query.Int64(7), query.Int64(8));
        if (query.Int64(9) != Checksum(mailbox, stored, keywords)) throw _database.Damage("A message's row does not have its checksum.");
        return stored;
    }

    private FileRow FileOf(Statement query, long mailbox)
    {
        FileRow row = new(new((uint)query.Int64(0)), query.Text(1), query.Text(2), query.Int64(3) != 0);
        Hold(query.Int64(4), RowSum.File(mailbox, row.Uid, row.DiskName, row.Base), "files");
        return row;
    }

    private long Checksum(long mailbox, in StoredRow stored, long keywords)
    {
        Span<byte> packed = _packed;
        MessageRow row = stored.Row;
        BinaryPrimitives.WriteInt64LittleEndian(packed, mailbox);
        BinaryPrimitives.WriteInt64LittleEndian(packed[8..], row.Uid.Value);
        BinaryPrimitives.WriteInt64LittleEndian(packed[16..], row.ModSeq.Value);
        BinaryPrimitives.WriteInt64LittleEndian(packed[24..], (long)row.Flags);
        BinaryPrimitives.WriteInt64LittleEndian(packed[32..], keywords);
        BinaryPrimitives.WriteInt64LittleEndian(packed[40..], row.Size);
        BinaryPrimitives.WriteInt64LittleEndian(packed[48..], row.Internal);
        BinaryPrimitives.WriteInt64LittleEndian(packed[56..], row.ZoneMinutes);
        BinaryPrimitives.WriteInt64LittleEndian(packed[64..], stored.Content);
        BinaryPrimitives.WriteInt64LittleEndian(packed[72..], stored.Saved);
        return Crc32C.Compute(packed);
    }
}
