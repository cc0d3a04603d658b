using System.Buffers;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Store.Changes;

/// <summary>Writes the fields of a journal step. Its memory is the pool's: that of a COPY of ten thousand messages, grown by doubling, would have the runtime collect everything.</summary>
internal ref struct ChangeWriter(int capacity)
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(capacity);
    private int _length;

    internal void Byte(byte value)
    {
        Reserve(1);
        _bytes[_length++] = value;
    }

    /// <summary>A number as zigzag varint.</summary>
    internal void Number(long value)
    {
        Reserve(10);
        ulong rest = (ulong)(value << 1 ^ value >> 63);
        for (; rest >= 0x80; rest >>= 7) _bytes[_length++] = (byte)(rest | 0x80);
        _bytes[_length++] = (byte)rest;
    }

    /// <summary>ASCII behind its length, else UTF-16 behind the length's complement.</summary>
    internal void Text(string text)
    {
        // As units of UTF-16: names that are not UTF-8 on disk come as lone surrogates and must come back.
        if (!System.Text.Ascii.IsValid(text))
        {
            Number(~text.Length);
            Reserve(text.Length * 2);
            System.Runtime.InteropServices.MemoryMarshal.AsBytes(text.AsSpan()).CopyTo(_bytes.AsSpan(_length));
            _length += text.Length * 2;
            return;
        }

        Number(text.Length);
        Reserve(text.Length);
        _length += Encoding.ASCII.GetBytes(text, _bytes.AsSpan(_length));
    }

    internal void Bytes(ReadOnlySpan<byte> bytes)
    {
        Number(bytes.Length);
        Reserve(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
    }

    internal void Keywords(KeywordSet keywords)
    {
        Number(keywords.Count);
        foreach (Keyword keyword in keywords) Text(keyword.Name);
    }

    /// <summary>UIDs as differences: ten thousand in a row take as many bytes.</summary>
    internal void Uids(IReadOnlyList<Uid> uids)
    {
        Number(uids.Count);
        long last = 0;
        foreach (Uid uid in uids)
        {
            Number(uid.Value - last);
            last = uid.Value;
        }
    }

    /// <summary>What was written. Nothing can be written afterwards.</summary>
    internal byte[] End()
    {
        byte[] all = _bytes.AsSpan(0, _length).ToArray();
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        return all;
    }

    private void Reserve(int count)
    {
        if (_bytes.Length - _length >= count) return;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, _length + count));
        _bytes.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
