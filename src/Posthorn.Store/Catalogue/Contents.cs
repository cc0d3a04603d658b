using Posthorn.Core;

namespace Posthorn.Store.Catalogue;

/// <summary>What is kept about contents, each of which several messages may have: ready for the wire, conversations, where their bytes came from.</summary>
/// <remarks>Part of <see cref="AccountCatalogue"/>; the account's catalogue lock guards it.</remarks>
internal sealed class Contents
{
    private readonly AccountCatalogue _catalogue;
    private readonly Database _database;
    private readonly Statement _put, _get, _remove, _recordContents, _copiesOf, _getThread, _putThread;
    private long _last;

    internal Contents(AccountCatalogue catalogue, Database database)
    {
        (_catalogue, _database) = (catalogue, database);
        _put = _database.Prepare("""
            INSERT INTO contents(email, thread, record, part, octets, envelope, body, extended, structure, preview, sort_keys, id, checksum, facts_checksum)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
            """);
        _get = _database.Prepare("SELECT id, email, thread, record, part, octets, checksum FROM contents WHERE id = ?1");
        _remove = _database.Prepare("DELETE FROM contents WHERE id = ?1 AND NOT EXISTS(SELECT 1 FROM messages WHERE content = ?1)");
        // "record > 0" lets the planner see that the partial index serves.
        _recordContents = _database.Prepare("SELECT id FROM contents WHERE record = ?1 AND record > 0 AND part = ?2");
        _copiesOf = _database.Prepare("SELECT mailbox, uid FROM messages WHERE content = ?1");
        _getThread = _database.Prepare("SELECT thread, checksum FROM message_ids WHERE hash = ?1");
        _putThread = _database.Prepare("INSERT INTO message_ids(hash, thread, checksum) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING");
        _last = Math.Max(database.Number("SELECT max(id) FROM contents"), catalogue.Meta(MetaKey.LastContent).Number);
    }

    internal long Add(EmailId email, ThreadId thread, long record, int part, long octets, MessageFacts facts)
    {
        ContentRow row = new(++_last, email, thread, record, part, octets);
        byte[] sort = MessageFacts.Write(facts.Sort);
        _put.Bind(1, email.Value).Bind(2, thread.Value).Bind(3, record).Bind(4, part).Bind(5, octets)
            .Bind(6, facts.Envelope.Span).Bind(7, facts.Body.Span).Bind(8, facts.BodyStructure.Span).Bind(9, facts.Structure.Span)
            .Bind(10, facts.Preview.Span).Bind(11, sort).Bind(12, row.Id).Bind(13, RowSum.Content(row)).Bind(14, FactsSum(row.Id, facts, sort)).Run();
        return row.Id;
    }

    /// <summary>The content of an EMAILID, if there is one. For recovery: it looks at all.</summary>
    internal long? With(EmailId email)
    {
        using Statement query = _database.Prepare("SELECT id FROM contents WHERE email = ?1");
        return query.Bind(1, email.Value).Step() ? query.Int64(0) : null;
    }

    /// <summary>Corrects what is kept about a content.</summary>
    internal void Refresh(long id, long record, int part, long octets, MessageFacts facts)
    {
        using Statement change = _database.Prepare(
            "UPDATE contents SET record = ?2, part = ?3, octets = ?4, envelope = ?5, body = ?6, extended = ?7, structure = ?8, preview = ?9, sort_keys = ?10, checksum = ?11, facts_checksum = ?12 WHERE id = ?1");
        ContentRow row = Of(id) with { Record = record, Part = part, Octets = octets };
        byte[] sort = MessageFacts.Write(facts.Sort);
        change.Bind(1, id).Bind(2, record).Bind(3, part).Bind(4, octets).Bind(5, facts.Envelope.Span).Bind(6, facts.Body.Span).Bind(7, facts.BodyStructure.Span)
            .Bind(8, facts.Structure.Span).Bind(9, facts.Preview.Span).Bind(10, sort)
            .Bind(11, RowSum.Content(row)).Bind(12, FactsSum(id, facts, sort)).Run();
    }

    internal ContentRow Of(long id)
    {
        if (!_get.Bind(1, id).Step()) throw _database.Damage("A message has no content row.");
        ContentRow row = new(_get.Int64(0), new(_get.Text(1)), new(_get.Text(2)), _get.Int64(3), (int)_get.Int64(4), _get.Int64(5));
        long sum = _get.Int64(6);
        _get.Reset();
        _database.Hold(sum, RowSum.Content(row), "contents");
        return row;
    }

