using System.Diagnostics.CodeAnalysis;
using Posthorn.Core;

namespace Posthorn.Store.Catalogue;

/// <summary>The sets of keywords that messages have, each once, and their numbers.</summary>
/// <remarks>Part of <see cref="AccountCatalogue"/>; the account's catalogue lock guards it.</remarks>
internal sealed class KeywordSets
{
    private readonly Database _database;
    private readonly Dictionary<long, KeywordSet> _sets = new() { [0] = KeywordSet.Empty };
    private readonly Dictionary<KeywordSet, long> _ids = new() { [KeywordSet.Empty] = 0 };

    private long _octets;

    internal KeywordSets(Database database)
    {
        _database = database;
        Load();
    }

    /// <summary>The set with a number.</summary>
    internal bool TryGet(long id, [NotNullWhen(true)] out KeywordSet? set) => _sets.TryGetValue(id, out set);

    /// <summary>Whether these sets can be had without all together taking more octets than may be.</summary>
    internal bool HasRoom(IReadOnlyCollection<KeywordSet> wanted, long most)
    {
        long more = 0;
        foreach (KeywordSet set in wanted)
            if (!_ids.ContainsKey(set)) more += set.ToString().Length;
        return more == 0 || _octets + more <= most;
    }

    /// <summary>Forgets the sets that no message has any more; it looks at all messages, as a search would.</summary>
    internal void DropUnused()
    {
        _database.Execute("DELETE FROM keyword_sets WHERE id NOT IN (SELECT keywords FROM messages)");
        Forget();
    }

    /// <summary>Whether any keyword could still be had. No lock is needed: it is told to clients, and only <see cref="HasRoom"/> decides.</summary>
    internal bool TakesAny(long most) => Volatile.Read(ref _octets) + Keyword.MaxLength <= most;

    private void Load()
    {
        using Statement query = _database.Prepare("SELECT id, names, checksum FROM keyword_sets");
        while (query.Step())
        {
            _database.Hold(query.Int64(2), RowSum.KeywordSet(query.Text(1)), "keyword_sets");
            KeywordSet set = KeywordSet.Of(query.Text(1).Split(' ').Where(name => Keyword.TryCreate(name, out _)).Select(name => Keyword.TryCreate(name, out Keyword keyword) ? keyword : default));
            _sets[query.Int64(0)] = set;
            _ids.TryAdd(set, query.Int64(0));
            _octets += query.Text(1).Length;
        }
    }

    internal long IdOf(KeywordSet keywords)
    {
        if (_ids.TryGetValue(keywords, out long id)) return id;
        using Statement put = _database.Prepare("INSERT INTO keyword_sets(names, checksum) VALUES(?1, ?2) ON CONFLICT(names) DO UPDATE SET names = ?1 RETURNING id");
        put.Bind(1, keywords.ToString()).Bind(2, RowSum.KeywordSet(keywords.ToString())).Step();
        id = put.Int64(0);
        put.Reset();
        // Should the transaction be rolled back, the row is written again under another number: forgotten in Forget.
        _ids[keywords] = id;
        _sets[id] = keywords;
        _octets += keywords.ToString().Length;
        return id;
    }

    /// <summary>What was learned is no longer true: after a rollback, or when rows are gone.</summary>
    internal void Forget()
    {
        _sets.Clear();
        _ids.Clear();
        _octets = 0;
        _sets[0] = KeywordSet.Empty;
        _ids[KeywordSet.Empty] = 0;
        Load();
    }
}
