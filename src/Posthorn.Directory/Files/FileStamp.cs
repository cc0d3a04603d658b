using System.Runtime.InteropServices;

namespace Posthorn.Directory.Files;

/// <summary>What tells one content of a file from the next without reading it, and who owns it.</summary>
internal readonly record struct FileStamp(ulong Inode, ulong Size, long ModifiedTicks, long ChangedTicks, uint Owner, uint Group)
{
    private const int AtCurrentDirectory = -100;
    private const uint BasicStats = 0x7ff;

    /// <summary>Looks at a file; false when it cannot be seen.</summary>
    public static bool TryRead(string path, out FileStamp stamp)
    {
        stamp = default;
        // statx(2): the one call of that family whose structure is the same on every processor and libc.
        byte[] buffer = new byte[256];
        if (Libc.Statx(AtCurrentDirectory, path, 0, BasicStats, buffer) != 0) return false;
        ReadOnlySpan<byte> data = buffer;
        stamp = new(U64(data[32..]), U64(data[40..]), Time(data[112..]), Time(data[96..]), U32(data[20..]), U32(data[24..]));
        return true;
    }

    /// <summary>The time of the last change of content.</summary>
    public DateTimeOffset Modified => DateTimeOffset.UnixEpoch.AddTicks(ModifiedTicks);

    private static ulong U64(ReadOnlySpan<byte> at) => MemoryMarshal.Read<ulong>(at);
    private static uint U32(ReadOnlySpan<byte> at) => MemoryMarshal.Read<uint>(at);
    private static long Time(ReadOnlySpan<byte> at) => MemoryMarshal.Read<long>(at) * TimeSpan.TicksPerSecond + U32(at[8..]) / 100;
}