    /// <summary>The conversation of a message: that of the nearest message it refers to, else that of an answer that came before it, else its own (RFC 8474 section 5.2).</summary>
    /// <param name="given">The one that it has already, from elsewhere: it stays, and answers that come later join it.</param>
    internal ThreadId ThreadOf(SortKeys keys, EmailId email, ThreadId? given = null)
    {
        string? thread = given?.Value;
        for (int i = keys.References.Count - 1; i >= 0 && thread is null; i--) thread = ThreadOf(keys.References[i]);
        if (keys.MessageId.Length > 0) thread ??= ThreadOf(keys.MessageId);
        thread ??= email.Value;
        if (keys.MessageId.Length > 0) PutThread(keys.MessageId, thread);
        foreach (string reference in keys.References) PutThread(reference, thread);
        return new(thread);
    }

    private string? ThreadOf(string messageId)
    {
        long hash = AccountCatalogue.HashOf(messageId);
        if (!_getThread.Bind(1, hash).Step()) return null;
        (string thread, long sum) = (_getThread.Text(0), _getThread.Int64(1));
        _getThread.Reset();
        _database.Hold(sum, RowSum.MessageId(hash, thread), "message_ids");
        return thread;
    }

    private void PutThread(string messageId, string thread)
    {
        long hash = AccountCatalogue.HashOf(messageId);
        _putThread.Bind(1, hash).Bind(2, thread).Bind(3, RowSum.MessageId(hash, thread)).Run();
    }

    /// <summary>Removes a content when no message has it any more.</summary>
    internal void Remove(long id)
    {
        _remove.Bind(1, id).Run();
        if (_database.Changes == 0) return;
        Removed.Add(id);
        if (id == _last) _catalogue.SetMeta(MetaKey.LastContent, id, "");
    }

    /// <summary>The highest content number given.</summary>
    internal long Last => _last;

    /// <summary>Contents above a number, in order.</summary>
    internal List<ContentRow> Above(long id, int limit)
    {
        List<ContentRow> rows = [];
        using Statement query = _database.Prepare("SELECT id, email, thread, record, part, octets FROM contents WHERE id > ?1 ORDER BY id LIMIT ?2");
        query.Bind(1, id).Bind(2, limit);
        while (query.Step()) rows.Add(new(query.Int64(0), new(query.Text(1)), new(query.Text(2)), query.Int64(3), (int)query.Int64(4), query.Int64(5)));
        return rows;
    }

    /// <summary>The messages of a mailbox whose content is among these or above a number.</summary>
    internal HashSet<Uid> UidsWith(long mailbox, HashSet<long> contents, long above)
    {
        HashSet<Uid> uids = [];
        // "+" keeps the planner from walking the mailbox: the index on content has the few that are meant.
        using Statement query = _database.Prepare("SELECT uid, content FROM messages WHERE +mailbox = ?1 AND content > ?2");
        if (contents.Count > 2_000)
        {
            // So many that one walk is quicker.
            using Statement walk = _database.Prepare("SELECT uid, content FROM messages WHERE mailbox = ?1");
            walk.Bind(1, mailbox);
            while (walk.Step())
                if (walk.Int64(1) > above || contents.Contains(walk.Int64(1))) uids.Add(new((uint)walk.Int64(0)));
            return uids;
        }

        query.Bind(1, mailbox).Bind(2, above);
        while (query.Step()) uids.Add(new((uint)query.Int64(0)));
        foreach (long content in contents)
            foreach ((long other, Uid uid) in CopiesOf(content))
                if (other == mailbox) uids.Add(uid);
        return uids;
    }

    /// <summary>The content that a part of a record brought, if there still is one.</summary>
    internal long? OfRecord(long record, int part)
    {
        if (!_recordContents.Bind(1, record).Bind(2, part).Step()) return null;
        long id = _recordContents.Int64(0);
        _recordContents.Reset();
        return id;
    }

    /// <summary>All messages that have a content.</summary>
    internal List<(long Mailbox, Uid Uid)> CopiesOf(long content)
    {
        List<(long, Uid)> copies = [];
        _copiesOf.Bind(1, content);
        while (_copiesOf.Step()) copies.Add((_copiesOf.Int64(0), new((uint)_copiesOf.Int64(1))));
        return copies;
    }

    private static long FactsSum(long id, MessageFacts facts, byte[] sort) => default(RowSum).Add(id)
        .Add(facts.Envelope.Span).Add(facts.Body.Span).Add(facts.BodyStructure.Span).Add(facts.Structure.Span).Add(facts.Preview.Span).Add(sort).Value;

    /// <summary>The contents that are gone, for the word index.</summary>
    internal RemovedContents Removed { get; } = new();
}
