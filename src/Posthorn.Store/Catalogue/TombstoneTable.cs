using Posthorn.Core;

namespace Posthorn.Store.Catalogue;

/// <summary>The UIDs that went, with the MODSEQ of their going (RFC 7162 section 3.2.6).</summary>
/// <remarks>Part of <see cref="AccountCatalogue"/>; the account's catalogue lock guards it.</remarks>
internal sealed class TombstoneTable(Database database)
{
    private readonly Statement _put = database.Prepare("INSERT INTO tombstones(mailbox, modseq, uid, checksum) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING");
    private readonly Statement _since = database.Prepare("SELECT uid, modseq, checksum FROM tombstones WHERE mailbox = ?1 AND modseq > ?2");
    private readonly HashSet<long> _counted = [];

    /// <summary>Notes that a message is gone; how many tombstones the mailbox has more: 0 or 1.</summary>
    internal int Put(long mailbox, ModSeq modSeq, Uid uid)
    {
        _put.Bind(1, mailbox).Bind(2, modSeq.Value).Bind(3, uid.Value).Bind(4, RowSum.Tombstone(mailbox, modSeq, uid)).Run();
        return database.Changes;
    }

    /// <summary>How many a mailbox has by their rows.</summary>
    internal long Count(long mailbox)
    {
        using Statement query = database.Prepare("SELECT count(*) FROM tombstones WHERE mailbox = ?1");
        return query.Bind(1, mailbox).Step() ? query.Int64(0) : 0;
    }

    /// <summary>The UIDs that went after a MODSEQ, in order. Those of a mailbox are counted before they are believed, once for each opening.</summary>
    internal List<Uid> Since(long mailbox, ModSeq since, long counted)
    {
        if (_counted.Add(mailbox) && Count(mailbox) is long found && found != counted)
            throw database.Damage($"A mailbox has {found} tombstones, and {counted} are counted.");
        List<Uid> uids = [];
        _since.Bind(1, mailbox).Bind(2, since.Value);
        try
        {
            while (_since.Step())
            {
                Uid uid = new((uint)_since.Int64(0));
                database.Hold(_since.Int64(2), RowSum.Tombstone(mailbox, new(_since.Int64(1)), uid), "tombstones");
                uids.Add(uid);
            }
        }
        finally
        {
            _since.Reset();
        }

        uids.Sort();
        return uids;
    }

    /// <summary>Forgets all but about so many of the newest: how many went, and the MODSEQ up to which none is known any more.</summary>
    internal (int Gone, ModSeq UpTo) Prune(long mailbox, long keep)
    {
        long upTo;
        using (Statement query = database.Prepare("SELECT modseq FROM tombstones WHERE mailbox = ?1 ORDER BY modseq DESC LIMIT 1 OFFSET ?2"))
            upTo = query.Bind(1, mailbox).Bind(2, keep).Step() ? query.Int64(0) : 0;
        using Statement remove = database.Prepare("DELETE FROM tombstones WHERE mailbox = ?1 AND modseq <= ?2");
        remove.Bind(1, mailbox).Bind(2, upTo).Run();
        return (database.Changes, new(upTo));
    }
}
