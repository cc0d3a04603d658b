using System.Runtime.InteropServices;

namespace Posthorn.Store.Catalogue;

/// <summary>SQLite's calls that a row needs most, without the ceremony of a safe handle: the owner of the statement holds it.</summary>
internal static partial class NativeStatements
{
    /// <summary>Returns at once, so that the collector's mode need not change.</summary>
    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_bind_int64")]
    [SuppressGCTransition]
    internal static partial int Bind(nint statement, int index, long value);

    /// <summary>Reads and writes files.</summary>
    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_step")]
    internal static partial int Step(nint statement);

    /// <summary>May write files: it can end a transaction.</summary>
    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_reset")]
    internal static partial int Reset(nint statement);
}
