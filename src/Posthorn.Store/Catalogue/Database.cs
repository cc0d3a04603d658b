using SQLitePCL;

namespace Posthorn.Store.Catalogue;

/// <summary>The catalogue's database failed.</summary>
internal sealed class CatalogueException(string message, int code) : MailUnavailableException(message, (code & 0xFF) is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB)
{
    /// <summary>SQLite's primary result code.</summary>
    public int Code { get; } = code & 0xFF;

    /// <summary>Whether the file is damaged, so that it must be rebuilt.</summary>
    public bool IsDamage => Code is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB;

    /// <summary>Whether the fault lies in the disk or the machine and not in the file: a full disk, no permission, no memory.</summary>
    public bool IsPassing => Code is raw.SQLITE_FULL or raw.SQLITE_IOERR or raw.SQLITE_CANTOPEN or raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_READONLY or raw.SQLITE_PERM or raw.SQLITE_NOMEM or raw.SQLITE_AUTH;
}

/// <summary>An open SQLite database. Not for two threads at once: its owner's lock guards it.</summary>
internal sealed class Database : IDisposable
{
    private readonly sqlite3 _handle;
    private readonly HashSet<Statement> _statements = [];
    private readonly string _path;

    static Database() => Batteries_V2.Init();

    internal Database(string path)
    {
        _path = path;
        int code = raw.sqlite3_open_v2(path, out _handle, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE | raw.SQLITE_OPEN_NOMUTEX, null);
        if (code == raw.SQLITE_OK) return;
        string reason = _handle is null ? "no memory" : raw.sqlite3_errmsg(_handle).utf8_to_string();
        _handle?.Dispose();
        throw new CatalogueException($"open {path}: {reason}", code);
    }

    internal Statement Prepare(string sql)
    {
        Check(raw.sqlite3_prepare_v3(_handle, sql, raw.SQLITE_PREPARE_PERSISTENT, out sqlite3_stmt statement), sql);
        Statement prepared = new(this, statement);
        _statements.Add(prepared);
        return prepared;
    }

    /// <summary>Begins a transaction that will write.</summary>
    internal const string BeginWriting = "BEGIN IMMEDIATE";

    /// <summary>Sets it up for one process that has it for as long as it is open: no shared memory file and no lock for each transaction. 256 KiB of pages: hundreds are open, and what is not here is in the system's cache.</summary>
    /// <param name="pagesInLog">After so many pages the log is copied into the database.</param>
    internal void SetUp(int pagesInLog = 1000) => Execute(string.Create(System.Globalization.CultureInfo.InvariantCulture,
        $"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = {pagesInLog}; PRAGMA cache_size = -256"));

