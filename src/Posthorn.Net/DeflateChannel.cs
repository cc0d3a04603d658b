using System.IO.Compression;
using System.Net;

namespace Posthorn.Net;

/// <summary>Compression over another channel: raw deflate both ways, what is sent flushed at once (RFC 4978).</summary>
/// <remarks>Costs about 300 KiB for zlib's windows while it is open: it is for the client to ask for.</remarks>
public sealed class DeflateChannel : ByteChannel
{
    private readonly ByteChannel _below;
    private readonly DeflateStream _inflate;
    private readonly DeflateStream _deflate;
    private bool _mayHoldMore;

    public DeflateChannel(ByteChannel below)
    {
        _below = below;
        Stream stream = below.AsStream();
        _inflate = new(stream, CompressionMode.Decompress, leaveOpen: true);
        _deflate = new(stream, CompressionLevel.Fastest, leaveOpen: true);
    }

    public override EndPoint RemoteEndPoint => _below.RemoteEndPoint;
    public override EndPoint LocalEndPoint => _below.LocalEndPoint;

    public override async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        try
        {
            int read = await _inflate.ReadAsync(buffer, cancel);
            _mayHoldMore = read == buffer.Length;
            return read;
        }
        catch (InvalidDataException) { return 0; } // not deflate: as good as gone
        catch (IOException) { return 0; }
        catch (ObjectDisposedException) { return 0; }
    }

    public override async ValueTask WaitToReceiveAsync(CancellationToken cancel)
    {
        // zlib may hold more text than the last buffer took, though nothing more comes from the peer: waiting for it would be for ever.
        if (_mayHoldMore) return;
        try { _ = await _inflate.ReadAsync(Memory<byte>.Empty, cancel); }
        catch (InvalidDataException) { /* the next read sees it */ }
        catch (IOException) { /* the same */ }
        catch (ObjectDisposedException) { /* the same */ }
    }

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        try
        {
            await _deflate.WriteAsync(bytes, cancel);
            await _deflate.FlushAsync(cancel);
        }
        catch (ObjectDisposedException e) { throw new IOException("The connection is closed.", e); }
    }

    public override Stream AsStream() => throw new NotSupportedException("Nothing is layered over compression.");
    public override void StopReceiving() => _below.StopReceiving();
    public override void Abort() => _below.Abort();

    public override async ValueTask DisposeAsync()
    {
        await _inflate.DisposeAsync();
        try { await _deflate.DisposeAsync(); }
        catch (IOException) { /* the peer left first */ }
        catch (ObjectDisposedException) { /* the same */ }
        await _below.DisposeAsync();
    }
}
