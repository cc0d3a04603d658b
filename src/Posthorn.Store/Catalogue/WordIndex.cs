using Posthorn.Core;
using Posthorn.Mime;
using Posthorn.Store.Search;

namespace Posthorn.Store.Catalogue;

/// <summary>What the index says of a needle.</summary>
/// <param name="Contents">The contents that may hold it.</param>
/// <param name="UpTo">Contents above this number are not indexed yet.</param>
internal sealed record WordHits(HashSet<long> Contents, long UpTo);

/// <summary>A content on its way into the index; without words when it cannot be indexed and is always read.</summary>
internal readonly record struct IndexedContent(long Content, EmailId Email, MessageWords? Words);

/// <summary>The word index of one account, a database file of its own: it may be lost and made anew at any time.</summary>
/// <remarks>
/// Two documents for each content, <c>2n</c> of its headers and <c>2n + 1</c> of its text. FTS5's own vocabulary table reads every posting to count it,
/// so the words stand once more in <c>terms</c>, which is read 20 times as fast. A word of a header may be in any of its fields, so <c>fields</c> has the texts of those
/// that are searched most, folded; one without a text may hold anything. Not for two threads at once: its owner's lock guards it.
/// </remarks>
internal sealed class WordIndex : IDisposable
{
    /// <summary>Changes when words are cut otherwise than before.</summary>
    private const long Version = 3;

    /// <summary>A piece that is in more words than this says too little.</summary>
    private const int MostTerms = 2_000;

    /// <summary>A piece that is in more documents than this says too little.</summary>
    private const int MostDocuments = 200_000;

    /// <summary>Words that are known to be in the table. 20,000: what ordinary mail is made of, a megabyte.</summary>
    private const int MostKnown = 20_000;

    private const string Tables = """
        CREATE TABLE meta(key INTEGER PRIMARY KEY, number INTEGER NOT NULL, text TEXT NOT NULL);
        CREATE TABLE documents(content INTEGER PRIMARY KEY, email TEXT NOT NULL);
        CREATE TABLE fields(field INTEGER NOT NULL, content INTEGER NOT NULL, text TEXT, PRIMARY KEY(field, content)) WITHOUT ROWID;
        CREATE TABLE unread(content INTEGER PRIMARY KEY);
        CREATE TABLE terms(term TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE VIRTUAL TABLE words USING fts5(text, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
        """;

    private readonly Database _database;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly Statement _putWords, _putDocument, _putTerm, _putField, _putUnread, _removeWords, _removeDocument, _removeFields, _removeUnread, _putMeta, _match, _field, _contains, _ends, _unread, _documents;

    internal WordIndex(string path)
    {
        _database = new(path);
        try
        {
            _database.SetUp();
            if (_database.Version != Version) Make();
            _putWords = _database.Prepare("INSERT INTO words(rowid, text) VALUES(?1, ?2)");
            _putDocument = _database.Prepare("INSERT INTO documents(content, email) VALUES(?1, ?2)");
            _putTerm = _database.Prepare("INSERT INTO terms(term) VALUES(?1) ON CONFLICT DO NOTHING");
            _putField = _database.Prepare("INSERT INTO fields(field, content, text) VALUES(?1, ?2, ?3)");
            _putUnread = _database.Prepare("INSERT INTO unread(content) VALUES(?1) ON CONFLICT DO NOTHING");
            _removeWords = _database.Prepare("DELETE FROM words WHERE rowid IN (2 * ?1, 2 * ?1 + 1)");
            _removeDocument = _database.Prepare("DELETE FROM documents WHERE content = ?1");
            _removeFields = _database.Prepare("DELETE FROM fields WHERE field IN (1, 2, 3, 4) AND content = ?1");
            _removeUnread = _database.Prepare("DELETE FROM unread WHERE content = ?1");
            _putMeta = _database.Prepare("INSERT INTO meta(key, number, text) VALUES(1, ?1, ?2) ON CONFLICT(key) DO UPDATE SET number = ?1, text = ?2");
            _match = _database.Prepare("SELECT rowid FROM words WHERE words MATCH ?1");
            _field = _database.Prepare("SELECT content FROM fields WHERE field = ?1 AND (text IS NULL OR instr(text, ?2) > 0)");
            _contains = _database.Prepare("SELECT term FROM terms WHERE instr(term, ?1) > 0");
            _ends = _database.Prepare("SELECT term FROM terms WHERE substr(term, -length(?1)) = ?1");
            _unread = _database.Prepare("SELECT content FROM unread");
            _documents = _database.Prepare("""
                SELECT content, email FROM documents WHERE content > ?1 AND content <= ?2
                UNION ALL SELECT content, '' FROM unread WHERE content > ?1 AND content <= ?2
                """);
            using Statement query = _database.Prepare("SELECT number, text FROM meta WHERE key = 1");
            if (query.Step()) (UpTo, Generation) = (query.Int64(0), query.Text(1));
        }
        catch
        {
            _database.Dispose();
            throw;
        }
    }

    /// <summary>The catalogue's generation to which its content numbers belong; empty when it is not compared with any yet.</summary>
    internal string Generation { get; private set; } = "";

    /// <summary>The highest content that is indexed; all below are too, or gone.</summary>
    internal long UpTo { get; private set; }

    /// <summary>Contents in it.</summary>
    internal long Count => _database.Number("SELECT count(*) FROM documents");

