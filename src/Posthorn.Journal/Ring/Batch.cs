using System.Buffers;
using Posthorn.Journal.Content;
using Posthorn.Journal.Format;

namespace Posthorn.Journal.Ring;

/// <summary>Records that one flush will make durable. The journal's lock guards it until it is sealed; then the leader alone has it.</summary>
internal sealed class Batch
{
    // Content above this is written from its own memory; below, copying costs less than a further part of the write.
    private const int CopyLimit = 64 * 1024;
    private const int FirstBuffer = 64 * 1024;

    // A buffer that one large batch blew up is not kept.
    private const int KeptBuffer = 1 << 20;

    private readonly List<(int At, ReadOnlyMemory<byte> Memory)> _large = [];
    private readonly List<JournalContent> _taken = [];
    private readonly List<ReadOnlyMemory<byte>> _parts = [];
    private byte[] _buffer = new byte[FirstBuffer];
    private int _used = BatchHeader.Length;

    internal long First { get; private set; }
    internal int Count { get; private set; }
    internal long Last => First + Count - 1;

    /// <summary>Bytes behind the head.</summary>
    internal int Body { get; private set; }

    /// <summary>Where it is going to be written.</summary>
    internal long Start { get; set; }

    /// <summary>Whether it begins a segment.</summary>
    internal bool NewSegment { get; set; }

    /// <summary>The size of the segment it is planned for.</summary>
    internal int SegmentSize { get; set; }

    internal long End => Blocks.Up(Start + BatchHeader.Length + Body);

    /// <summary>Records with content, their place counted from the batch's start.</summary>
    internal List<(long Lsn, int At, ContentReference Content)> Contents { get; } = [];

    /// <summary>Completed when its fate is known; null while nobody waits.</summary>
    internal TaskCompletionSource? Waiters { get; private set; }

    /// <summary>Why it will never be durable; null while it may be, or is.</summary>
    internal JournalException? Failure { get; set; }

    // Continuations run on the pool, so that the leader's way to the next flush is free.
    internal Task Wait() => (Waiters ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    internal void Add(long lsn, bool relaxed, ReadOnlySpan<JournalStep> steps, int length, ContentReference reference, JournalContent? content)
    {
        if (Count++ == 0) First = lsn;
        Reserve(length);
        RecordCodec.Write(_buffer.AsSpan(_used, length), lsn, relaxed, steps, reference);
        _used += length;
        Body += length;
        if (content is null) return;

        Contents.Add((lsn, BatchHeader.Length + Body, reference));
        if (reference.Kind == ContentKind.Spool) Take(content);
        else AddInline(content, (int)reference.Length);
    }

    /// <summary>Writes the head and the padding and returns what is to be written, in order.</summary>
    internal List<ReadOnlyMemory<byte>> Seal(in BatchHeader header, ReadOnlyMemory<byte> segmentHead)
    {
        header.Write(_buffer);
        Pad((int)(header.End - header.Offset) - BatchHeader.Length - Body);
        if (!segmentHead.IsEmpty) _parts.Add(segmentHead);
        int at = 0;
        foreach ((int until, ReadOnlyMemory<byte> memory) in _large)
        {
            _parts.Add(_buffer.AsMemory(at, until - at));
            _parts.Add(memory);
            at = until;
        }

        if (_used > at) _parts.Add(_buffer.AsMemory(at, _used - at));
        return _parts;
    }

    /// <summary>Lets content go; spool files go with it, unless they are to be kept since a record may name them.</summary>
    internal void ReleaseContent(bool keep)
    {
        foreach (JournalContent content in _taken)
        {
            if (!keep) content.GiveBack();
            content.Release();
        }

        _taken.Clear();
    }

    /// <summary>Makes it fit for use again.</summary>
    internal void Reset()
    {
        _large.Clear();
        _taken.Clear();
        _parts.Clear();
        Contents.Clear();
        Waiters = null;
        Failure = null;
        (First, Count, Body, _used) = (0, 0, 0, BatchHeader.Length);
        if (_buffer.Length > KeptBuffer) GiveBuffer(new byte[FirstBuffer]);
    }

    private void AddInline(JournalContent content, int length)
    {
        content.TryGetMemory(out ReadOnlyMemory<byte> memory); // inline content always lies in memory
        if (length <= CopyLimit)
        {
            Reserve(length);
            memory.Span.CopyTo(_buffer.AsSpan(_used));
            _used += length;
        }
        else
        {
            Take(content);
            _large.Add((_used, memory));
        }

        Body += length;
        int padding = Blocks.Eight(length) - length;
        Pad(padding);
        Body += padding;
    }

    private void Take(JournalContent content)
    {
        content.Take();
        _taken.Add(content);
    }

    private void Pad(int count)
    {
        Reserve(count);
        _buffer.AsSpan(_used, count).Clear();
        _used += count;
    }

    private void Reserve(int count)
    {
        if (_used + count <= _buffer.Length) return;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_used + count, _buffer.Length * 2));
        _buffer.AsSpan(0, _used).CopyTo(larger);
        GiveBuffer(larger);
    }

    // Large ones are the pool's: to make one anew would have the runtime collect everything.
    private void GiveBuffer(byte[] other)
    {
        if (_buffer.Length > FirstBuffer) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = other;
    }
}
