using System.Buffers.Binary;

namespace Posthorn.Journal.Format;

/// <summary>The head of a segment: which use of the file this is, and where the part of the log before it ends. docs/formats.md has it byte by byte.</summary>
/// <param name="Sequence">The number of this use of a segment; it grows with each.</param>
/// <param name="Epoch">The run of the program that writes it.</param>
/// <param name="FirstLsn">No record in it is below.</param>
/// <param name="Salt">Drawn for each use and repeated in each batch, so that neither an older use nor a message can look like a batch.</param>
/// <param name="Checkpoint">The checkpoint that held when it was written.</param>
/// <param name="PreviousSequence">The segment before it; 0 for none.</param>
/// <param name="PreviousEnd">Where the acknowledged part of that one ends: what lies behind is void.</param>
/// <param name="PreviousLsn">The last acknowledged record before this segment.</param>
/// <param name="Size">Bytes of the file.</param>
/// <param name="Time">When it was written, in Unix milliseconds.</param>
internal readonly record struct SegmentHeader(
    long Sequence, long Epoch, long FirstLsn, ulong Salt, long Checkpoint, long PreviousSequence, long PreviousEnd, long PreviousLsn, int Size, long Time)
{
    internal const int Length = 128;
    internal const uint Version = 1;

    private static ReadOnlySpan<byte> Magic => "PHJRNSEG"u8;

    internal void Write(Span<byte> block)
    {
        block.Clear();
        Magic.CopyTo(block);
        BinaryPrimitives.WriteUInt32LittleEndian(block[12..], Version);
        BinaryPrimitives.WriteInt64LittleEndian(block[16..], Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(block[24..], Epoch);
        BinaryPrimitives.WriteInt64LittleEndian(block[32..], FirstLsn);
        BinaryPrimitives.WriteUInt64LittleEndian(block[40..], Salt);
        BinaryPrimitives.WriteInt64LittleEndian(block[48..], Checkpoint);
        BinaryPrimitives.WriteInt64LittleEndian(block[56..], PreviousSequence);
        BinaryPrimitives.WriteInt64LittleEndian(block[64..], PreviousEnd);
        BinaryPrimitives.WriteInt64LittleEndian(block[72..], PreviousLsn);
        BinaryPrimitives.WriteInt32LittleEndian(block[80..], Size);
        BinaryPrimitives.WriteInt32LittleEndian(block[84..], Blocks.Size);
        BinaryPrimitives.WriteInt64LittleEndian(block[88..], Time);
        BinaryPrimitives.WriteUInt32LittleEndian(block[8..], Crc32C.Compute(block[12..Length]));
    }

    /// <summary>Reads a head. False when there is none, or a damaged one.</summary>
    /// <exception cref="JournalException">A newer version wrote it.</exception>
    internal static bool TryRead(ReadOnlySpan<byte> block, string file, out SegmentHeader header)
    {
        header = default;
        if (block.Length < Length || !block.StartsWith(Magic)) return false;
        if (BinaryPrimitives.ReadUInt32LittleEndian(block[8..]) != Crc32C.Compute(block[12..Length])) return false;
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(block[12..]);
        int blockSize = BinaryPrimitives.ReadInt32LittleEndian(block[84..]);
        if (version != Version || blockSize != Blocks.Size)
            throw new JournalException($"{file}: the journal's format is version {version} with blocks of {blockSize} bytes; this program reads version {Version} with {Blocks.Size}. Start the version that wrote it, let it stop cleanly, and try again.");

        header = new(
            BinaryPrimitives.ReadInt64LittleEndian(block[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[32..]),
            BinaryPrimitives.ReadUInt64LittleEndian(block[40..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[48..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[56..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[64..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[72..]),
            BinaryPrimitives.ReadInt32LittleEndian(block[80..]),
            BinaryPrimitives.ReadInt64LittleEndian(block[88..]));
        return true;
    }
}

/// <summary>The unit in which the journal writes. A batch begins on a block, so no block with an acknowledged record is ever written again.</summary>
internal static class Blocks
{
    /// <summary>Bytes of a block: the page of the system and the physical sector of disks.</summary>
    internal const int Size = 4096;

    /// <summary>The next block's start.</summary>
    internal static long Up(long offset) => (offset + Size - 1) & ~(long)(Size - 1);

    /// <summary>The next multiple of eight.</summary>
    internal static int Eight(int length) => (length + 7) & ~7;
}