    /// <summary>Adds contents, in the order of their numbers, all or none.</summary>
    internal void Add(IReadOnlyList<IndexedContent> batch, long upTo) => Change(Generation, upTo, () =>
    {
        foreach (IndexedContent one in batch)
        {
            Remove(one.Content);
            if (one.Words is not { } words)
            {
                _putUnread.Bind(1, one.Content).Run();
                continue;
            }

            _putDocument.Bind(1, one.Content).Bind(2, one.Email.Value).Run();
            Put(one.Content * 2, words.Head);
            Put(one.Content * 2 + 1, words.Body);
            foreach (FieldText field in words.Fields) _putField.Bind(1, (long)field.Field).Bind(2, one.Content).Bind(3, field.Text).Run();
        }
    });

    /// <summary>Takes contents out.</summary>
    internal void Remove(IReadOnlyList<long> contents)
    {
        if (contents.Count > 0) Change(Generation, UpTo, () =>
        {
            foreach (long content in contents) Remove(content);
        });
    }

    /// <summary>It belongs to this generation now, indexed up to the number.</summary>
    internal void Settle(string generation, long upTo) => Change(generation, upTo, () => { });

    /// <summary>The contents in it above one number and up to another; without an EMAILID those that could not be indexed.</summary>
    internal Dictionary<long, EmailId> Documents(long above, long last)
    {
        Dictionary<long, EmailId> found = [];
        _documents.Bind(1, above).Bind(2, last);
        while (_documents.Step()) found[_documents.Int64(0)] = new(_documents.Text(1));
        return found;
    }

    /// <summary>The contents that could not be indexed.</summary>
    internal List<long> Unread()
    {
        List<long> found = [];
        while (_unread.Step()) found.Add(_unread.Int64(0));
        return found;
    }

    /// <summary>The contents that may hold the pieces of a needle; null when the index cannot tell.</summary>
    internal WordHits? Find(IReadOnlyList<WordPiece> pieces, TextScope scope)
    {
        HashSet<long>? rows = null;
        foreach (WordPiece piece in pieces)
        {
            if (With(piece, scope) is not { } some) continue;
            if (rows is null) rows = some;
            else rows.IntersectWith(some);
            if (rows.Count == 0) break;
        }

        if (rows is null) return null;
        HashSet<long> contents = [.. rows.Select(row => row >> 1)];
        contents.UnionWith(Unread());
        return new(contents, UpTo);
    }

    /// <summary>The contents that may hold a needle in one of the fields whose texts are kept.</summary>
    internal WordHits FindIn(KeptField field, string needle)
    {
        HashSet<long> contents = [.. Unread()];
        _field.Bind(1, (long)field).Bind(2, TextMatcher.Fold(needle));
        while (_field.Step()) contents.Add(_field.Int64(0));
        return new(contents, UpTo);
    }

    /// <summary>What is wrong with it; empty when nothing is.</summary>
    internal List<string> Verify()
    {
        List<string> wrong = [.. _database.Verify().Where(line => line != "ok")];
        if (wrong.Count == 0) _database.Execute("INSERT INTO words(words) VALUES('integrity-check')");
        return wrong;
    }

    public void Dispose() => _database.Dispose();

    private void Make()
    {
        _database.Execute(Database.BeginWriting);
        foreach (string table in (string[])["words", "terms", "fields", "unread", "documents", "meta"]) _database.Execute($"DROP TABLE IF EXISTS {table}");
        _database.Execute(Tables);
        _database.Version = Version;
        _database.Execute("COMMIT");
    }

    private void Change(string generation, long upTo, Action change)
    {
        _database.Execute(Database.BeginWriting);
        try
        {
            change();
            _putMeta.Bind(1, upTo).Bind(2, generation).Run();
            _database.Execute("COMMIT");
            (Generation, UpTo) = (generation, upTo);
        }
        catch
        {
            _known.Clear();
            if (_database.InTransaction) _database.Execute("ROLLBACK");
            throw;
        }
    }

    private void Put(long row, IReadOnlyList<string> words)
    {
        _putWords.Bind(1, row).Bind(2, string.Join(' ', words)).Run();
        foreach (string word in words)
        {
            if (_known.Contains(word)) continue;
            _putTerm.Bind(1, word).Run();
            if (_known.Count >= MostKnown) _known.Clear();
            _known.Add(word);
        }
    }

    private void Remove(long content)
    {
        _removeUnread.Bind(1, content).Run();
        _removeDocument.Bind(1, content).Run();
        if (_database.Changes == 0) return;
        _removeWords.Bind(1, content).Run();
        _removeFields.Bind(1, content).Run();
    }

    // The documents that have a word of the kind; null when there are too many for that to help.
    private HashSet<long>? With(WordPiece piece, TextScope scope)
    {
        HashSet<long> rows = [];
        if (piece.Match is PieceMatch.Is or PieceMatch.Begins) return Match(piece.Match == PieceMatch.Is ? $"\"{piece.Text}\"" : $"\"{piece.Text}\" *", scope, rows) ? rows : null;
        List<string> terms = [];
        Statement query = piece.Match == PieceMatch.Ends ? _ends : _contains;
        query.Bind(1, piece.Text);
        while (terms.Count <= MostTerms && query.Step()) terms.Add(query.Text(0));
        query.Reset();
        if (terms.Count > MostTerms) return null;
        return terms.All(term => Match($"\"{term}\"", scope, rows)) ? rows : null;
    }

    private bool Match(string expression, TextScope scope, HashSet<long> rows)
    {
        _match.Bind(1, expression);
        while (_match.Step())
        {
            long row = _match.Int64(0);
            if (scope == TextScope.All || scope == TextScope.Body == ((row & 1) != 0)) rows.Add(row);
            if (rows.Count <= MostDocuments) continue;
            _match.Reset();
            return false;
        }

        return true;
    }
}
