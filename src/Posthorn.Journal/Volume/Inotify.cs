using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Posthorn.Journal.Volume;

/// <summary>The one inotify instance of the process, with one thread that reads it; both are made when the first directory is watched.</summary>
/// <remarks>Locking: <c>_gate</c> guards the watches. Those who are told are called outside it, on the reading thread: they must be quick.</remarks>
internal sealed partial class Inotify
{
    private const int CloseOnExec = 0x80000;
    private const uint CloseWrite = 0x8, MovedFrom = 0x40, MovedTo = 0x80, Created = 0x100, Deleted = 0x200, Overflow = 0x4000, Ignored = 0x8000, OnlyDirectory = 0x1000000;
    private const int EventHead = 16;

    private static readonly Lazy<Inotify?> One = new(Start);

    private readonly Lock _gate = new();
    private readonly Dictionary<int, List<Watch>> _watches = [];
    private readonly SafeFileHandle _handle;

    private Inotify(SafeFileHandle handle) => _handle = handle;

    /// <summary>Null where no watch can be had: the limit of the user is reached (<c>fs.inotify.max_user_watches</c>), or the directory is not there.</summary>
    internal static IDisposable? TryWatch(string directory, Action<VolumeEvent> changed) => One.Value?.Add(directory, changed);

    [LibraryImport("libc", EntryPoint = "inotify_init1", SetLastError = true)]
    private static partial int Init(int flags);

    [LibraryImport("libc", EntryPoint = "inotify_add_watch", SetLastError = true)]
    private static partial int AddWatch(SafeHandle instance, ReadOnlySpan<byte> path, uint mask);

    [LibraryImport("libc", EntryPoint = "inotify_rm_watch", SetLastError = true)]
    private static partial int RemoveWatch(SafeHandle instance, int watch);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(SafeHandle file, Span<byte> buffer, nuint length);

    private static Inotify? Start()
    {
        int descriptor = Init(CloseOnExec);
        if (descriptor < 0) return null;
        Inotify instance = new(new(descriptor, ownsHandle: true));
        // A blocking read for the life of the process: no pool thread may be kept for that.
        new Thread(instance.Run, 256 * 1024) { IsBackground = true, Name = "inotify" }.Start();
        return instance;
    }

    private Watch? Add(string directory, Action<VolumeEvent> changed)
    {
        lock (_gate)
        {
            int number = AddWatch(_handle, PathBytes.Encode(directory), CloseWrite | MovedFrom | MovedTo | Created | Deleted | OnlyDirectory);
            if (number < 0) return null;
            Watch watch = new(this, number, changed);
            if (!_watches.TryGetValue(number, out List<Watch>? same)) _watches.Add(number, same = []);
            same.Add(watch);
            return watch;
        }
    }

    private void Remove(Watch watch)
    {
        lock (_gate)
        {
            if (!_watches.TryGetValue(watch.Number, out List<Watch>? same) || !same.Remove(watch) || same.Count > 0) return;
            _watches.Remove(watch.Number);
            _ = RemoveWatch(_handle, watch.Number);
        }
    }

    private void Run()
    {
        byte[] buffer = new byte[64 * 1024];
        while (true)
        {
            int read = (int)Read(_handle, buffer, (nuint)buffer.Length);
            if (read < 0 && Marshal.GetLastPInvokeError() == Libc.EIntr) continue;
            if (read <= 0) return;
            for (int at = 0; at + EventHead <= read;)
            {
                // struct inotify_event: watch 4, mask 4, cookie 4, length 4, name filled up with zeros.
                ReadOnlySpan<byte> head = buffer.AsSpan(at);
                int number = BinaryPrimitives.ReadInt32LittleEndian(head);
                uint mask = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
                int length = BinaryPrimitives.ReadInt32LittleEndian(head[12..]);
                Tell(number, mask, head.Slice(EventHead, length).TrimEnd((byte)0));
                at += EventHead + length;
            }
        }
    }

    private void Tell(int number, uint mask, ReadOnlySpan<byte> name)
    {
        Watch[] told;
        lock (_gate)
        {
            if ((mask & Ignored) != 0) _watches.Remove(number); // the directory is gone
            told = (mask & Overflow) != 0 ? [.. _watches.Values.SelectMany(same => same)] : _watches.TryGetValue(number, out List<Watch>? same) ? [.. same] : [];
        }

        if (told.Length == 0) return;
        VolumeEvent change = new(name.IsEmpty ? null : PathBytes.Decode(name), (mask & (MovedFrom | Deleted)) != 0);
        foreach (Watch watch in told) watch.Changed(change);
    }

    private sealed class Watch(Inotify owner, int number, Action<VolumeEvent> changed) : IDisposable
    {
        internal int Number { get; } = number;
        internal Action<VolumeEvent> Changed { get; } = changed;
        public void Dispose() => owner.Remove(this);
    }
}
