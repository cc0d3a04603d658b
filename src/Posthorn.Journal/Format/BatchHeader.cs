using System.Buffers.Binary;

namespace Posthorn.Journal.Format;

/// <summary>The head of a batch: the records that one flush made durable. docs/formats.md has it byte by byte.</summary>
/// <param name="Salt">That of the segment.</param>
/// <param name="Epoch">That of the segment.</param>
/// <param name="FirstLsn">Its first record; the others follow without a gap.</param>
/// <param name="PreviousLsn">The last acknowledged record before it.</param>
/// <param name="Time">When it was written, in Unix milliseconds.</param>
/// <param name="Count">How many records.</param>
/// <param name="Body">Bytes behind this head, without the padding to the block.</param>
/// <param name="Offset">Where it stands in the segment.</param>
internal readonly record struct BatchHeader(ulong Salt, long Epoch, long FirstLsn, long PreviousLsn, long Time, int Count, int Body, long Offset)
{
    internal const int Length = 64;
    private const uint Magic = 0x31424850; // "PHB1"

    internal long LastLsn => FirstLsn + Count - 1;

    /// <summary>Where the next batch begins.</summary>
    internal long End => Blocks.Up(Offset + Length + Body);

    internal void Write(Span<byte> head)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(head, Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(head[8..], Salt);
        BinaryPrimitives.WriteInt64LittleEndian(head[16..], Epoch);
        BinaryPrimitives.WriteInt64LittleEndian(head[24..], FirstLsn);
        BinaryPrimitives.WriteInt64LittleEndian(head[32..], PreviousLsn);
        BinaryPrimitives.WriteInt64LittleEndian(head[40..], Time);
        BinaryPrimitives.WriteInt32LittleEndian(head[48..], Count);
        BinaryPrimitives.WriteInt32LittleEndian(head[52..], Body);
        BinaryPrimitives.WriteInt64LittleEndian(head[56..], Offset);
        BinaryPrimitives.WriteUInt32LittleEndian(head[4..], Crc32C.Compute(head[8..Length]));
    }

    /// <summary>Reads a head that belongs to this use of this segment and stands at its own place.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> head, in SegmentHeader segment, long offset, out BatchHeader header)
    {
        header = default;
        if (head.Length < Length || BinaryPrimitives.ReadUInt32LittleEndian(head) != Magic) return false;
        if (BinaryPrimitives.ReadUInt32LittleEndian(head[4..]) != Crc32C.Compute(head[8..Length])) return false;
        header = new(
            BinaryPrimitives.ReadUInt64LittleEndian(head[8..]),
            BinaryPrimitives.ReadInt64LittleEndian(head[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(head[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(head[32..]),
            BinaryPrimitives.ReadInt64LittleEndian(head[40..]),
            BinaryPrimitives.ReadInt32LittleEndian(head[48..]),
            BinaryPrimitives.ReadInt32LittleEndian(head[52..]),
            BinaryPrimitives.ReadInt64LittleEndian(head[56..]));
        return header.Salt == segment.Salt && header.Epoch == segment.Epoch && header.Offset == offset && header.FirstLsn > header.PreviousLsn
            && header.FirstLsn >= segment.FirstLsn && header.Count > 0 && header.Body > 0 && offset + Length + header.Body <= segment.Size;
    }
}
