using System.Buffers;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Store.Changes;

namespace Posthorn.Store.Engine;

/// <summary>A message's bytes from its file.</summary>
internal sealed class FileContent(IVolumeFile file, long length) : IMessageContent
{
    public long Length => length;

    /// <summary>As IMAP shows the message, whose file may have LF.</summary>
    internal static Result<IMessageContent> Of(IVolumeFile file, long octets, long wire)
    {
        FileContent bytes = new(file, octets);
        if (octets == wire) return bytes;
        return new CrlfContent(bytes, wire);
    }

    public int Read(long offset, Span<byte> into) => offset >= length ? 0 : file.Read(offset, into[..(int)Math.Min(into.Length, length - offset)]);

    public ValueTask DisposeAsync()
    {
        file.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>A message whose lines end in LF where it lies, given out with CRLF.</summary>
/// <remarks>Reads on from where the last read ended; going back starts from the front again. Nothing but one block is in memory.</remarks>
internal sealed class CrlfContent(IMessageContent source, long length) : IMessageContent
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
        while (written < into.Length)
        {
            if (_feedWaits)
            {
                Give("\n"u8, offset, into, ref written);
                _feedWaits = false;
                continue;
            }

            if (_taken == _have && !Fill()) break;
            ReadOnlySpan<byte> rest = _block.AsSpan(_taken, _have - _taken);
            int feed = rest.IndexOf((byte)'\n');
            if (feed == 0)
            {
                // The CR before it may have ended the last run.
                _taken++;
                _feedWaits = true;
                if (!_afterCr) Give("\r"u8, offset, into, ref written);
                _afterCr = false;
                continue;
            }

            int given = Give(rest[..(feed < 0 ? rest.Length : feed)], offset, into, ref written);
            _taken += given;
            _afterCr = rest[given - 1] == '\r';
        }

        return written;
    }

    public ValueTask DisposeAsync()
    {
        ArrayPool<byte>.Shared.Return(_block);
        return source.DisposeAsync();
    }

    private bool Fill()
    {
        (_have, _taken) = (source.Read(_next, _block), 0);
        _next += _have;
        return _have > 0;
    }

    // Steps over what lies before the offset, and copies what there is room for; how far it came. There is room for one octet at least.
    private int Give(ReadOnlySpan<byte> run, long offset, Span<byte> into, ref int written)
    {
        int skipped = (int)Math.Clamp(offset - _position, 0, run.Length);
        int copied = Math.Min(run.Length - skipped, into.Length - written);
        run.Slice(skipped, copied).CopyTo(into[written..]);
        written += copied;
        _position += skipped + copied;
        return skipped + copied;
    }
}

/// <summary>A message whose file could not be written yet, from the journal as it was received.</summary>
internal sealed class RecordContent(JournalContent content, Change.Store store) : IMessageContent
{
    private readonly MessageBytes _bytes = new(content, store);

    public long Length => _bytes.Received;

    public int Read(long offset, Span<byte> into)
    {
        int read = 0;
        while (read < into.Length && _bytes.ReadReceived(offset + read, into[read..]) is > 0 and int got) read += got;
        return read;
    }

    public ValueTask DisposeAsync()
    {
        _bytes.Dispose();
        return content.DisposeAsync();
    }
}
