using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Posthorn.Net;

/// <summary>Two directions of bytes: a socket, TLS over one, or a pipe in tests. One reader and one writer at a time.</summary>
public abstract class ByteChannel : IAsyncDisposable
{
    /// <summary>The other end; for a Unix socket a <see cref="UnixDomainSocketEndPoint"/>.</summary>
    public abstract EndPoint RemoteEndPoint { get; }

    /// <summary>This end.</summary>
    public abstract EndPoint LocalEndPoint { get; }

    /// <summary>Reads some bytes; 0 when the peer has closed or <see cref="StopReceiving"/> was called. A lost connection counts as closed.</summary>
    public abstract ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel);

    /// <summary>Completes when there is something to read, without a buffer.</summary>
    public abstract ValueTask WaitToReceiveAsync(CancellationToken cancel);

    /// <summary>Writes all bytes.</summary>
    /// <exception cref="IOException">The connection is lost.</exception>
    public abstract ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel);

    /// <summary>A stream over this channel for TLS to sit on; the channel stays the owner.</summary>
    public abstract Stream AsStream();

    /// <summary>Makes a waiting and every later read end with 0; writing still works. Callable from any thread.</summary>
    public abstract void StopReceiving();

    /// <summary>Breaks the connection at once; waiting reads and writes end. Callable from any thread.</summary>
    public abstract void Abort();

    /// <summary>The peer is in the middle of sending what nobody will read: closing waits a little for it to see why.</summary>
    public virtual bool ExpectsMore { get; set; }

    public abstract ValueTask DisposeAsync();
}

/// <summary>A connected socket.</summary>
public sealed class SocketChannel : ByteChannel
{
    /// <summary>The most that is thrown away of what a peer sends after our last word.</summary>
    private const int MaxLinger = 16 * 1024 * 1024;

    /// <summary>The longest time for that: enough for our last word to get anywhere and be read.</summary>
    private static readonly TimeSpan LingerTime = TimeSpan.FromSeconds(5);

    /// <summary>A peer that sends nothing for so long has paused. Longer than the first probe of a window that stood at zero (200 ms in Linux), for no news of a window goes out once receiving was stopped.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly Socket _socket;
    private volatile bool _aborted, _stopped;

    public SocketChannel(Socket socket)
    {
        _socket = socket;
        // Without it each handshake and small reply waits for the peer's delayed acknowledgement.
        if (socket.ProtocolType == ProtocolType.Tcp) socket.NoDelay = true;
        RemoteEndPoint = socket.RemoteEndPoint ?? new IPEndPoint(IPAddress.None, 0);
        LocalEndPoint = socket.LocalEndPoint ?? new IPEndPoint(IPAddress.None, 0);
    }

    public override EndPoint RemoteEndPoint { get; }
    public override EndPoint LocalEndPoint { get; }

    public override async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        try { return await _socket.ReceiveAsync(buffer, SocketFlags.None, cancel); }
        catch (SocketException) { return 0; }
        catch (ObjectDisposedException) { return 0; }
    }

    public override async ValueTask WaitToReceiveAsync(CancellationToken cancel)
    {
        try
        {
            await _socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, cancel);
        }
        catch (SocketException) { /* the next read sees the end */ }
        catch (ObjectDisposedException) { /* the same */ }
    }

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        try
        {
            while (bytes.Length > 0) bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, cancel)..];
        }
        catch (SocketException e) { throw new IOException(e.Message, e); }
        catch (ObjectDisposedException e) { throw new IOException("The connection is closed.", e); }
    }

    public override Stream AsStream() => new NetworkStream(_socket, ownsSocket: false);

    public override void StopReceiving()
    {
        _stopped = true;
        Shutdown(SocketShutdown.Receive);
    }

    public override void Abort()
    {
        _aborted = true;
        Shutdown(SocketShutdown.Both);
    }

    public override async ValueTask DisposeAsync()
    {
        if (!_aborted && _socket.ProtocolType == ProtocolType.Tcp && (ExpectsMore || HasUnread()) && !await LingerAsync()) Reset();
        _socket.Dispose();
    }

    private bool HasUnread()
    {
        try { return _socket.Available > 0; }
        catch (SocketException) { return false; }
        catch (ObjectDisposedException) { return false; }
    }

    // Closing over unread octets resets the connection, and a peer that is still sending then never reads our last word (RFC 1122 section 4.2.2.13).
    // Returns whether the peer has ended or paused.
    private async Task<bool> LingerAsync()
    {
        Shutdown(SocketShutdown.Send);
        using CancellationTokenSource end = new(LingerTime);
        byte[] nowhere = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            for (int left = MaxLinger; left > 0;)
            {
                int read = await ReceiveAsync(nowhere, end.Token);
                left -= read;
                if (read > 0) continue;
                if (!_stopped) return true;
                await Task.Delay(Pause, end.Token);
                if (!HasUnread()) return true;
            }
        }
        catch (OperationCanceledException) { /* it had its time */ }
        finally { ArrayPool<byte>.Shared.Return(nowhere); }
        return false;
    }

    // A peer that goes on after its time is told so at once: an ordinary close would leave it waiting a minute for room that never comes.
    private void Reset()
    {
        try { _socket.LingerState = new LingerOption(enable: true, seconds: 0); }
        catch (SocketException) { /* already gone */ }
        catch (ObjectDisposedException) { /* already gone */ }
    }

    private void Shutdown(SocketShutdown how)
    {
        try { _socket.Shutdown(how); }
        catch (SocketException) { /* already gone */ }
        catch (ObjectDisposedException) { /* already gone */ }
    }
}

/// <summary>A stream over another channel: TLS.</summary>
public sealed class StreamChannel(Stream stream, ByteChannel below) : ByteChannel
{
    public override EndPoint RemoteEndPoint => below.RemoteEndPoint;
    public override EndPoint LocalEndPoint => below.LocalEndPoint;

    public override async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        try { return await stream.ReadAsync(buffer, cancel); }
        catch (IOException) { return 0; }
        catch (ObjectDisposedException) { return 0; }
        catch (InvalidOperationException) { return 0; } // a TLS stream whose handshake state broke under it
    }

    public override async ValueTask WaitToReceiveAsync(CancellationToken cancel)
    {
        try { _ = await stream.ReadAsync(Memory<byte>.Empty, cancel); }
        catch (IOException) { /* the next read sees the end */ }
        catch (ObjectDisposedException) { /* the same */ }
        catch (InvalidOperationException) { /* the same */ }
    }

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        // One TLS record holds 16 KiB; larger writes stall with peers that delay acknowledgements.
        for (; bytes.Length > MaxRecord; bytes = bytes[MaxRecord..]) await WriteAsync(bytes[..MaxRecord], cancel);
        await WriteAsync(bytes, cancel);
    }

    public override bool ExpectsMore
    {
        get => below.ExpectsMore;
        set => below.ExpectsMore = value;
    }

    public override Stream AsStream() => stream;
    public override void StopReceiving() => below.StopReceiving();
    public override void Abort() => below.Abort();

    public override async ValueTask DisposeAsync()
    {
        try { await stream.DisposeAsync(); }
        catch (IOException) { /* the peer left without a goodbye */ }
        await below.DisposeAsync();
    }

    private const int MaxRecord = 16 * 1024;

    private async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        try { await stream.WriteAsync(bytes, cancel); }
        catch (ObjectDisposedException e) { throw new IOException("The connection is closed.", e); }
        catch (InvalidOperationException e) { throw new IOException(e.Message, e); }
    }
}
