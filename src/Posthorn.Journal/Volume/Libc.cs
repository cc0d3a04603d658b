using System.Runtime.InteropServices;

namespace Posthorn.Journal.Volume;

/// <summary>The system calls that .NET does not offer, or offers without their errors. Layouts are those of 64-bit Linux.</summary>
internal static partial class Libc
{
    internal const int AtCwd = -100;
    internal const int ReadOnly = 0;
    internal const int ReadWrite = 2;
    internal const int Create = 0x40;
    internal const int Exclusive = 0x80;
    internal const int Truncate = 0x200;
    internal const int CloseOnExec = 0x80000;
    internal const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    internal const int RemoveDirectory = 0x200; // AT_REMOVEDIR
    internal const uint NoReplace = 1; // RENAME_NOREPLACE
    internal const uint BasicStats = 0x7FF;
    internal const int WriteAndSearch = 2 | 1; // W_OK, X_OK
    internal const int EffectiveIds = 0x200; // AT_EACCESS
    internal const int LockExclusiveNow = 2 | 4;

    internal const int EPerm = 1, ENoEnt = 2, EIntr = 4, EAgain = 11, EAcces = 13, EBusy = 16, EExist = 17, EXDev = 18, ENotDir = 20, EIsDir = 21, EInval = 22,
        ENFile = 23, EMFile = 24, ENoSpc = 28, ERoFs = 30, EMLink = 31, ENameTooLong = 36, ENoSys = 38, ENotEmpty = 39, EDQuot = 122;

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    internal static partial int OpenAt(int directory, ReadOnlySpan<byte> path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    internal static partial int FdDataSync(SafeHandle file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    internal static partial int FSync(SafeHandle file);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    internal static partial int SyncFs(SafeHandle file);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    internal static partial int FTruncate(SafeHandle file, long length);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    internal static partial int Flock(SafeHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    internal static partial int MkDirAt(int directory, ReadOnlySpan<byte> path, uint mode);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    internal static partial int UnlinkAt(int directory, ReadOnlySpan<byte> path, int flags);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true)]
    internal static partial int LinkAt(int oldDirectory, ReadOnlySpan<byte> oldPath, int newDirectory, ReadOnlySpan<byte> newPath, int flags);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    internal static partial int SymLinkAt(ReadOnlySpan<byte> target, int directory, ReadOnlySpan<byte> path);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    internal static partial nint ReadLinkAt(int directory, ReadOnlySpan<byte> path, Span<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true)]
    internal static partial int RenameAt2(int oldDirectory, ReadOnlySpan<byte> oldPath, int newDirectory, ReadOnlySpan<byte> newPath, uint flags);

    [LibraryImport("libc", EntryPoint = "faccessat", SetLastError = true)]
    internal static partial int FAccessAt(int directory, ReadOnlySpan<byte> path, int mode, int flags);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    internal static partial int UTimeNsAt(int directory, ReadOnlySpan<byte> path, ReadOnlySpan<TimeSpec> times, int flags);

    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    internal static partial nint GetDents(SafeHandle directory, Span<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    internal static partial int StatX(int directory, ReadOnlySpan<byte> path, int flags, uint mask, out StatXResult result);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    internal static partial int StatX(SafeHandle directory, ReadOnlySpan<byte> path, int flags, uint mask, out StatXResult result);

    [LibraryImport("libc", EntryPoint = "fstatvfs", SetLastError = true)]
    internal static partial int FStatVfs(SafeHandle file, out StatVfsResult result);

    [StructLayout(LayoutKind.Sequential)]
    internal struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    internal struct StatXResult
    {
        [FieldOffset(0x10)] public uint Links;
        [FieldOffset(0x1C)] public ushort Mode;
        [FieldOffset(0x20)] public ulong Inode;
        [FieldOffset(0x28)] public ulong Size;
        [FieldOffset(0x70)] public long ModifiedSeconds;
        [FieldOffset(0x78)] public uint ModifiedNanoseconds;
        [FieldOffset(0x88)] public uint DeviceMajor;
        [FieldOffset(0x8C)] public uint DeviceMinor;
    }

    [StructLayout(LayoutKind.Explicit, Size = 112)]
    internal struct StatVfsResult
    {
        [FieldOffset(8)] public ulong FragmentSize;
        [FieldOffset(32)] public ulong BlocksAvailable;
    }
}
