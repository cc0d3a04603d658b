using System.Buffers;

namespace Posthorn.Net;

/// <summary>What has arrived and is not yet used. Grows to a bound; while it is empty it holds no memory.</summary>
public sealed class InputBuffer
{
    /// <summary>The first and usual size: a command and a small message's start.</summary>
    private const int InitialSize = 4096;

    /// <summary>The size that a stream of data comes to, so that each read takes much: 64 KiB is what the kernel hands out at once.</summary>
    private const int StreamSize = 64 * 1024;

    private readonly int _limit;
    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private int _size = InitialSize;
    private volatile bool _isStopped;

    internal InputBuffer(ByteChannel channel, int limit) => (Channel, _limit) = (channel, limit);

    internal ByteChannel Channel { get; set; }

    /// <summary>The unused bytes. Valid until the next <see cref="FillAsync"/>.</summary>
    public ReadOnlySpan<byte> Span => _buffer.AsSpan(_start, _end - _start);

    /// <summary>The unused bytes. Valid until the next <see cref="FillAsync"/>.</summary>
    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(_start, _end - _start);

    public int Length => _end - _start;

    /// <summary>Set while the peer is expected to go on at once, as within a transaction: the buffer is kept meanwhile, which saves three calls of the system for each wait.</summary>
    public bool IsBusy { get; set; }

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
        if (_isStopped) return false;
        // Who waits long holds at most a small buffer, and outside a transaction none.
        if (Length == 0 && !(IsBusy && _buffer.Length <= InitialSize))
        {
            Release();
            await Channel.WaitToReceiveAsync(cancel);
        }
        MakeRoom();
        int room = Math.Min(_buffer.Length - _end, _limit - Length);
        int read = await Channel.ReceiveAsync(_buffer.AsMemory(_end, room), cancel);
        _end += read;
        // Who fills all the room has more to say: the next read may take more.
        _size = read < room ? InitialSize : Math.Min(_size * 4, Math.Min(StreamSize, _limit));
        if (Length == 0) Release();
        return read > 0 && !_isStopped;
    }

    // Linux hands out what comes in after a shutdown for reading too: a peer that never pauses would be heard for ever.
    internal void Stop() => _isStopped = true;

    internal void Release()
    {
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _start = _end = 0;
    }

    private void MakeRoom()
    {
        if (_end < _buffer.Length && (Length > 0 || _size <= _buffer.Length)) return;
        if (_start > _buffer.Length / 2)
        {
            Span.CopyTo(_buffer);
        }
        else
        {
            int size = Math.Max(_size, Math.Min(_limit, Length > 0 ? _buffer.Length * 2 : 0));
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
