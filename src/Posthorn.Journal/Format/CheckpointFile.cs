using System.Buffers.Binary;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal.Format;

/// <summary>What a checkpoint leaves behind.</summary>
/// <param name="Lsn">Everything up to it is safe elsewhere.</param>
/// <param name="Epoch">The run that wrote it.</param>
/// <param name="EndSequence">The segment in which the acknowledged log ended when a flush failed and no further segment could be had; 0 for none.</param>
/// <param name="EndOffset">Where in that segment.</param>
/// <param name="VoidSequence">Segments above <paramref name="EndSequence"/> up to this one are void.</param>
internal readonly record struct CheckpointMark(long Lsn, long Epoch, long EndSequence, long EndOffset, long VoidSequence);

/// <summary>The file <c>checkpoint</c>: two slots, each in a block of its own, so that one damaged slot loses nothing.</summary>
/// <remarks>Its lock is held while it writes; the journal's own lock is never taken inside.</remarks>
internal sealed class CheckpointFile : IDisposable
{
    internal const int SlotLength = 64;
    private const uint Magic = 0x31504350; // "PCP1"

    private readonly Lock _gate = new();
    private readonly IVolumeFile _file;
    private readonly byte[] _block = new byte[Blocks.Size];
    private long _sequence;
    private long _lsn;

    private CheckpointFile(IVolumeFile file) => _file = file;

    internal CheckpointMark Mark { get; private set; }

    /// <summary>The checkpoint, for those who read while another thread writes.</summary>
    internal long Lsn => Volatile.Read(ref _lsn);

    /// <summary>False when the file was there and neither slot could be read.</summary>
    internal bool WasReadable { get; private set; } = true;

    internal static CheckpointFile Open(IVolume volume, string directory)
    {
        string path = directory + "/checkpoint";
        bool existed = volume.TryStat(path, out VolumeStat stat) && stat.Length >= 2 * Blocks.Size;
        CheckpointFile file = new(volume.Open(path, VolumeOpen.OpenOrCreate));
        if (existed)
        {
            file.WasReadable = TryRead(file._file, out long sequence, out CheckpointMark mark);
            (file._sequence, file.Mark, file._lsn) = (sequence, mark, mark.Lsn);

            // What was read may stand in the page cache only, after a sync that failed; what a start does rests on it.
            if (file.WasReadable) file.Write(mark);
        }
        else
        {
            file._file.Write(0, new byte[2 * Blocks.Size]);
            file.Write(default);
            volume.SyncDirectory(directory);
        }

        return file;
    }

    /// <summary>The younger of the slots that are whole.</summary>
    internal static bool TryRead(IVolumeFile file, out long sequence, out CheckpointMark mark)
    {
        (sequence, mark) = (0, default);
        Span<byte> slot = stackalloc byte[SlotLength];
        for (int i = 0; i < 2; i++)
        {
            if (file.Read(i * Blocks.Size, slot) < SlotLength || BinaryPrimitives.ReadUInt32LittleEndian(slot) != Magic) continue;
            if (BinaryPrimitives.ReadUInt32LittleEndian(slot[4..]) != Crc32C.Compute(slot[8..])) continue;
            long number = BinaryPrimitives.ReadInt64LittleEndian(slot[8..]);
            if (number <= sequence) continue;
            sequence = number;
            mark = new(
                BinaryPrimitives.ReadInt64LittleEndian(slot[16..]),
                BinaryPrimitives.ReadInt64LittleEndian(slot[24..]),
                BinaryPrimitives.ReadInt64LittleEndian(slot[32..]),
                BinaryPrimitives.ReadInt64LittleEndian(slot[40..]),
                BinaryPrimitives.ReadInt64LittleEndian(slot[48..]));
        }

        return sequence > 0;
    }

    /// <summary>Writes a new mark into both slots, one after the other: what it frees may be overwritten only when no older mark can come back.</summary>
    internal void Write(CheckpointMark mark)
    {
        lock (_gate) WriteBoth(mark);
    }

    /// <summary>Notes a new checkpoint and keeps the rest.</summary>
    internal void Advance(long lsn, long epoch)
    {
        lock (_gate) WriteBoth(Mark with { Lsn = lsn, Epoch = epoch });
    }

    /// <summary>Notes that the log ends at a place, since no segment could be had to say so.</summary>
    internal void Close(long epoch, long endSequence, long endOffset, long voidSequence)
    {
        lock (_gate) WriteBoth(new(Mark.Lsn, epoch, endSequence, endOffset, voidSequence));
    }

    public void Dispose() => _file.Dispose();

    private void WriteBoth(CheckpointMark mark)
    {
        for (int i = 0; i < 2; i++)
        {
            _sequence++;
            BinaryPrimitives.WriteUInt32LittleEndian(_block, Magic);
            BinaryPrimitives.WriteInt64LittleEndian(_block.AsSpan(8), _sequence);
            BinaryPrimitives.WriteInt64LittleEndian(_block.AsSpan(16), mark.Lsn);
            BinaryPrimitives.WriteInt64LittleEndian(_block.AsSpan(24), mark.Epoch);
            BinaryPrimitives.WriteInt64LittleEndian(_block.AsSpan(32), mark.EndSequence);
            BinaryPrimitives.WriteInt64LittleEndian(_block.AsSpan(40), mark.EndOffset);
            BinaryPrimitives.WriteInt64LittleEndian(_block.AsSpan(48), mark.VoidSequence);
            BinaryPrimitives.WriteUInt32LittleEndian(_block.AsSpan(4), Crc32C.Compute(_block.AsSpan(8, SlotLength - 8)));
            _file.Write(_sequence % 2 * Blocks.Size, _block);
            _file.SyncData();
        }

        Mark = mark;
        Volatile.Write(ref _lsn, mark.Lsn);
    }
}
