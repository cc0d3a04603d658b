using System.Runtime.InteropServices;

namespace Posthorn.Store.Catalogue;

/// <summary>SQLite's getter of numbers, called without the ceremony of a safe handle and a change of the collector's mode: it returns at once, and a mailbox of a million messages asks ten million times.</summary>
internal static partial class NativeColumns
{
    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_column_int64")]
    [SuppressGCTransition]
    internal static partial long Int64(nint statement, int column);
}
