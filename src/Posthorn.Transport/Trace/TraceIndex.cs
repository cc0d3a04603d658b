using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Posthorn.Transport.Trace;

/// <summary>The index of a full file: keys in order, each with the offset of a line that has it. A damaged or missing one is no loss: the file is read instead.</summary>
internal static class TraceIndex
{
    private const int HeadSize = 24;
    private const int EntrySize = 12;

    private static ReadOnlySpan<byte> Magic => "PHTRIDX1"u8;

    /// <summary>One key of one line.</summary>
    public readonly record struct Entry(ulong Key, uint Offset) : IComparable<Entry>
    {
        public int CompareTo(Entry other) => Key != other.Key ? Key.CompareTo(other.Key) : Offset.CompareTo(other.Offset);
    }

    /// <summary>Octets of an index of so many entries.</summary>
    public static long SizeOf(int entries) => HeadSize + (long)entries * EntrySize;

    /// <summary>Writes the index of a file of <paramref name="length"/> octets; it appears as a whole.</summary>
    public static void Write(string path, List<Entry> entries, long length)
    {
        entries.Sort();
        byte[] octets = new byte[SizeOf(entries.Count)];
        Magic.CopyTo(octets);
        BinaryPrimitives.WriteInt64LittleEndian(octets.AsSpan(8), length);
        BinaryPrimitives.WriteInt32LittleEndian(octets.AsSpan(16), entries.Count);
        int at = HeadSize;
        foreach (Entry entry in CollectionsMarshal.AsSpan(entries))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(octets.AsSpan(at), entry.Key);
            BinaryPrimitives.WriteUInt32LittleEndian(octets.AsSpan(at + 8), entry.Offset);
            at += EntrySize;
        }
        string fresh = path + ".new";
        FileStreamOptions options = new() { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
        using (FileStream file = new(fresh, options)) file.Write(octets);
        File.Move(fresh, path, overwrite: true);
    }

    /// <summary>The offsets of lines with a key, by halving; null when there is no index that fits the file.</summary>
    public static List<uint>? Find(string path, ulong key, long length)
    {
        try
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path);
            Span<byte> head = stackalloc byte[HeadSize];
            if (RandomAccess.Read(file, head, 0) != HeadSize || !head.StartsWith(Magic) || BinaryPrimitives.ReadInt64LittleEndian(head[8..]) != length) return null;
            int count = BinaryPrimitives.ReadInt32LittleEndian(head[16..]);
            if (count < 0 || RandomAccess.GetLength(file) != SizeOf(count)) return null;
            return Collect(file, key, FirstAtLeast(file, key, count), count);
        }
        catch (FileNotFoundException) { return null; }
    }

    private static int FirstAtLeast(Microsoft.Win32.SafeHandles.SafeFileHandle file, ulong key, int count)
    {
        Span<byte> octets = stackalloc byte[8];
        int low = 0, high = count;
        while (low < high)
        {
            int middle = (int)(((long)low + high) / 2);
            RandomAccess.Read(file, octets, SizeOf(middle));
            if (BinaryPrimitives.ReadUInt64LittleEndian(octets) < key) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private static List<uint> Collect(Microsoft.Win32.SafeHandles.SafeFileHandle file, ulong key, int from, int count)
    {
        List<uint> offsets = [];
        byte[] octets = new byte[EntrySize * 64];
        while (from < count)
        {
            int read = RandomAccess.Read(file, octets.AsSpan(0, (int)Math.Min(octets.Length, (long)(count - from) * EntrySize)), SizeOf(from)) / EntrySize;
            if (read == 0) return offsets;
            for (int i = 0; i < read; i++)
            {
                if (BinaryPrimitives.ReadUInt64LittleEndian(octets.AsSpan(i * EntrySize)) != key) return offsets;
                offsets.Add(BinaryPrimitives.ReadUInt32LittleEndian(octets.AsSpan(i * EntrySize + 8)));
            }
            from += read;
        }
        return offsets;
    }
}
