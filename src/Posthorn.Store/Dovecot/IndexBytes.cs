using System.Buffers.Binary;
using System.Text;

namespace Posthorn.Store.Dovecot;

/// <summary>Reads little-endian numbers out of a file of Dovecot's that may be damaged: what lies outside is zero, and is remembered.</summary>
internal ref struct IndexBytes(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    internal readonly int Length => _bytes.Length;

    /// <summary>Whether something was asked for that is not there.</summary>
    internal bool Failed { get; private set; }

    internal byte Byte(long at) => Has(at, 1) ? _bytes[(int)at] : (byte)0;

    internal ushort Short(long at) => Has(at, 2) ? BinaryPrimitives.ReadUInt16LittleEndian(_bytes[(int)at..]) : (ushort)0;

    internal uint Number(long at) => Has(at, 4) ? BinaryPrimitives.ReadUInt32LittleEndian(_bytes[(int)at..]) : 0;

    internal ulong Long(long at) => Has(at, 8) ? BinaryPrimitives.ReadUInt64LittleEndian(_bytes[(int)at..]) : 0;

    internal ReadOnlySpan<byte> Slice(long at, long length) => Has(at, length) ? _bytes.Slice((int)at, (int)length) : default;

    /// <summary>A name: octets up to a zero or the end.</summary>
    internal string Text(long at, long length)
    {
        ReadOnlySpan<byte> text = Slice(at, length);
        int zero = text.IndexOf((byte)0);
        return Encoding.UTF8.GetString(zero < 0 ? text : text[..zero]);
    }

    internal static long Align(long value, int to) => (value + to - 1) / to * to;

    private bool Has(long at, long length)
    {
        bool has = at >= 0 && length >= 0 && at <= _bytes.Length && length <= _bytes.Length - at;
        Failed |= !has;
        return has;
    }
}
