using System.Text;
using Posthorn.Core;

namespace Posthorn.Store.Changes;

/// <summary>Writes the fields of a journal step.</summary>
internal ref struct ChangeWriter(int capacity)
{
    private byte[] _bytes = new byte[capacity];
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

    internal readonly byte[] ToArray() => _bytes.AsSpan(0, _length).ToArray();

    private void Reserve(int count)
    {
        if (_bytes.Length - _length < count) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + count));
    }
}
