using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Posthorn.Transport.Queue;

/// <summary>Writes the fields of a queue record: little-endian numbers, and UTF-8 text after its length.</summary>
internal readonly struct PayloadWriter(IBufferWriter<byte> output)
{
    public void Byte(byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    public void Int32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(output.GetSpan(4), value);
        output.Advance(4);
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(output.GetSpan(8), value);
        output.Advance(8);
    }

    /// <summary>Text, or null.</summary>
    public void Text(string? value)
    {
        if (value is null)
        {
            Int32(-1);
            return;
        }
        int length = Encoding.UTF8.GetByteCount(value);
        Int32(length);
        Encoding.UTF8.GetBytes(value, output.GetSpan(length));
        output.Advance(length);
    }
}

/// <summary>Reads what <see cref="PayloadWriter"/> wrote. Keeps its first error; reads after it give defaults.</summary>
internal ref struct PayloadReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public bool Failed { get; private set; }

    /// <summary>Octets not read yet.</summary>
    public readonly int Left => _rest.Length;

    public byte Byte() => Take(1) is [byte value] ? value : (byte)0;

    public int Int32()
    {
        ReadOnlySpan<byte> four = Take(4);
        return four.IsEmpty ? 0 : BinaryPrimitives.ReadInt32LittleEndian(four);
    }

    public long Int64()
    {
        ReadOnlySpan<byte> eight = Take(8);
        return eight.IsEmpty ? 0 : BinaryPrimitives.ReadInt64LittleEndian(eight);
    }

    /// <summary>A count of things that take at least one octet each.</summary>
    public int Count()
    {
        int count = Int32();
        if (count >= 0 && count <= _rest.Length) return count;
        Failed = true;
        return 0;
    }

    public string? TextOrNull()
    {
        int length = Int32();
        return length == -1 ? null : Encoding.UTF8.GetString(Take(length));
    }

    public string Text() => TextOrNull() ?? "";

    private ReadOnlySpan<byte> Take(int count)
    {
        if (Failed || count < 0 || count > _rest.Length)
        {
            Failed = true;
            _rest = default;
            return default;
        }
        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
