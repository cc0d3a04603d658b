using Posthorn.Core;

namespace Posthorn.Store.Catalogue;

/// <summary>Where a message lies and how long it is.</summary>
/// <param name="DiskName">As in <see cref="FileRow"/>.</param>
/// <param name="Octets">Of the file.</param>
/// <param name="Wire">With CRLF line ends.</param>
internal readonly record struct MessagePlace(Uid Uid, string DiskName, long Octets, long Wire);

/// <summary>Reads what many messages of a mailbox have, neighbours in one walk over the tables: clients ask for a whole mailbox more often than for one message.</summary>
internal sealed class MessageScan(Database database, AccountCatalogue catalogue)
{
    /// <summary>UIDs that may be missing between two that are read in one walk.</summary>
    private const uint Gap = 8;

    private const string Message = "m.uid, m.modseq, m.flags, m.keywords, m.size, m.internal, m.zone, m.content, m.saved, m.checksum";
    private const string Content = "c.id, c.email, c.thread, c.record, c.part, c.octets, c.checksum";
    private const int ContentAt = 10, FactsAt = 17;

    private Statement? _summaries, _places;

    /// <summary>What is ready for the wire of some messages, in the order asked, without those that are gone.</summary>
    internal void Summaries(long mailbox, ReadOnlySpan<Uid> uids, SummaryFields fields, List<MessageSummary> into)
    {
        _summaries ??= database.Prepare($"""
            SELECT {Message}, {Content}, c.facts_checksum, c.envelope, c.body, c.extended, c.structure, c.preview, c.sort_keys
            FROM messages m LEFT JOIN contents c ON c.id = m.content WHERE m.mailbox = ?1 AND m.uid BETWEEN ?2 AND ?3 ORDER BY m.uid
            """);
        Walk(_summaries, mailbox, uids, row => into.Add(SummaryOf(row, mailbox, fields)));
    }

    /// <summary>The same of one message; null when it is gone.</summary>
    internal MessageSummary? Summary(long mailbox, Uid uid, SummaryFields fields)
    {
        List<MessageSummary> one = [];
        Summaries(mailbox, [uid], fields, one);
        return one.Count > 0 ? one[0] : null;
    }

    /// <summary>Where some messages lie; those whose files have no name yet are left out.</summary>
    internal void Places(long mailbox, ReadOnlySpan<Uid> uids, List<MessagePlace> into)
    {
        _places ??= database.Prepare($"""
            SELECT {Message}, {Content}, f.disk_name, f.base, f.checksum
            FROM messages m LEFT JOIN contents c ON c.id = m.content LEFT JOIN files f ON f.mailbox = m.mailbox AND f.uid = m.uid
            WHERE m.mailbox = ?1 AND m.uid BETWEEN ?2 AND ?3 ORDER BY m.uid
            """);
        Walk(_places, mailbox, uids, row =>
        {
            StoredRow stored = catalogue.RowOf(row, mailbox);
            HoldContent(row);
            string name = row.Text(FactsAt);
            database.Hold(row.Int64(FactsAt + 2), RowSum.File(mailbox, stored.Row.Uid, name, row.Text(FactsAt + 1)), "files");
            if (name.Length > 0) into.Add(new(stored.Row.Uid, name, row.Int64(ContentAt + 5), stored.Row.Size));
        });
    }

    private static void Walk(Statement query, long mailbox, ReadOnlySpan<Uid> uids, Action<Statement> take)
    {
        for (int start = 0; start < uids.Length;)
        {
            int end = start + 1;
            while (end < uids.Length && uids[end] > uids[end - 1] && uids[end].Value - uids[end - 1].Value <= Gap) end++;
            query.Bind(1, mailbox).Bind(2, uids[start].Value).Bind(3, uids[end - 1].Value);
            try
            {
                while (query.Step())
                {
                    uint uid = (uint)query.Int64(0);
                    while (start < end && uids[start].Value < uid) start++;
                    if (start < end && uids[start].Value == uid) take(query);
                }
            }
            finally
            {
                query.Reset();
            }

            start = end;
        }
    }

    private MessageSummary SummaryOf(Statement row, long mailbox, SummaryFields fields)
    {
        StoredRow stored = catalogue.RowOf(row, mailbox);
        HoldContent(row);
        RowSum sum = default(RowSum).Add(stored.Content);
        int kept = 0;
        for (int i = 0; i < 6; i++)
        {
            ReadOnlySpan<byte> fact = row.Bytes(FactsAt + 1 + i);
            sum = sum.Add(fact);
            if (IsWanted(fields, i)) kept += fact.Length;
        }

        database.Hold(row.Int64(FactsAt), sum.Value, "contents");
        // One array for all that is wanted.
        byte[] all = kept == 0 ? [] : GC.AllocateUninitializedArray<byte>(kept);
        int at = 0;
        bool ids = fields.HasFlag(SummaryFields.Ids);
        return new(stored.Row.Uid)
        {
            Envelope = Take(row, fields, 0, all, ref at),
            Body = Take(row, fields, 1, all, ref at),
            BodyStructure = Take(row, fields, 2, all, ref at),
            Structure = Take(row, fields, 3, all, ref at),
            Preview = Take(row, fields, 4, all, ref at),
            Sort = fields.HasFlag(SummaryFields.SortKeys) ? MessageFacts.ReadKeys(Take(row, fields, 5, all, ref at)) : null,
            EmailId = ids ? new(row.Text(ContentAt + 1)) : default,
            ThreadId = ids ? new(row.Text(ContentAt + 2)) : default,
            SaveDate = fields.HasFlag(SummaryFields.SaveDate) ? DateTimeOffset.FromUnixTimeMilliseconds(stored.Saved) : default,
        };
    }

    private static ReadOnlyMemory<byte> Take(Statement row, SummaryFields fields, int fact, byte[] into, ref int at)
    {
        if (!IsWanted(fields, fact)) return default;
        ReadOnlySpan<byte> bytes = row.Bytes(FactsAt + 1 + fact);
        bytes.CopyTo(into.AsSpan(at));
        at += bytes.Length;
        return into.AsMemory(at - bytes.Length, bytes.Length);
    }

    private static bool IsWanted(SummaryFields fields, int fact) => (fields & fact switch
    {
        0 => SummaryFields.Envelope,
        1 => SummaryFields.Body,
        2 => SummaryFields.BodyStructure,
        3 => SummaryFields.Structure,
        4 => SummaryFields.Preview,
        _ => SummaryFields.SortKeys,
    }) != 0;

    private void HoldContent(Statement row)
    {
        if (row.Int64(ContentAt) != row.Int64(7)) throw database.Damage("A message has no content row.");
        long sum = default(RowSum).Add(row.Int64(ContentAt)).AddText(row.Bytes(ContentAt + 1)).AddText(row.Bytes(ContentAt + 2))
            .Add(row.Int64(ContentAt + 3)).Add(row.Int64(ContentAt + 4)).Add(row.Int64(ContentAt + 5)).Value;
        database.Hold(row.Int64(ContentAt + 6), sum, "contents");
    }
}
