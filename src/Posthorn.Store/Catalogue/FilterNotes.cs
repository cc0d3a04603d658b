namespace Posthorn.Store.Catalogue;

/// <summary>What an account's filter remembers.</summary>
/// <remarks>Part of <see cref="AccountCatalogue"/>; the account's catalogue lock guards it.</remarks>
internal sealed class FilterNotes(Database database)
{
    /// <summary>Remembers something for the filter; the later time stays.</summary>
    internal void Remember(ReadOnlySpan<byte> id, long until)
    {
        using Statement put = database.Prepare("INSERT INTO filter_notes(id, until, checksum) VALUES(?1, ?2, ?3) ON CONFLICT(id) DO UPDATE SET until = ?2, checksum = ?3 WHERE filter_notes.until < ?2");
        put.Bind(1, id).Bind(2, until).Bind(3, RowSum.FilterNote(id, until)).Run();
    }

    /// <summary>Whether the filter remembers something at a time.</summary>
    internal bool Remembers(ReadOnlySpan<byte> id, long now)
    {
        using Statement query = database.Prepare("SELECT until, checksum FROM filter_notes WHERE id = ?1");
        if (!query.Bind(1, id).Step()) return false;
        long until = query.Int64(0);
        database.Hold(query.Int64(1), RowSum.FilterNote(id, until), "filter_notes");
        return until > now;
    }

    /// <summary>Forgets what has had its time, and of more than so many notes those that would go first.</summary>
    internal void Forget(long now, int limit)
    {
        using Statement expired = database.Prepare("DELETE FROM filter_notes WHERE until <= ?1");
        expired.Bind(1, now).Run();
        long excess = database.Number("SELECT count(*) FROM filter_notes") - limit;
        if (excess <= 0) return;
        using Statement first = database.Prepare("DELETE FROM filter_notes WHERE id IN (SELECT id FROM filter_notes ORDER BY until LIMIT ?1)");
        first.Bind(1, excess).Run();
    }

    /// <summary>All that the filter remembers, what goes first before the rest.</summary>
    internal List<(byte[] Id, long Until)> All()
    {
        List<(byte[], long)> notes = [];
        using Statement query = database.Prepare("SELECT id, until, checksum FROM filter_notes ORDER BY until");
        while (query.Step())
        {
            notes.Add((query.Blob(0), query.Int64(1)));
            database.Hold(query.Int64(2), RowSum.FilterNote(notes[^1].Item1, notes[^1].Item2), "filter_notes");
        }

        return notes;
    }
}
