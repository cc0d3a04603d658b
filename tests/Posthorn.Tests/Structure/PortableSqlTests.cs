using System.Text.RegularExpressions;
using Posthorn.Testing.Stores;

namespace Posthorn.Tests.Structure;

/// <summary>The catalogue's SQL is plain: PostgreSQL, the second engine, takes it as it is. An interop test has the real one prepare it.</summary>
public sealed class PortableSqlTests
{
    /// <summary>What SQLite alone takes, or takes otherwise.</summary>
    private static readonly (string Pattern, string Instead)[] Foreign =
    [
        (@"\bPRAGMA\b", "a property of Database"),
        (@"\bVACUUM\b", "Database.Rewrite"),
        (@"\bBEGIN\s+(IMMEDIATE|EXCLUSIVE|DEFERRED)\b", "Database.BeginWriting"),
        (@"\bWITHOUT\s+ROWID\b", "nothing; the schema alone may say it"),
        (@"\bSTRICT\b\s*[;,]?\s*$", "nothing"),
        (@"\b(?<!WITHOUT\s+)(rowid|_rowid_|oid)\b", "a key of the table's own"),
        (@"\bAUTOINCREMENT\b", "a number that the program gives"),
        (@"\bINSERT\s+OR\b|^\s*REPLACE\b|\bUPDATE\s+OR\b", "ON CONFLICT"),
        (@"\bUSING\s+fts\d|\bMATCH\b|\bVIRTUAL\b", "the word index, which is a database of its own (ADR 9)"),
        (@"\b(ifnull|instr|glob|typeof|total|group_concat|hex|unhex|randomblob|random|strftime|julianday|datetime|unixepoch|changes|last_insert_rowid|printf|iif|json_each|likelihood|likely|unlikely)\s*\(", "a function that both have, or a computation in the program"),
        (@"\b(min|max)\s*\([^()]*,", "least or greatest do not exist in SQLite: compute it in the program"),
        (@"\bGLOB\b|\bREGEXP\b|\bCOLLATE\b|\bINDEXED\s+BY\b|\bNOT\s+INDEXED\b|\bISNULL\b|\bNOTNULL\b", "what the standard has"),
        (@"==|`|\[[a-z]", "= and plain names"),
        ("\"", "a text in single quotes"),
        (@"\bIS\s+(NOT\s+)?\?", "= and IS NULL"),
        (@"\bLIMIT\s+(-|\?\d+\s*,|\d+\s*,)", "LIMIT and OFFSET"),
        (@"\bFROM\s*\((?:[^()]|\([^()]*\))*\)\s*(?:\)|WHERE|ORDER|GROUP|LIMIT|;|$)", "a name behind the inner query, which PostgreSQL wants before version 16"),
        (@"(?<![\w.])\?(?!\d)", "?1, so that $1 can be made of it"),
        (@"\bx'[0-9a-fA-F]*'", "a parameter"),
        (@"\b(REAL|NUMERIC|DATETIME|TINYINT|INT|UNSIGNED|VARCHAR)\b", "INTEGER, TEXT or BLOB, of which BIGINT, TEXT and BYTEA are made"),
    ];

    /// <summary>Where a rule does not hold, and why.</summary>
    private static readonly (string File, string Pattern, string Reason)[] Exceptions =
    [
        ("Catalogue/Database.cs", @"\bPRAGMA\b|\bVACUUM\b|\bBEGIN\s+IMMEDIATE\b", "the one place that sets SQLite up; the other engine has a class of its own there"),
        ("Catalogue/Schema.cs", @"\bWITHOUT\s+ROWID\b", "a million rows load in half the time; it is dropped where the other engine makes its tables"),
        ("Catalogue/WordIndex.cs", ".", "FTS5 in a database of its own that may be thrown away; the other engine brings its own text search (ADR 9)"),
    ];

    [Fact]
    public void The_catalogue_says_nothing_that_PostgreSQL_would_not_take()
    {
        IReadOnlyList<SqlText> texts = CatalogueSql.Read();
        Assert.True(texts.Count > 90, $"only {texts.Count} texts of SQL were found");
        List<string> wrong = [];
        foreach (SqlText sql in texts) wrong.AddRange(Problems(sql));
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void SQL_stands_in_one_place() =>
        Assert.DoesNotContain(CatalogueSql.Read(), sql => !sql.File.StartsWith("Catalogue/", StringComparison.Ordinal));

    [Fact]
    public void No_exception_is_left_over()
    {
        IReadOnlyList<SqlText> texts = CatalogueSql.Read();
        foreach ((string file, string pattern, _) in Exceptions) Assert.Contains(texts, sql => sql.File == file && Regex.IsMatch(sql.Text, pattern));
    }

    [Theory]
    [InlineData("INSERT OR REPLACE INTO meta(key) VALUES(?1)")]
    [InlineData("SELECT rowid FROM files")]
    [InlineData("SELECT uid FROM files WHERE base GLOB ?1")]
    [InlineData("SELECT ifnull(max(id), 0) FROM contents")]
    [InlineData("SELECT max(uid, ?1) FROM files")]
    [InlineData("SELECT min(changed) FROM (SELECT changed FROM annotations LIMIT ?1)")]
    [InlineData("DELETE FROM acl WHERE rights = (SELECT min(rights) FROM (SELECT rights FROM acl))")]
    [InlineData("SELECT uid FROM files WHERE base = \"x\"")]
    [InlineData("SELECT uid FROM files WHERE uid == ?1")]
    [InlineData("SELECT uid FROM files WHERE uid = ?")]
    [InlineData("PRAGMA optimize")]
    [InlineData("CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT)")]
    [InlineData("CREATE TABLE t(a INTEGER PRIMARY KEY) WITHOUT ROWID")]
    public void What_SQLite_alone_takes_is_found(string sql) => Assert.NotEmpty(Problems(new("Catalogue/Contents.cs", 1, sql)));

    private static List<string> Problems(SqlText sql)
    {
        List<string> wrong = [];
        foreach ((string pattern, string instead) in Foreign)
        {
            foreach (Match match in Regex.Matches(sql.Text, pattern, RegexOptions.IgnoreCase))
                if (!Exceptions.Any(exception => exception.File == sql.File && Regex.IsMatch(match.Value, exception.Pattern, RegexOptions.IgnoreCase)))
                    wrong.Add($"{sql.File}:{sql.Line}: '{match.Value.Trim()}': PostgreSQL has no such thing; use {instead}");
        }

        return wrong;
    }
}
