using System.Buffers.Binary;
using System.Numerics;

namespace Posthorn.Journal.Format;

/// <summary>CRC-32C (Castagnoli; RFC 3720 section 12.1), by the processor's own instruction, eight bytes at a time.</summary>
public static class Crc32C
{
    /// <summary>The checksum of a whole.</summary>
    public static uint Compute(ReadOnlySpan<byte> data) => Append(0, data);

    /// <summary>The checksum of what <paramref name="checksum"/> covers with <paramref name="data"/> behind it.</summary>
    public static uint Append(uint checksum, ReadOnlySpan<byte> data)
    {
        uint state = ~checksum;
        while (data.Length >= sizeof(ulong))
        {
            state = BitOperations.Crc32C(state, BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data[sizeof(ulong)..];
        }

        foreach (byte one in data) state = BitOperations.Crc32C(state, one);
        return ~state;
    }
}
