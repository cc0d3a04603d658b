using System.Buffers;
using Posthorn.Journal.Content;
using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal;

/// <summary>The bytes of one message: in memory while they are few, in a spool file when they grow, or where a record keeps them.</summary>
/// <remarks>
/// One owner writes it, then calls <see cref="CompleteAsync"/>, then appends it; from then on any number of threads may read.
/// The owner disposes it. A spool file that no record took is removed then; one that a record took stays until its checkpoint.
/// </remarks>
public sealed class JournalContent : IAsyncDisposable
{
    // Written, then grown by doubling: a message of the usual 8 KiB needs one buffer.
    private const int FirstBuffer = 16 * 1024;

    private readonly SpoolFolder? _spool;
    private readonly int _inlineLimit;
    private readonly long _limit;
    private readonly Action? _released;
    private byte[]? _buffer;
    private IVolumeFile? _file;
    private long _fileStart;
    private long _spoolId;
    private int _users = 1;
    private bool _complete;
    private bool _taken;
    private uint _checksum;

    internal JournalContent(SpoolFolder spool, int inlineLimit, long limit) => (_spool, _inlineLimit, _limit) = (spool, inlineLimit, limit);

    /// <summary>Content that lies in a file: a part of a segment, or a whole spool file.</summary>
    internal JournalContent(IVolumeFile file, long start, ContentReference content, Action? released)
    {
        (_file, _fileStart, _released) = (file, start, released);
        (Length, _checksum, _complete, _taken) = (content.Length, content.Checksum, true, true);
    }

    /// <summary>Bytes so far.</summary>
    public long Length { get; private set; }

    /// <summary>CRC-32C of the bytes so far.</summary>
    public uint Checksum => _checksum;

    internal bool IsComplete => _complete;

    internal ContentReference Reference => new(_spoolId == 0 ? ContentKind.Inline : ContentKind.Spool, Length, _checksum, _spoolId);

    /// <summary>Adds bytes.</summary>
    /// <exception cref="VolumeException">The spool file cannot be written; the content is useless then.</exception>
    /// <exception cref="JournalException">It grows above the limit.</exception>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(_users == 0, this);
        if (_complete) throw new InvalidOperationException("The content is complete.");
        if (Length + data.Length > _limit) throw new JournalException($"The message is larger than {_limit} bytes.");

        if (_file is null && Length + data.Length > _inlineLimit) MoveToSpool();
        if (_file is not null) _file.Write(Length, data.Span);
        else Keep(data.Span);
        Length += data.Length;
        _checksum = Crc32C.Append(_checksum, data.Span);
        return ValueTask.CompletedTask;
    }

    /// <summary>Says that all is written; a spool file is synced now, and its name too. Needed before the content can be appended.</summary>
    public ValueTask CompleteAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (_complete) return ValueTask.CompletedTask;
        if (_spoolId != 0)
        {
            _file!.SyncData();
            _spool!.SyncNames();
        }

        _complete = true;
        return ValueTask.CompletedTask;
    }

    /// <summary>Copies bytes from an offset; returns how many, fewer than asked only at the end.</summary>
    public int Read(long offset, Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_users == 0, this);
        if (offset >= Length) return 0;
        int count = (int)Math.Min(buffer.Length, Length - offset);
        if (_file is not null) return _file.Read(_fileStart + offset, buffer[..count]);
        _buffer.AsSpan((int)offset, count).CopyTo(buffer);
        return count;
    }

    /// <summary>All of it, when it lies in memory. Valid until the content is disposed.</summary>
    public bool TryGetMemory(out ReadOnlyMemory<byte> memory)
    {
        ObjectDisposedException.ThrowIf(_users == 0, this);
        memory = _file is null ? _buffer.AsMemory(0, (int)Length) : default;
        return _file is null;
    }

    /// <summary>Lets it go.</summary>
    public ValueTask DisposeAsync()
    {
        Release();
        return ValueTask.CompletedTask;
    }

    /// <summary>Keeps the memory alive for one user more. A record of it exists from now on, so the spool file stays.</summary>
    internal void Take()
    {
        Interlocked.Increment(ref _users);
        _taken = true;
    }

    /// <summary>The record did not come about after all: the spool file goes with the last user.</summary>
    internal void GiveBack() => _taken = false;

    internal void Release()
    {
        int users;
        do
        {
            users = _users;
            if (users == 0) return; // disposed twice
        }
        while (Interlocked.CompareExchange(ref _users, users - 1, users) != users);
        if (users > 1) return;

        if (_buffer is { } buffer) ArrayPool<byte>.Shared.Return(buffer);
        _buffer = null;
        if (_spool is not null) _file?.Dispose(); // a segment's file is not ours
        if (_spoolId != 0 && !_taken) _spool!.Remove(_spoolId);
        _released?.Invoke();
    }

    private void Keep(ReadOnlySpan<byte> data)
    {
        int needed = (int)Length + data.Length;
        if (_buffer is null || _buffer.Length < needed)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, _buffer is null ? FirstBuffer : _buffer.Length * 2));
            _buffer.AsSpan(0, (int)Length).CopyTo(larger);
            if (_buffer is not null) ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }

        data.CopyTo(_buffer.AsSpan((int)Length));
    }

    private void MoveToSpool()
    {
        (_spoolId, _file) = _spool!.Create();
        if (_buffer is null) return;
        _file.Write(0, _buffer.AsSpan(0, (int)Length));
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = null;
    }
}
