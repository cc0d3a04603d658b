using System.Buffers.Binary;
using System.Globalization;
using Posthorn.Journal.Content;
using Posthorn.Journal.Format;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal.Ring;

/// <summary>Records that were taken out of the ring since a volume hangs or fails: each in a file of its own in the folder <c>held</c>, so that the others need not wait.</summary>
/// <remarks>Its lock guards the set of them; files are written by the one that holds a record.</remarks>
internal sealed class HeldRecords(IVolume volume, string folder, SpoolFolder spool)
{
    private const int HeadLength = 32;

    /// <summary>A record that all its participants get back.</summary>
    internal const byte Everybody = 0;

    private static ReadOnlySpan<byte> Magic => "PHJHELD1"u8;

    private readonly Lock _gate = new();
    private readonly Dictionary<long, ContentReference> _held = [];

    internal sealed record Held(long Lsn, byte Participant, DateTimeOffset Time, RecordView View, byte[] Bytes);

    /// <summary>Whether a record that is held names this spool file.</summary>
    internal bool Names(long spoolFile)
    {
        lock (_gate) return _held.Values.Any(content => content.Kind == ContentKind.Spool && content.Spool == spoolFile);
    }

    internal bool Contains(long lsn)
    {
        lock (_gate) return _held.ContainsKey(lsn);
    }

    /// <summary>All that are held now, by LSN, one after the other.</summary>
    internal IEnumerable<Held> All()
    {
        long[] all;
        lock (_gate) all = [.. _held.Keys.Order()];
        foreach (long lsn in all)
            if (Contains(lsn) && Read(lsn) is { } held) yield return held;
    }

    /// <summary>Reads all that are held, by LSN.</summary>
    internal List<Held> Load(long checkpoint)
    {
        List<Held> found = [];
        if (!volume.TryStat(folder, out _)) return found;
        bool removed = false;
        foreach (VolumeEntry entry in volume.List(folder, times: false))
        {
            if (long.TryParse(entry.Name, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long lsn) && lsn <= checkpoint)
            {
                found.Add(Read(lsn) ?? throw new JournalDamagedException(PathOf(lsn), "the record is not whole"));
                continue;
            }

            // A draft, or a record that the log still has. It must not come back when the log has it no more.
            volume.Unlink($"{folder}/{entry.Name}");
            removed = true;
        }

        if (removed) volume.SyncDirectory(folder);
        found.Sort(static (left, right) => left.Lsn.CompareTo(right.Lsn));
        foreach (Held held in found) _held[held.Lsn] = held.View.Content;
        return found;
    }

    /// <summary>Writes a record, as its segment has it, to a file of its own and syncs that.</summary>
    internal void Hold(long lsn, byte participant, DateTimeOffset time, RecordView view, ReadOnlyMemory<byte> bytes)
    {
        if (!volume.TryStat(folder, out _))
        {
            volume.MakeDirectory(folder);
            volume.SyncDirectory(Path.GetDirectoryName(folder)!);
        }

        byte[] head = new byte[HeadLength];
        Magic.CopyTo(head);
        head[12] = participant;
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(16), time.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(24), bytes.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), Crc32C.Compute(head.AsSpan(12)));
        string draft = PathOf(lsn) + ".new";
        using (IVolumeFile file = volume.Open(draft, VolumeOpen.Replace))
        {
            file.Write(0, [head, bytes]);
            file.SyncData();
        }

        volume.Rename(draft, PathOf(lsn));
        volume.SyncDirectory(folder);
        lock (_gate) _held[lsn] = view.Content;
    }

    /// <summary>Its owner has made it durable elsewhere: it never comes back.</summary>
    internal void Release(long lsn, long checkpoint)
    {
        ContentReference content;
        lock (_gate)
        {
            if (!_held.Remove(lsn, out content)) return;
        }

        volume.Unlink(PathOf(lsn));
        volume.SyncDirectory(folder);
        if (content.Kind == ContentKind.Spool && lsn <= checkpoint) spool.Remove(content.Spool);
    }

    /// <summary>The content of a held record; null when none is held under that number.</summary>
    internal JournalContent? Open(long lsn)
    {
        ContentReference content;
        lock (_gate)
        {
            if (!_held.TryGetValue(lsn, out content)) return null;
        }

        if (content.Kind == ContentKind.None) return null;
        if (content.Kind == ContentKind.Spool)
        {
            IVolumeFile spooled = spool.Open(content.Spool);
            return new(spooled, 0, content, spooled.Dispose);
        }

        Held held = Read(lsn) ?? throw new JournalDamagedException(PathOf(lsn), "the record is not whole");
        IVolumeFile file = volume.Open(PathOf(lsn), VolumeOpen.Read);
        return new(file, HeadLength + held.View.ContentStart, content, file.Dispose);
    }

    private Held? Read(long lsn)
    {
        using IVolumeFile file = volume.Open(PathOf(lsn), VolumeOpen.Read);
        byte[] bytes = new byte[file.Length];
        if (file.Read(0, bytes) < HeadLength || !bytes.AsSpan().StartsWith(Magic)) return null;
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8)) != Crc32C.Compute(bytes.AsSpan(12, HeadLength - 12))) return null;
        if (BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(24)) != bytes.Length - HeadLength) return null;
        return RecordCodec.TryRead(bytes.AsMemory(HeadLength), lsn, out RecordView view)
            ? new(lsn, bytes[12], DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(16))), view, bytes)
            : null;
    }

    private string PathOf(long lsn) => $"{folder}/{lsn:x16}";
}
