using System.Buffers;
using Posthorn.Journal;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>The bytes of one message of a record: its own header lines, then a range of the record's content.</summary>
internal sealed class MessageBytes(JournalContent content, Change.Store store) : IDisposable
{
    private byte[]? _joined;

    internal ReadOnlyMemory<byte> Prefix => store.Prefix;

    internal long Length => store.Length;

    internal long Octets => store.Octets;

    /// <summary>The part behind the prefix, when it lies in memory.</summary>
    internal bool TryGetMemory(out ReadOnlyMemory<byte> body)
    {
        if (!content.TryGetMemory(out body)) return false;
        body = body.Slice((int)store.Offset, (int)store.Length);
        return true;
    }

    internal int Read(long at, Memory<byte> into) => content.Read(store.Offset + at, into.Span[..(int)Math.Min(into.Length, store.Length - at)]);

    /// <summary>All in one piece.</summary>
    internal ReadOnlyMemory<byte> Whole
    {
        get
        {
            if (_joined is null && store.Prefix.IsEmpty && TryGetMemory(out ReadOnlyMemory<byte> body)) return body;
            if (_joined is not null) return _joined.AsMemory(0, (int)Octets);
            _joined = ArrayPool<byte>.Shared.Rent(checked((int)Octets));
            store.Prefix.CopyTo(_joined);
            int at = store.Prefix.Length;
            while (at < Octets)
            {
                int got = Read(at - store.Prefix.Length, _joined.AsMemory(at, (int)Octets - at));
                if (got <= 0) throw new EndOfStreamException("The message's content ended early.");
                at += got;
            }

            return _joined.AsMemory(0, (int)Octets);
        }
    }

    public void Dispose()
    {
        if (_joined is not null) ArrayPool<byte>.Shared.Return(_joined);
        _joined = null;
    }
}
