using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Posthorn.Journal.Volume;

/// <summary>The real file system.</summary>
/// <remarks>Everything is made for the service user alone unless modes say otherwise; the umask applies too.</remarks>
public sealed class LinuxVolume(UnixFileMode fileMode, UnixFileMode directoryMode) : IVolume
{
    // 32 KiB, as glibc's readdir: some 800 names of a Maildir for each call.
    private const int ListBuffer = 32 * 1024;

    /// <summary>A volume whose files are made with mode 0600 and directories with 0700.</summary>
    public LinuxVolume()
        : this(UnixFileMode.UserRead | UnixFileMode.UserWrite, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute)
    {
    }

    public IVolumeFile Open(string path, VolumeOpen mode) => new LinuxFile(OpenHandle(path, mode switch
    {
        VolumeOpen.Read => Libc.ReadOnly,
        VolumeOpen.ReadWrite => Libc.ReadWrite,
        VolumeOpen.OpenOrCreate => Libc.ReadWrite | Libc.Create,
        VolumeOpen.CreateNew => Libc.ReadWrite | Libc.Create | Libc.Exclusive,
        VolumeOpen.Replace => Libc.ReadWrite | Libc.Create | Libc.Truncate,
        _ => throw new ArgumentOutOfRangeException(nameof(mode)),
    }), path);

    public void MakeDirectory(string path) => Check(Libc.MkDirAt(Libc.AtCwd, PathBytes.Encode(path), (uint)directoryMode), "mkdir", path);

    public void RemoveDirectory(string path) => Check(Libc.UnlinkAt(Libc.AtCwd, PathBytes.Encode(path), Libc.RemoveDirectory), "rmdir", path);

    public void Link(string existing, string name) =>
        Check(Libc.LinkAt(Libc.AtCwd, PathBytes.Encode(existing), Libc.AtCwd, PathBytes.Encode(name), 0), "link", name);

    public void Rename(string source, string target) =>
        Check(Libc.RenameAt2(Libc.AtCwd, PathBytes.Encode(source), Libc.AtCwd, PathBytes.Encode(target), 0), "rename", source);

    public void RenameNew(string source, string target)
    {
        if (Libc.RenameAt2(Libc.AtCwd, PathBytes.Encode(source), Libc.AtCwd, PathBytes.Encode(target), Libc.NoReplace) >= 0) return;
        int error = Marshal.GetLastPInvokeError();
        if (error != Libc.EInval) throw Failure(error, "rename", source);
        // NFS and some others do not know the flag (rename(2)). A look before must do; where it was something else that is invalid, it is so again.
        if (TryStat(target, out _)) throw Failure(Libc.EExist, "rename", source);
        Rename(source, target);
    }

    public void MakeSymbolicLink(string target, string name) =>
        Check(Libc.SymLinkAt(PathBytes.EncodeTarget(target), Libc.AtCwd, PathBytes.Encode(name)), "symlink", name);

    public bool TryReadLink(string path, out string target)
    {
        Span<byte> buffer = stackalloc byte[4096]; // PATH_MAX: no link holds more
        nint length = Libc.ReadLinkAt(Libc.AtCwd, PathBytes.Encode(path), buffer, (nuint)buffer.Length);
        if (length >= 0)
        {
            target = PathBytes.Decode(buffer[..(int)length]);
            return true;
        }

        int error = Marshal.GetLastPInvokeError();
        if (error is not (Libc.ENoEnt or Libc.ENotDir or Libc.EInval)) throw Failure(error, "readlink", path);
        target = "";
        return false;
    }

    public void Unlink(string path) => Check(Libc.UnlinkAt(Libc.AtCwd, PathBytes.Encode(path), 0), "unlink", path);

