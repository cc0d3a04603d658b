using System.Buffers;
using Posthorn.Journal;
using Posthorn.Journal.Format;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>The bytes of one message of a record: as they were received (its own header lines, then a range of the record's content), and as its file has them, with LF where the record says so.</summary>
/// <remarks>The one place that turns what was received into what lies in a file: writing, writing again and comparing all ask here.</remarks>
internal sealed class MessageBytes(JournalContent content, Change.Store store) : IDisposable
{
    private const int Block = 128 * 1024;

    private byte[]? _joined, _converted;

    // Of the file's bytes, where it has LF: how many were given out, how many of those received they came from, and whether a CR waits for what follows it.
    private long _given, _taken;
    private bool _waiting;

    /// <summary>Octets as received.</summary>
    internal long Received => store.Received;

    /// <summary>Octets in the file.</summary>
    internal long Octets => store.Octets;

    /// <summary>The file's bytes in two pieces, the first perhaps empty, when the content lies in memory.</summary>
    internal bool TryGetFile(out ReadOnlyMemory<byte> first, out ReadOnlyMemory<byte> rest)
    {
        first = default;
        if (!content.TryGetMemory(out rest)) return false;
        rest = rest.Slice((int)store.Offset, (int)store.Length);
        if (!store.HasLf)
        {
            first = store.Prefix;
            return true;
        }

        if (_converted is null)
        {
            _converted = ArrayPool<byte>.Shared.Rent(checked((int)Received));
            store.Prefix.CopyTo(_converted);
            rest.CopyTo(_converted.AsMemory(store.Prefix.Length));
            if (LineEnds.ToLf(_converted.AsSpan(0, (int)Received)) != Octets) throw NotAsRecorded();
        }

        rest = _converted.AsMemory(0, (int)Octets);
        return true;
    }

    /// <summary>Reads the file's bytes piece by piece, from the front; 0 at the end. With LF there must be room for two octets, since a CR waits for what follows it.</summary>
    internal int ReadFile(long at, Memory<byte> into)
    {
        if (!store.HasLf) return ReadReceived(at, into.Span);
        if (at == 0) (_given, _taken, _waiting) = (0, 0, false);
        ArgumentOutOfRangeException.ThrowIfLessThan(into.Length, 2);
        if (at != _given) throw new InvalidOperationException("A file with LF is made from its front to its end.");
        Span<byte> text = into.Span;
        while (true)
        {
            int held = _waiting ? 1 : 0;
            if (_waiting) text[0] = (byte)'\r';
            int got = ReadReceived(_taken, text[held..]);
            int length = held + got;
            if (length == 0) break;
            _taken += got;
            // Only what follows says whether the last CR stays.
            _waiting = got > 0 && text[length - 1] == '\r';
            if (_waiting) length--;
            length = LineEnds.ToLf(text[..length]);
            _given += length;
            if (length > 0) return length;
        }

        if (_given != Octets) throw NotAsRecorded();
        return 0;
    }

    /// <summary>CRC-32C of the file's bytes.</summary>
    internal uint FileChecksum()
    {
        if (TryGetFile(out ReadOnlyMemory<byte> first, out ReadOnlyMemory<byte> rest)) return Crc32C.Append(Crc32C.Compute(first.Span), rest.Span);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Block);
        try
        {
            uint sum = 0;
            for (long at = 0; ReadFile(at, buffer) is > 0 and int got; at += got) sum = Crc32C.Append(sum, buffer.AsSpan(0, got));
            return sum;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>All that was received, in one piece.</summary>
    internal ReadOnlyMemory<byte> Whole
    {
        get
        {
            if (_joined is not null) return _joined.AsMemory(0, (int)Received);
            if (store.Prefix.IsEmpty && content.TryGetMemory(out ReadOnlyMemory<byte> all)) return all.Slice((int)store.Offset, (int)store.Length);
            _joined = ArrayPool<byte>.Shared.Rent(checked((int)Received));
            for (int at = 0; at < Received;)
            {
                int got = ReadReceived(at, _joined.AsSpan(at, (int)Received - at));
                if (got <= 0) throw new EndOfStreamException("The message's content ended early.");
                at += got;
            }

            return _joined.AsMemory(0, (int)Received);
        }
    }

    /// <summary>Reads what was received; 0 at the end.</summary>
    internal int ReadReceived(long at, Span<byte> into)
    {
        if (at < store.Prefix.Length)
        {
            ReadOnlySpan<byte> rest = store.Prefix.Span[(int)at..];
            int count = Math.Min(rest.Length, into.Length);
            rest[..count].CopyTo(into);
            return count;
        }

        at -= store.Prefix.Length;
        return at >= store.Length ? 0 : content.Read(store.Offset + at, into[..(int)Math.Min(into.Length, store.Length - at)]);
    }

    public void Dispose()
    {
        foreach (byte[]? rented in (ReadOnlySpan<byte[]?>)[_joined, _converted])
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        (_joined, _converted) = (null, null);
    }

    private static InvalidDataException NotAsRecorded() => new("A message has another length with LF than its record says.");
}
