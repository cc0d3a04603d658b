using System.IO.Pipelines;
using System.Net;
using Posthorn.Net;

namespace Posthorn.Testing;

/// <summary>One end of a connection that lives in memory. What this end reads comes in pieces as its split says.</summary>
public sealed class MemoryChannel : ByteChannel
{
    private readonly PipeReader _reader;
    private readonly PipeWriter _writer;
    private readonly ReadSplit _split;
    private volatile bool _stopped;

    private MemoryChannel(PipeReader reader, PipeWriter writer, ReadSplit split, EndPoint local, EndPoint remote)
    {
        (_reader, _writer, _split) = (reader, writer, split);
        (LocalEndPoint, RemoteEndPoint) = (local, remote);
    }

    public override EndPoint RemoteEndPoint { get; }
    public override EndPoint LocalEndPoint { get; }

    /// <summary>Makes both ends. Writers wait when the other end leaves more than <paramref name="window"/> octets unread.</summary>
    public static (MemoryChannel Client, MemoryChannel Server) Pair(ReadSplit serverReads, int window = 1024 * 1024, string clientAddress = "192.0.2.10")
    {
        PipeOptions options = new(pauseWriterThreshold: window, resumeWriterThreshold: window / 2, useSynchronizationContext: false);
        Pipe up = new(options), down = new(options);
        IPEndPoint client = new(IPAddress.Parse(clientAddress), 40000), server = new(IPAddress.Parse("192.0.2.1"), 25);
        return (new(down.Reader, up.Writer, ReadSplit.Whole, client, server), new(up.Reader, down.Writer, serverReads, server, client));
    }

    public override async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        if (_stopped) return 0;
        ReadResult result = await ReadAsync(cancel);
        int count = (int)Math.Min(Math.Min(result.Buffer.Length, buffer.Length), _split.Next());
        if (_stopped || result.Buffer.IsEmpty)
        {
            _reader.AdvanceTo(result.Buffer.Start);
            return 0;
        }
        System.Buffers.BuffersExtensions.CopyTo(result.Buffer.Slice(0, count), buffer.Span);
        _reader.AdvanceTo(result.Buffer.GetPosition(count));
        return count;
    }

    public override async ValueTask WaitToReceiveAsync(CancellationToken cancel)
    {
        if (_stopped) return;
        ReadResult result = await ReadAsync(cancel);
        _reader.AdvanceTo(result.Buffer.Start);
    }

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        FlushResult result;
        try { result = await _writer.WriteAsync(bytes, cancel); }
        catch (InvalidOperationException e) { throw new IOException("The connection is closed.", e); }
        if (result.IsCompleted || result.IsCanceled) throw new IOException("The peer has closed.");
    }

    public override Stream AsStream() => new ChannelStream(this);

    public override void StopReceiving()
    {
        _stopped = true;
        _reader.CancelPendingRead();
    }

    public override void Abort()
    {
        StopReceiving();
        _writer.CancelPendingFlush();
        _writer.Complete();
    }

    public override ValueTask DisposeAsync()
    {
        _writer.Complete();
        _reader.Complete();
        return ValueTask.CompletedTask;
    }

    /// <summary>Says that this end will write no more; it can still read.</summary>
    public void CloseWriting() => _writer.Complete();

    private async ValueTask<ReadResult> ReadAsync(CancellationToken cancel)
    {
        try { return await _reader.ReadAsync(cancel); }
        catch (InvalidOperationException) { return new(default, false, true); }
    }
}

/// <summary>A stream over a channel, for TLS.</summary>
internal sealed class ChannelStream(ByteChannel channel) : Stream
{
    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!buffer.IsEmpty) return await channel.ReceiveAsync(buffer, cancellationToken);
        await channel.WaitToReceiveAsync(cancellationToken);
        return 0;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => channel.SendAsync(buffer, cancellationToken);
    public override void Flush() { }
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
}
