using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Posthorn.Directory.Files;

/// <summary>The few calls of the C library that .NET has no door to.</summary>
internal static class Libc
{
    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;

    [DllImport("libc", EntryPoint = "statx", SetLastError = true, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern int StatxNative(int directory, byte[] path, int flags, uint mask, byte[] buffer);

    [DllImport("libc", EntryPoint = "chown", SetLastError = true)]
    private static extern int ChownNative(byte[] path, uint owner, uint group);

    [DllImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static extern int FlockNative(SafeFileHandle file, int operation);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static extern int FsyncNative(SafeFileHandle file);

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    private static extern int OpenNative(byte[] path, int flags);

    /// <summary>Opens a directory, which .NET does not; it can be locked and synced.</summary>
    public static SafeFileHandle OpenDirectory(string path)
    {
        const int readOnlyCloseOnExec = 0x80000;
        int descriptor = OpenNative(Text(path), readOnlyCloseOnExec);
        return descriptor >= 0 ? new(descriptor, ownsHandle: true) : throw new IOException($"Cannot open the folder {path}: error {Marshal.GetLastPInvokeError()}");
    }

    public static int Statx(int directory, string path, int flags, uint mask, byte[] buffer) => StatxNative(directory, Text(path), flags, mask, buffer);

    /// <summary>Gives a file to another user and group; false when that is not allowed.</summary>
    public static bool TryChown(string path, uint owner, uint group) => ChownNative(Text(path), owner, group) == 0;

    /// <summary>Takes an exclusive lock if nobody has one.</summary>
    public static bool TryLock(SafeFileHandle file) => FlockNative(file, LockExclusive | LockNonBlocking) == 0;

    /// <summary>Makes a directory's entries durable.</summary>
    public static void SyncDirectory(SafeFileHandle folder)
    {
        if (FsyncNative(folder) != 0) throw new IOException($"Cannot sync a folder: error {Marshal.GetLastPInvokeError()}");
    }

    private static byte[] Text(string path) => System.Text.Encoding.UTF8.GetBytes(path + "\0");
}
