namespace Posthorn.Store.Catalogue;

/// <summary>When folders changed last that lay as the catalogue says, as it was seen when the account was closed in order.</summary>
/// <remarks>Part of <see cref="AccountCatalogue"/>; the account's catalogue lock guards it. The columns have no part in a row's checksum: a time that is wrong only leads to a look.</remarks>
internal sealed class FolderTimes(Database database)
{
    /// <summary>Notes them. False when they were noted before.</summary>
    internal bool Put(long mailbox, DateTimeOffset newTime, DateTimeOffset curTime)
    {
        using Statement put = database.Prepare("UPDATE mailboxes SET new_time = ?2, cur_time = ?3 WHERE id = ?1 AND (new_time <> ?2 OR cur_time <> ?3)");
        put.Bind(1, mailbox).Bind(2, newTime.UtcTicks).Bind(3, curTime.UtcTicks).Run();
        return database.Changes > 0;
    }

    internal List<(long Mailbox, DateTimeOffset NewTime, DateTimeOffset CurTime)> All()
    {
        List<(long, DateTimeOffset, DateTimeOffset)> times = [];
        using Statement query = database.Prepare("SELECT id, new_time, cur_time FROM mailboxes WHERE new_time > 0");
        while (query.Step()) times.Add((query.Int64(0), TimeOf(query.Int64(1)), TimeOf(query.Int64(2))));
        return times;
    }

    /// <summary>After an end that was not in order: what the disk undid does not show in every folder's time.</summary>
    internal void Forget()
    {
        using Statement forget = database.Prepare("UPDATE mailboxes SET new_time = 0, cur_time = 0 WHERE new_time > 0");
        forget.Run();
    }

    private static DateTimeOffset TimeOf(long ticks) => ticks > 0 && ticks <= DateTimeOffset.MaxValue.UtcTicks ? new(ticks, TimeSpan.Zero) : default;
}
