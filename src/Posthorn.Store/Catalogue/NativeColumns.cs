using System.Runtime.InteropServices;

namespace Posthorn.Store.Catalogue;

/// <summary>SQLite's getters, called without the ceremony of a safe handle and a change of the collector's mode: they return at once, and a mailbox of a million messages asks ten million times.</summary>
internal static partial class NativeColumns
{
    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_column_int64")]
    [SuppressGCTransition]
    internal static partial long Int64(nint statement, int column);

    /// <summary>Where a blob or a text begins. Its column must not be asked for as another type, so that nothing is converted.</summary>
    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_column_blob")]
    [SuppressGCTransition]
    internal static partial nint Blob(nint statement, int column);

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_column_bytes")]
    [SuppressGCTransition]
    internal static partial int Length(nint statement, int column);
}
