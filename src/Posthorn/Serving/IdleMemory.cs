using System.Runtime.InteropServices;

namespace Posthorn.Serving;

/// <summary>Gives memory back to the system when a server has become quiet. What a busy hour needed, above all the page caches of accounts that are closed by now, neither the collector nor the C library returns by itself.</summary>
internal static partial class IdleMemory
{
    public static void GiveBack()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        try { _ = TrimHeap(0); }
        catch (EntryPointNotFoundException) { /* a C library without it, such as musl, keeps little */ }
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int TrimHeap(nuint keep);
}
