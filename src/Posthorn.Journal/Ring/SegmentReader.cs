using System.Buffers;
using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal.Ring;

/// <summary>Reads the batches of one segment and judges them. Changes nothing.</summary>
internal sealed class SegmentReader(IVolumeFile file, SegmentHeader header) : IDisposable
{
    private const int ScanBuffer = 1 << 20;
    private byte[] _body = [];

    /// <summary>The head of the batch at an offset, if one of this use stands there.</summary>
    internal bool TryHead(long offset, out BatchHeader batch)
    {
        Span<byte> head = stackalloc byte[BatchHeader.Length];
        batch = default;
        return offset + BatchHeader.Length <= header.Size && file.Read(offset, head) == head.Length && BatchHeader.TryRead(head, header, offset, out batch);
    }

    /// <summary>The records of a batch. False when any of them is not whole. Their memory is valid until the next call.</summary>
    internal bool TryRecords(in BatchHeader batch, List<RecordView> records)
    {
        records.Clear();
        if (_body.Length < batch.Body)
        {
            if (_body.Length > 0) ArrayPool<byte>.Shared.Return(_body);
            _body = ArrayPool<byte>.Shared.Rent(batch.Body);
        }

        if (file.Read(batch.Offset + BatchHeader.Length, _body.AsSpan(0, batch.Body)) != batch.Body) return false;
        ReadOnlyMemory<byte> rest = _body.AsMemory(0, batch.Body);
        for (int i = 0; i < batch.Count; i++)
        {
            if (!RecordCodec.TryRead(rest, batch.FirstLsn + i, out RecordView record) || record.Total > rest.Length) return false;
            records.Add(record);
            rest = rest[record.Total..];
        }

        return rest.IsEmpty;
    }

    /// <summary>The bytes of a record that <see cref="TryRecords"/> read, counted from the end of the batch's head.</summary>
    internal ReadOnlyMemory<byte> Bytes(int start, int length) => _body.AsMemory(start, length);

    /// <summary>The first batch head of this use between two offsets: the log goes on there, behind damage.</summary>
    internal bool TryFindHead(long start, long end, out BatchHeader batch)
    {
        batch = default;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ScanBuffer);
        try
        {
            for (long at = start; at < end; at += ScanBuffer)
            {
                int read = file.Read(at, buffer.AsSpan(0, (int)Math.Min(ScanBuffer, end - at)));
                for (int i = 0; i + BatchHeader.Length <= read; i += Blocks.Size)
                {
                    if (BatchHeader.TryRead(buffer.AsSpan(i, BatchHeader.Length), header, at + i, out batch)) return true;
                }
            }

            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public void Dispose()
    {
        if (_body.Length > 0) ArrayPool<byte>.Shared.Return(_body);
        _body = [];
    }
}
