namespace Posthorn.Store.Catalogue;

/// <summary>The tables, and the way from each earlier version to the newest. Plain SQL that PostgreSQL reads too, but for WITHOUT ROWID.</summary>
internal static class Schema
{
    /// <summary>Step n leads from version n to n + 1. Steps that were released never change.</summary>
    private static readonly string[] Steps =
    [
        """
        CREATE TABLE meta(key INTEGER PRIMARY KEY, number INTEGER NOT NULL DEFAULT 0, text TEXT NOT NULL DEFAULT '');
        CREATE TABLE mailboxes(
          id INTEGER PRIMARY KEY, object TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, special_use INTEGER NOT NULL, validity INTEGER NOT NULL,
          uid_next INTEGER NOT NULL, highest INTEGER NOT NULL, floor INTEGER NOT NULL, first_recent INTEGER NOT NULL,
          messages INTEGER NOT NULL, unseen INTEGER NOT NULL, deleted INTEGER NOT NULL, octets INTEGER NOT NULL, deleted_octets INTEGER NOT NULL,
          listed_uid INTEGER NOT NULL DEFAULT 0, new_time INTEGER NOT NULL DEFAULT 0, cur_time INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE messages(
          mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, modseq INTEGER NOT NULL, flags INTEGER NOT NULL, keywords INTEGER NOT NULL,
          size INTEGER NOT NULL, internal INTEGER NOT NULL, zone INTEGER NOT NULL, content INTEGER NOT NULL, saved INTEGER NOT NULL, checksum INTEGER NOT NULL,
          PRIMARY KEY(mailbox, uid)) WITHOUT ROWID;
        CREATE INDEX messages_content ON messages(content);
        CREATE TABLE files(
          mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, disk_name TEXT NOT NULL, base TEXT NOT NULL, dirty INTEGER NOT NULL, PRIMARY KEY(mailbox, uid)) WITHOUT ROWID;
        CREATE INDEX files_dirty ON files(dirty) WHERE dirty = 1;
        CREATE TABLE contents(
          id INTEGER PRIMARY KEY, email TEXT NOT NULL, thread TEXT NOT NULL, record INTEGER NOT NULL, part INTEGER NOT NULL, octets INTEGER NOT NULL,
          envelope BLOB NOT NULL, body BLOB NOT NULL, extended BLOB NOT NULL, structure BLOB NOT NULL,
          preview BLOB NOT NULL, sort_keys BLOB NOT NULL);
        CREATE TABLE message_ids(hash INTEGER PRIMARY KEY, thread TEXT NOT NULL);
        CREATE INDEX contents_record ON contents(record) WHERE record > 0;
        CREATE TABLE keyword_sets(id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
        CREATE TABLE letters(mailbox INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(mailbox, number)) WITHOUT ROWID;
        CREATE TABLE tombstones(mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, uid INTEGER NOT NULL, PRIMARY KEY(mailbox, modseq, uid)) WITHOUT ROWID;
        CREATE TABLE subscriptions(name TEXT PRIMARY KEY) WITHOUT ROWID;
        """,
        // A checksum for each row; Sealing computes those of the rows that are there.
        """
        ALTER TABLE meta ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE mailboxes ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE files ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE contents ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE contents ADD COLUMN facts_checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE keyword_sets ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE letters ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tombstones ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE subscriptions ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        """,
        // What Dovecot's lists say beside names, and how they were when they were last in step with the catalogue.
        """
        CREATE TABLE list_fields(
          mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, fields TEXT NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY(mailbox, uid)) WITHOUT ROWID;
        CREATE TABLE list_marks(mailbox INTEGER PRIMARY KEY, list TEXT NOT NULL DEFAULT '', handed TEXT NOT NULL DEFAULT '');
        """,
        """
        CREATE TABLE filter_notes(id BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX filter_notes_until ON filter_notes(until);
        """,
        // The rest gets its checksums, and each mailbox a count of its tombstones: a page of them that is lost leaves no row that could be found wrong.
        """
        ALTER TABLE mailboxes ADD COLUMN tombstones INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE filter_notes ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE list_marks ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE message_ids ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
        """,
        // Annotations, and who may do what with which mailbox.
        """
        CREATE TABLE annotations(
          mailbox INTEGER NOT NULL, owner TEXT NOT NULL, entry TEXT NOT NULL, value BLOB, removed INTEGER NOT NULL, changed INTEGER NOT NULL,
          checksum INTEGER NOT NULL, PRIMARY KEY(mailbox, owner, entry)) WITHOUT ROWID;
        CREATE INDEX annotations_changed ON annotations(changed);
        CREATE TABLE acl(mailbox INTEGER NOT NULL, identifier TEXT NOT NULL, rights INTEGER NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY(mailbox, identifier)) WITHOUT ROWID;
        """,
    ];

    internal static int Newest => Steps.Length;

    /// <summary>Brings a database to the newest version, in one transaction.</summary>
    internal static void Migrate(Database database) => Migrate(database, Newest);

    internal static void Migrate(Database database, int target)
    {
        long version = database.Version;
        if (version > Newest) throw new CatalogueException($"The catalogue has schema version {version}; this program knows {Newest}. A newer Posthorn wrote it.", 0);
        if (version >= target) return;
        database.Execute(Database.BeginWriting);
        for (; version < target; version++)
        {
            database.Execute(Steps[version]);
            if (version == 1) Sealing.Run(database);
            if (version == 4) Sealing.RunSecond(database);
        }

        database.Version = target;
        database.Execute("COMMIT");
    }
}
