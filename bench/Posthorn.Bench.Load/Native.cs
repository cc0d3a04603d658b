using System.Runtime.InteropServices;

namespace Posthorn.Bench.Load;

/// <summary>The few calls of libc that the driver lives on: one thread with epoll costs a third of what asynchronous sockets do.</summary>
internal static partial class Native
{
    internal const int EAgain = 11, EInProgress = 115, EIntr = 4;
    internal const uint EpollIn = 1, EpollOut = 4, EpollEdge = 1u << 31;
    internal const int EpollAdd = 1;

    private const int Inet = 2, Stream = 1, NonBlocking = 0x800, CloseOnExec = 0x80000, Tcp = 6, NoDelay = 1, NoSignal = 0x4000;

    // The kernel packs it on x86-64 and nowhere else; both have the data 4 or 8 bytes in.
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    internal struct PackedEvent
    {
        internal uint Events;
        internal int Data;
        internal int Rest;
    }

    /// <summary>A connection to a port of this machine, on its way.</summary>
    internal static unsafe int Connect(int port)
    {
        int descriptor = Socket(Inet, Stream | NonBlocking | CloseOnExec, 0);
        if (descriptor < 0) throw Failed("socket");
        int one = 1;
        _ = SetSockOpt(descriptor, Tcp, NoDelay, &one, sizeof(int));
        byte* address = stackalloc byte[16];
        new Span<byte>(address, 16).Clear();
        *(ushort*)address = Inet;
        (address[2], address[3]) = ((byte)(port >> 8), (byte)port);
        (address[4], address[7]) = (127, 1);
        if (ConnectTo(descriptor, address, 16) < 0 && Marshal.GetLastPInvokeError() != EInProgress) throw Failed("connect");
        return descriptor;
    }

    internal static unsafe int Send(int descriptor, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* p = bytes) return (int)SendBytes(descriptor, p, (nuint)bytes.Length, NoSignal);
    }

    internal static unsafe int Receive(int descriptor, Span<byte> into)
    {
        fixed (byte* p = into) return (int)ReceiveBytes(descriptor, p, (nuint)into.Length, 0);
    }

    internal static IOException Failed(string call) => new($"{call}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int domain, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static unsafe partial int ConnectTo(int descriptor, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static unsafe partial int SetSockOpt(int descriptor, int level, int name, int* value, int length);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static unsafe partial nint SendBytes(int descriptor, byte* bytes, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static unsafe partial nint ReceiveBytes(int descriptor, byte* bytes, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    internal static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    internal static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    internal static unsafe partial int EpollControl(int epoll, int operation, int descriptor, PackedEvent* e);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    internal static unsafe partial int EpollWait(int epoll, PackedEvent* events, int count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    internal static partial int Kill(int process, int signal);
}
