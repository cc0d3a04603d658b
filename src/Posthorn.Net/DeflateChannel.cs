using System.Buffers;
using System.IO.Compression;
using System.Net;

namespace Posthorn.Net;

/// <summary>Compression over another channel: raw deflate both ways, what is sent flushed at once (RFC 4978).</summary>
/// <remarks>Costs about 300 KiB for zlib's windows while it is open: it is for the client to ask for. Each direction can end by itself, and what follows is clear (RFC 8437 section 4.1).</remarks>
public sealed class DeflateChannel : ByteChannel
{
    private readonly Source _source;
    private DeflateStream? _inflate;
    private DeflateStream? _deflate;
    private bool _mayHoldMore;

    public DeflateChannel(ByteChannel below)
    {
        Below = below;
        _source = new(below);
        _inflate = new(_source, CompressionMode.Decompress, leaveOpen: true);
        _deflate = new(below.AsStream(), CompressionLevel.Fastest, leaveOpen: true);
    }

    /// <summary>What it lies over.</summary>
    public ByteChannel Below { get; }

    /// <summary>Both directions have ended, and nothing clear waits here: it can be taken away.</summary>
    public bool IsOver => _deflate is null && _inflate is null && _source.Held == 0;

    public override EndPoint RemoteEndPoint => Below.RemoteEndPoint;
    public override EndPoint LocalEndPoint => Below.LocalEndPoint;

    /// <summary>Ends what is sent compressed; what the peer sends is read so until it ends that as well.</summary>
    /// <exception cref="IOException">The connection is lost.</exception>
    public async ValueTask EndSendingAsync()
    {
        if (_deflate is not { } deflate) return;
        _deflate = null;
        await deflate.DisposeAsync();
    }

    public override async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        if (_inflate is null) return await _source.ReceiveClearAsync(buffer, cancel);
        try
        {
            int read = await InflateAsync(_inflate, buffer, cancel);
            _mayHoldMore = read == buffer.Length;
            if (read > 0 || _deflate is not null || _source.IsAtEnd || _source.IsEndUnknown) return read;
        }
        catch (InvalidDataException) { return 0; } // not deflate: as good as gone
        catch (IOException) { return 0; }
        catch (ObjectDisposedException) { return 0; }

        // The peer's compressed data ended: what follows is clear.
        await _inflate.DisposeAsync();
        _inflate = null;
        return await _source.ReceiveClearAsync(buffer, cancel);
    }

    // All that has come, as far as there is room: octets go in one by one where the data may end.
    private async ValueTask<int> InflateAsync(DeflateStream inflate, Memory<byte> buffer, CancellationToken cancel)
    {
        int read = 0;
        do
        {
            _source.MayWait = read == 0;
            int more = await inflate.ReadAsync(buffer[read..], cancel);
            if (more == 0) break;
            read += more;
        }
        while (read < buffer.Length && _source.Held > 0);
        return read;
    }

    public override async ValueTask WaitToReceiveAsync(CancellationToken cancel)
    {
        // zlib may hold more text than the last buffer took, though nothing more comes from the peer: waiting for it would be for ever.
        if (_mayHoldMore || _source.Held > 0) return;
        if (_inflate is null)
        {
            await Below.WaitToReceiveAsync(cancel);
            return;
        }

        _source.MayWait = true;
        try { _ = await _inflate.ReadAsync(Memory<byte>.Empty, cancel); }
        catch (InvalidDataException) { /* the next read sees it */ }
        catch (IOException) { /* the same */ }
        catch (ObjectDisposedException) { /* the same */ }
    }

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        if (_deflate is null)
        {
            await Below.SendAsync(bytes, cancel);
            return;
        }

        try
        {
            await _deflate.WriteAsync(bytes, cancel);
            await _deflate.FlushAsync(cancel);
        }
        catch (ObjectDisposedException e) { throw new IOException("The connection is closed.", e); }
    }

    public override bool ExpectsMore
    {
        get => Below.ExpectsMore;
        set => Below.ExpectsMore = value;
    }

    public override Stream AsStream() => throw new NotSupportedException("Nothing is layered over compression.");
    public override void StopReceiving() => Below.StopReceiving();
    public override void Abort() => Below.Abort();

    public override async ValueTask DisposeAsync()
    {
        if (_inflate is not null) await _inflate.DisposeAsync();
        await _source.DisposeAsync();
        try { await EndSendingAsync(); }
        catch (IOException) { /* the peer left first */ }
        catch (ObjectDisposedException) { /* the same */ }
        await Below.DisposeAsync();
    }

    /// <summary>What comes from below, handed to zlib so that it takes nothing beyond the end of its data: a <see cref="DeflateStream"/> does not tell how much of its last piece it needed.</summary>
    private sealed class Source(ByteChannel below) : Stream
    {
        /// <summary>What is read at once.</summary>
        private const int Size = 8 * 1024;

        /// <summary>The end of what was read at once goes in octet by octet: clear commands that follow the end of compressed data are shorter. Long uploads keep most of their speed.</summary>
        private const int Tail = 1024;

        private byte[] _buffer = [];
        private int _start;
        private int _end;

        /// <summary>Octets that are here and not handed on.</summary>
        internal int Held => _end - _start;

        /// <summary>The peer has closed.</summary>
        internal bool IsAtEnd { get; private set; }

        /// <summary>Where the data ended would not be known: the last piece was large.</summary>
        internal bool IsEndUnknown { get; private set; }

        /// <summary>The next read may wait for the peer; else it ends when nothing is here.</summary>
        internal bool MayWait { get; set; } = true;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        /// <summary>What follows the compressed data.</summary>
        internal async ValueTask<int> ReceiveClearAsync(Memory<byte> buffer, CancellationToken cancel) =>
            Held > 0 ? Take(buffer, Math.Min(Held, buffer.Length)) : await below.ReceiveAsync(buffer, cancel);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Held == 0)
            {
                if (!MayWait) return 0;
                await below.WaitToReceiveAsync(cancellationToken);
                _buffer = ArrayPool<byte>.Shared.Rent(Size);
                (_start, _end) = (0, await below.ReceiveAsync(_buffer.AsMemory(0, Size), cancellationToken));
                IsAtEnd = Held == 0;
            }

            int count = Held > Tail ? Math.Min(Held - Tail, buffer.Length) : Math.Min(Held, 1);
            IsEndUnknown = count > 1;
            return Take(buffer, count);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Reads are asynchronous here.");
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void Flush() => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        private int Take(Memory<byte> into, int count)
        {
            _buffer.AsMemory(_start, count).CopyTo(into);
            _start += count;
            if (Held == 0) Release();
            return count;
        }

        private void Release()
        {
            if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
            (_buffer, _start, _end) = ([], 0, 0);
        }
    }
}
