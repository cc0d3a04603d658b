using System.Buffers;

namespace Posthorn.Net;

/// <summary>What has arrived and is not yet used. Grows to a bound; while it is empty it holds no memory.</summary>
public sealed class InputBuffer
{
    /// <summary>The first and usual size: a command and a small message's start.</summary>
    private const int InitialSize = 4096;

    private readonly int _limit;
    private byte[] _buffer = [];
    private int _start;
    private int _end;

    internal InputBuffer(ByteChannel channel, int limit) => (Channel, _limit) = (channel, limit);

    internal ByteChannel Channel { get; set; }

    /// <summary>The unused bytes. Valid until the next <see cref="FillAsync"/>.</summary>
    public ReadOnlySpan<byte> Span => _buffer.AsSpan(_start, _end - _start);

    /// <summary>The unused bytes. Valid until the next <see cref="FillAsync"/>.</summary>
    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(_start, _end - _start);

    public int Length => _end - _start;

    /// <summary>True when it holds as much as it may: the caller must use some before it fills again.</summary>
    public bool IsFull => Length >= _limit;

    /// <summary>Marks bytes as used.</summary>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Length);
        _start += count;
        if (_start == _end) _start = _end = 0;
    }

    /// <summary>Throws away what is unused (RFC 3207 section 4.2: nothing sent in clear survives STARTTLS).</summary>
    public void Clear() => _start = _end = 0;

    /// <summary>Reads some more; false when the peer has closed or the connection was stopped.</summary>
    /// <exception cref="InvalidOperationException">It is full.</exception>
    public async ValueTask<bool> FillAsync(CancellationToken cancel)
    {
        if (IsFull) throw new InvalidOperationException("The input buffer is full.");
        if (Length == 0)
        {
            Release();
            await Channel.WaitToReceiveAsync(cancel);
        }
        MakeRoom();
        int read = await Channel.ReceiveAsync(_buffer.AsMemory(_end, Math.Min(_buffer.Length - _end, _limit - Length)), cancel);
        _end += read;
        if (Length == 0) Release();
        return read > 0;
    }

    internal void Release()
    {
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _start = _end = 0;
    }

    private void MakeRoom()
    {
        if (_end < _buffer.Length) return;
        if (_start > _buffer.Length / 2)
        {
            Span.CopyTo(_buffer);
        }
        else
        {
            int size = Math.Max(InitialSize, Math.Min(_limit, _buffer.Length * 2));
            // Pooled arrays are powers of two: the bound is kept by the caller of ReceiveAsync.
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(size, Length + 1));
            Span.CopyTo(larger);
            if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
        _end -= _start;
        _start = 0;
    }
}
