using System.Buffers;
using System.Text;

namespace Posthorn.Net;

/// <summary>Bytes on their way out, gathered until <see cref="FlushAsync"/>. While it is empty it holds no memory.</summary>
public sealed class OutputBuffer : IBufferWriter<byte>
{
    /// <summary>Writers of long output flush when this much is gathered: larger chunks cost less CPU for each byte, up to about here.</summary>
    public const int LargeEnough = 48 * 1024;

    private const int InitialSize = 2048;
    private byte[] _buffer = [];
    private int _length;

    internal OutputBuffer(ByteChannel channel) => Channel = channel;

    internal ByteChannel Channel { get; set; }

    /// <summary>Set while a flush waits for the peer, for whoever watches deadlines.</summary>
    internal bool IsFlushing { get; set; }

    /// <summary>Octets gathered.</summary>
    public int Length => _length;

    /// <summary>True when a writer of long output should flush before it goes on.</summary>
    public bool IsLarge => _length >= LargeEnough;

    /// <summary>Octets sent so far over the whole connection.</summary>
    public long Sent { get; private set; }

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _buffer.Length - _length);
        _length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _buffer.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _buffer.AsSpan(_length);
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Ensure(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }

    /// <summary>Writes text as UTF-8.</summary>
    public void Write(ReadOnlySpan<char> text)
    {
        Ensure(Encoding.UTF8.GetMaxByteCount(text.Length));
        _length += Encoding.UTF8.GetBytes(text, _buffer.AsSpan(_length));
    }

    /// <summary>Writes a number in decimal.</summary>
    public void Write(long number)
    {
        Ensure(20);
        System.Buffers.Text.Utf8Formatter.TryFormat(number, _buffer.AsSpan(_length), out int written);
        _length += written;
    }

    /// <summary>Sends what was gathered and gives the memory back.</summary>
    /// <exception cref="IOException">The connection is lost.</exception>
    public async ValueTask FlushAsync(CancellationToken cancel)
    {
        if (_length == 0) return;
        IsFlushing = true;
        try
        {
            await Channel.SendAsync(_buffer.AsMemory(0, _length), cancel);
            Sent += _length;
        }
        finally
        {
            IsFlushing = false;
            Release();
        }
    }

    internal void Release()
    {
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _length = 0;
    }

    private void Ensure(int sizeHint)
    {
        int wanted = Math.Max(sizeHint, 1);
        if (_buffer.Length - _length >= wanted) return;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(Math.Max(InitialSize, _buffer.Length * 2), _length + wanted));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