    public IReadOnlyList<VolumeEntry> List(string path, bool times)
    {
        using SafeFileHandle directory = OpenHandle(path, Libc.ReadOnly);
        List<VolumeEntry> entries = [];
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ListBuffer);
        try
        {
            while (true)
            {
                nint read = Libc.GetDents(directory, buffer, (nuint)ListBuffer);
                if (read < 0) throw Failure(Marshal.GetLastPInvokeError(), "list", path);
                if (read == 0) return entries;
                for (int at = 0; at < read;)
                {
                    // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name ended by zero.
                    ReadOnlySpan<byte> entry = buffer.AsSpan(at);
                    int length = BinaryPrimitives.ReadUInt16LittleEndian(entry[16..]);
                    ReadOnlySpan<byte> name = entry[19..length];
                    int zero = name.IndexOf((byte)0);
                    Add(entries, directory, BinaryPrimitives.ReadUInt64LittleEndian(entry), entry[18], name[..(zero + 1)], times);
                    at += length;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public bool TryStat(string path, out VolumeStat stat)
    {
        if (Libc.StatX(Libc.AtCwd, PathBytes.Encode(path), 0, Libc.BasicStats, out Libc.StatXResult result) == 0)
        {
            stat = From(result);
            return true;
        }

        int error = Marshal.GetLastPInvokeError();
        if (error is not (Libc.ENoEnt or Libc.ENotDir)) throw Failure(error, "stat", path);
        stat = default;
        return false;
    }

    public bool MayWrite(string directory) => Libc.FAccessAt(Libc.AtCwd, PathBytes.Encode(directory), Libc.WriteAndSearch, Libc.EffectiveIds) == 0;

    public void SetModified(string path, DateTimeOffset time)
    {
        long ticks = (time - DateTimeOffset.UnixEpoch).Ticks;
        (long seconds, long rest) = (Math.DivRem(ticks, TimeSpan.TicksPerSecond).Quotient, ticks % TimeSpan.TicksPerSecond);
        if (rest < 0) (seconds, rest) = (seconds - 1, rest + TimeSpan.TicksPerSecond);
        Libc.TimeSpec spec = new() { Seconds = seconds, Nanoseconds = rest * 100 };
        Check(Libc.UTimeNsAt(Libc.AtCwd, PathBytes.Encode(path), [spec, spec], 0), "utimes", path);
    }

    public void SyncDirectory(string path)
    {
        using SafeFileHandle directory = OpenHandle(path, Libc.ReadOnly);
        Retry(static file => Libc.FSync(file), directory, "sync", path);
    }

    public void SyncVolume(string path)
    {
        using SafeFileHandle file = OpenHandle(path, Libc.ReadOnly);
        Retry(static file => Libc.SyncFs(file), file, "syncfs", path);
    }

    public long FreeSpace(string path)
    {
        using SafeFileHandle file = OpenHandle(path, Libc.ReadOnly);
        Check(Libc.FStatVfs(file, out Libc.StatVfsResult result), "statvfs", path);
        UInt128 bytes = (UInt128)result.BlocksAvailable * result.FragmentSize;
        return bytes > long.MaxValue ? long.MaxValue : (long)bytes;
    }

    public IDisposable? Watch(string directory, Action<VolumeEvent> changed) => Inotify.TryWatch(directory, changed);

    internal static void Check(int result, string operation, string path)
    {
        if (result < 0) throw Failure(Marshal.GetLastPInvokeError(), operation, path);
    }

    internal static void Retry(Func<SafeFileHandle, int> call, SafeFileHandle file, string operation, string path)
    {
        while (call(file) < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error != Libc.EIntr) throw Failure(error, operation, path);
        }
    }

    internal static VolumeException Failure(int error, string operation, string path) => new(error switch
    {
        Libc.ENoSpc or Libc.EDQuot => VolumeError.NoSpace,
        Libc.ERoFs => VolumeError.ReadOnly,
        Libc.ENoEnt => VolumeError.Missing,
        Libc.EExist => VolumeError.Exists,
        Libc.EPerm or Libc.EAcces => VolumeError.Permission,
        Libc.ENotEmpty => VolumeError.NotEmpty,
        Libc.ENotDir => VolumeError.NotDirectory,
        Libc.EIsDir => VolumeError.IsDirectory,
        Libc.EXDev => VolumeError.OtherVolume,
        Libc.EMLink => VolumeError.TooManyLinks,
        Libc.ENameTooLong => VolumeError.NameTooLong,
        Libc.EBusy => VolumeError.Busy,
        Libc.EMFile or Libc.ENFile => VolumeError.TooManyFiles,
        Libc.EInval or Libc.ENoSys => VolumeError.Invalid,
        _ => VolumeError.Io,
    }, operation, path, Marshal.GetPInvokeErrorMessage(error));

    internal static VolumeStat From(in Libc.StatXResult result) => new(
        KindOf(result.Mode),
        (long)result.Size,
        DateTimeOffset.UnixEpoch.AddTicks(result.ModifiedSeconds * TimeSpan.TicksPerSecond + result.ModifiedNanoseconds / 100),
        result.Inode,
        (int)result.Links,
        (ulong)result.DeviceMajor << 32 | result.DeviceMinor);

    private static VolumeKind KindOf(ushort mode) => (mode & 0xF000) switch
    {
        0x8000 => VolumeKind.File,
        0x4000 => VolumeKind.Directory,
        0xA000 => VolumeKind.SymbolicLink,
        _ => VolumeKind.Other,
    };

    private static void Add(List<VolumeEntry> entries, SafeFileHandle directory, ulong inode, byte type, ReadOnlySpan<byte> name, bool times)
    {
        if (name is [(byte)'.', 0] or [(byte)'.', (byte)'.', 0]) return;

        // Some file systems do not tell the type (DT_UNKNOWN).
        VolumeKind kind = type switch { 8 => VolumeKind.File, 4 => VolumeKind.Directory, 10 => VolumeKind.SymbolicLink, _ => VolumeKind.Other };
        DateTimeOffset modified = default;
        if (times || type == 0)
        {
            // A name that went away between the two calls is not listed.
            if (Libc.StatX(directory, name, Libc.NoFollow, Libc.BasicStats, out Libc.StatXResult result) != 0) return;
            (kind, modified) = (KindOf(result.Mode), From(result).Modified);
        }

        entries.Add(new(PathBytes.Decode(name[..^1]), kind, inode, modified));
    }

    private SafeFileHandle OpenHandle(string path, int flags)
    {
        byte[] name = PathBytes.Encode(path);
        while (true)
        {
            int descriptor = Libc.OpenAt(Libc.AtCwd, name, flags | Libc.CloseOnExec, (uint)fileMode);
            if (descriptor >= 0) return new(descriptor, ownsHandle: true);
            int error = Marshal.GetLastPInvokeError();
            if (error != Libc.EIntr) throw Failure(error, "open", path);
        }
    }
}
