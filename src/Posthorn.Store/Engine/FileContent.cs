using System.Buffers;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>A message's bytes from its file.</summary>
internal sealed class FileContent(IVolumeFile file, long length) : IMessageContent
{
    public long Length => length;

    public int Read(long offset, Span<byte> into) => offset >= length ? 0 : file.Read(offset, into[..(int)Math.Min(into.Length, length - offset)]);

    public ValueTask DisposeAsync()
    {
        file.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>A message whose lines end in LF on disk, given out with CRLF.</summary>
/// <remarks>Reads on from where the last read ended; going back starts from the front again. Nothing but one block is in memory.</remarks>
internal sealed class CrlfFileContent(IVolumeFile file, long length) : IMessageContent
{
    private readonly byte[] _block = ArrayPool<byte>.Shared.Rent(64 * 1024);
    private int _have, _taken;
    private long _next, _position;
    private bool _afterCr, _feedWaits;

    public long Length => length;

    public int Read(long offset, Span<byte> into)
    {
        if (offset < _position) (_have, _taken, _next, _position, _afterCr, _feedWaits) = (0, 0, 0, 0, false, false);
        int written = 0;
        while (written < into.Length && TryNext(out byte next))
        {
            if (_position++ >= offset) into[written++] = next;
        }

        return written;
    }

    public ValueTask DisposeAsync()
    {
        ArrayPool<byte>.Shared.Return(_block);
        file.Dispose();
        return ValueTask.CompletedTask;
    }

    private bool TryNext(out byte next)
    {
        next = (byte)'\n';
        if (_feedWaits)
        {
            _feedWaits = false;
            return true;
        }

        if (_taken == _have)
        {
            (_have, _taken) = (file.Read(_next, _block), 0);
            _next += _have;
            if (_have == 0) return false;
        }

        next = _block[_taken++];
        if (next == '\n' && !_afterCr)
        {
            _feedWaits = true;
            next = (byte)'\r';
        }

        _afterCr = next == '\r' && !_feedWaits;
        return true;
    }
}

/// <summary>A message whose file could not be written yet, from the journal.</summary>
internal sealed class RecordContent(JournalContent content, Change.Store store) : IMessageContent
{
    private readonly MessageBytes _bytes = new(content, store);

    public long Length => _bytes.Octets;

    public int Read(long offset, Span<byte> into)
    {
        ReadOnlySpan<byte> whole = _bytes.Whole.Span;
        if (offset >= whole.Length) return 0;
        int count = (int)Math.Min(into.Length, whole.Length - offset);
        whole.Slice((int)offset, count).CopyTo(into);
        return count;
    }

    public ValueTask DisposeAsync()
    {
        _bytes.Dispose();
        return content.DisposeAsync();
    }
}
