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

    /// <summary>Of those of whose steps some are over: their numbers stand behind the record.</summary>
    private static ReadOnlySpan<byte> MagicOfPart => "PHJHELD2"u8;

    private readonly Lock _gate = new();
    private readonly Dictionary<long, ContentReference> _held = [];

    /// <summary>One of them. The view has the steps that are not over.</summary>
    internal sealed record Held(long Lsn, byte Participant, DateTimeOffset Time, RecordView View, JournalStep[] Steps, SortedSet<int> Over, ReadOnlyMemory<byte> Record);

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

        Write(lsn, participant, time, bytes, []);
        lock (_gate) _held[lsn] = view.Content;
    }

    /// <summary>Some of its steps are durable elsewhere: they never come back, the others do.</summary>
    internal void Release(long lsn, Predicate<JournalStep> isOver)
    {
        if (!Contains(lsn) || Read(lsn) is not { } held) return;
        int before = held.Over.Count;
        for (int i = 0; i < held.Steps.Length; i++)
            if (isOver(held.Steps[i])) held.Over.Add(i);
        if (held.Over.Count > before) Write(lsn, held.Participant, held.Time, held.Record, held.Over);
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

    private void Write(long lsn, byte participant, DateTimeOffset time, ReadOnlyMemory<byte> record, SortedSet<int> over)
    {
        byte[] head = new byte[HeadLength], list = new byte[over.Count * sizeof(int)];
        (over.Count == 0 ? Magic : MagicOfPart).CopyTo(head);
        head[12] = participant;
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(16), time.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(24), record.Length);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(28), over.Count);
        int at = 0;
        foreach (int step in over) BinaryPrimitives.WriteInt32LittleEndian(list.AsSpan(sizeof(int) * at++), step);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), Crc32C.Append(Crc32C.Append(0, head.AsSpan(12)), list));
        string draft = PathOf(lsn) + ".new";
        using (IVolumeFile file = volume.Open(draft, VolumeOpen.Replace))
        {
            file.Write(0, [head, record, list]);
            file.SyncData();
        }

        volume.Rename(draft, PathOf(lsn));
        volume.SyncDirectory(folder);
    }

    private Held? Read(long lsn)
    {
        using IVolumeFile file = volume.Open(PathOf(lsn), VolumeOpen.Read);
        byte[] bytes = new byte[file.Length];
        if (file.Read(0, bytes) < HeadLength) return null;
        bool isPart = bytes.AsSpan().StartsWith(MagicOfPart);
        if (!isPart && !bytes.AsSpan().StartsWith(Magic)) return null;
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(24)), count = isPart ? BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(28)) : 0;
        if (length < 0 || count < 0 || bytes.Length != HeadLength + (long)length + sizeof(int) * (long)count) return null;
        ReadOnlySpan<byte> list = bytes.AsSpan(HeadLength + length);
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8)) != Crc32C.Append(Crc32C.Append(0, bytes.AsSpan(12, HeadLength - 12)), list)) return null;
        ReadOnlyMemory<byte> record = bytes.AsMemory(HeadLength, length);
        if (!RecordCodec.TryRead(record, lsn, out RecordView view)) return null;
        SortedSet<int> over = [];
        for (int i = 0; i < count; i++) over.Add(BinaryPrimitives.ReadInt32LittleEndian(list[(sizeof(int) * i)..]));
        JournalStep[] left = [.. view.Steps.Where((_, number) => !over.Contains(number))];
        return new(lsn, bytes[12], DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(16))), view with { Steps = left }, view.Steps, over, record);
    }

    private string PathOf(long lsn) => $"{folder}/{lsn:x16}";
}