    /// <summary>The version of the schema.</summary>
    internal long Version
    {
        get => Number("PRAGMA user_version");
        set => Execute(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"PRAGMA user_version = {value}"));
    }

    /// <summary>What the engine itself finds wrong; one line, <c>ok</c>, when that is nothing.</summary>
    internal List<string> Verify() => Texts("PRAGMA integrity_check");

    /// <summary>Copies the write-ahead log into the database, without waiting for anybody.</summary>
    internal void Fold() => Execute("PRAGMA wal_checkpoint(TRUNCATE)");

    /// <summary>Writes every page once more and makes them durable.</summary>
    internal void Rewrite()
    {
        Execute("PRAGMA temp_store = FILE"); // a large catalogue does not belong in memory
        Execute("VACUUM");
        Execute("PRAGMA temp_store = MEMORY");
        Fold();
    }

    /// <summary>Runs statements that return nothing.</summary>
    internal void Execute(string sql) => Check(raw.sqlite3_exec(_handle, sql), sql);

    /// <summary>The rows that the last statement inserted, changed or removed.</summary>
    internal int Changes => raw.sqlite3_changes(_handle);

    internal bool InTransaction => raw.sqlite3_get_autocommit(_handle) == 0;

    /// <summary>One number from one row.</summary>
    internal long Number(string sql)
    {
        using Statement statement = new(this, Prepared(sql));
        return statement.Step() ? statement.Int64(0) : 0;
    }

    /// <summary>The texts of the first column.</summary>
    internal List<string> Texts(string sql)
    {
        List<string> texts = [];
        using Statement statement = new(this, Prepared(sql));
        while (statement.Step()) texts.Add(statement.Text(0));
        return texts;
    }

    internal void Check(int code, string what)
    {
        if (code is raw.SQLITE_OK or raw.SQLITE_ROW or raw.SQLITE_DONE) return;
        string problem = $"{what}: {raw.sqlite3_errmsg(_handle).utf8_to_string()}";
        throw (code & 0xFF) is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB ? Damage(problem) : new CatalogueException(problem, code);
    }

    /// <summary>Whether anything in it was found to be wrong.</summary>
    internal bool IsDamaged { get; private set; }

    /// <summary>A file beside the database that says that it is damaged: who opens it next must not believe it.</summary>
    internal static string DamageMark(string path) => path + ".is-damaged";

    /// <summary>Holds a row to its checksum.</summary>
    internal void Hold(long found, long computed, string what)
    {
        if (found != computed) throw Damage($"A row of {what} does not have its checksum.");
    }

    /// <summary>Notes that something in it is wrong.</summary>
    internal CatalogueException Damage(string problem)
    {
        if (!IsDamaged)
        {
            IsDamaged = true;
            try
            {
                File.WriteAllText(DamageMark(_path), problem + "\n");
            }
            catch (Exception trouble) when (trouble is IOException or UnauthorizedAccessException)
            {
                // It will be found again.
            }
        }

        return new(problem, raw.SQLITE_CORRUPT);
    }

    public void Dispose()
    {
        foreach (Statement statement in _statements.ToArray()) statement.Dispose();
        _handle.Dispose();
    }

    internal void Forget(Statement statement) => _statements.Remove(statement);

    private sqlite3_stmt Prepared(string sql)
    {
        Check(raw.sqlite3_prepare_v2(_handle, sql, out sqlite3_stmt statement), sql);
        return statement;
    }
}

/// <summary>A prepared statement: bind from 1, step, read columns from 0.</summary>
internal sealed class Statement(Database database, sqlite3_stmt handle) : IDisposable
{
    // As long as it is not disposed, which its owner's lock sees to, the handle is valid.
    private nint Native => handle.IsClosed ? throw new ObjectDisposedException(nameof(Statement)) : handle.DangerousGetHandle();

    internal Statement Bind(int index, long value)
    {
        database.Check(NativeStatements.Bind(Native, index, value), "bind");
        return this;
    }

    /// <summary>Binds a text, or NULL.</summary>
    internal Statement Bind(int index, string? value)
    {
        database.Check(value is null ? raw.sqlite3_bind_null(handle, index) : raw.sqlite3_bind_text(handle, index, value), "bind");
        return this;
    }

    internal Statement Bind(int index, ReadOnlySpan<byte> value)
    {
        database.Check(raw.sqlite3_bind_blob(handle, index, value), "bind");
        return this;
    }

    /// <summary>True while there is a row; after the last one the statement is ready for its next use.</summary>
    internal bool Step()
    {
        nint statement = Native;
        int code = NativeStatements.Step(statement);
        if (code == raw.SQLITE_ROW) return true;
        _ = NativeStatements.Reset(statement);
        database.Check(code, "step");
        return false;
    }

    /// <summary>Runs a statement that returns nothing.</summary>
    internal void Run()
    {
        if (Step()) Reset();
    }

    /// <summary>Ends a query before its last row.</summary>
    internal void Reset() => _ = NativeStatements.Reset(Native);

    internal long Int64(int column) => NativeColumns.Int64(Native, column);

    internal string Text(int column) => System.Text.Encoding.UTF8.GetString(Bytes(column));

    /// <summary>A blob in place, valid until the next step.</summary>
    internal ReadOnlySpan<byte> Span(int column) => raw.sqlite3_column_blob(handle, column);

    /// <summary>A blob or a text in place, as it is stored; valid until the next step.</summary>
    internal unsafe ReadOnlySpan<byte> Bytes(int column)
    {
        nint row = Native;
        nint start = NativeColumns.Blob(row, column);
        return new((void*)start, NativeColumns.Length(row, column));
    }

    internal byte[] Blob(int column) => raw.sqlite3_column_blob(handle, column).ToArray();

    public void Dispose()
    {
        handle.Dispose();
        database.Forget(this);
    }
}
