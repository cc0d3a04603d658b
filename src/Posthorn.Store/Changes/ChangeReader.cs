using System.Runtime.InteropServices;
using System.Text;
using Posthorn.Core;

namespace Posthorn.Store.Changes;

/// <summary>Reads the fields of a journal step.</summary>
internal struct ChangeReader(ReadOnlyMemory<byte> bytes)
{
    private int _at;

    internal byte Byte() => Take(1).Span[0];

    internal long Number()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Byte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return (long)(value >> 1) ^ -(long)(value & 1);
        }

        throw Damaged();
    }

    /// <summary>A number of things, each of which takes at least a byte.</summary>
    internal int Count()
    {
        long value = Number();
        return value is >= 0 and < int.MaxValue ? (int)value : throw Damaged();
    }

    internal Uid Uid() => new((uint)Number());

    internal string Text()
    {
        long length = Number();
        if (length < 0) return new string(MemoryMarshal.Cast<byte, char>(Take(checked((int)~length * 2)).Span));
        return Encoding.ASCII.GetString(Take(checked((int)length)).Span);
    }

    internal ReadOnlyMemory<byte> Bytes() => Take(Count());

    internal KeywordSet Keywords()
    {
        int count = Count();
        if (count == 0) return KeywordSet.Empty;
        List<Keyword> keywords = [];
        for (int i = 0; i < count; i++)
            if (Keyword.TryCreate(Text(), out Keyword keyword)) keywords.Add(keyword);
        return KeywordSet.Of(keywords);
    }

    internal Uid[] Uids()
    {
        Uid[] uids = new Uid[Count()];
        long last = 0;
        for (int i = 0; i < uids.Length; i++)
        {
            last += Number();
            uids[i] = new((uint)last);
        }

        return uids;
    }

    private ReadOnlyMemory<byte> Take(int count)
    {
        if (count < 0 || count > bytes.Length - _at) throw Damaged();
        ReadOnlyMemory<byte> taken = bytes.Slice(_at, count);
        _at += count;
        return taken;
    }

    private static InvalidDataException Damaged() => new("A journal record of the mail store ends too early.");
}
