using Posthorn.Journal.Volume;

namespace Posthorn.Testing.Volumes;

/// <summary>A file's content as programs see it, and what of it would survive: for each sector the synced version and those written since.</summary>
internal sealed class CrashInode(ulong number, VolumeKind kind)
{
    internal const int Sector = 512;

    private readonly Dictionary<int, Dirty> _dirty = [];
    private readonly List<long> _lengths = [];
    private byte[] _live = [];
    private byte[] _durable = [];
    private long _durableLength;

    internal ulong Number { get; } = number;
    internal VolumeKind Kind { get; } = kind;
    internal long Length { get; private set; }

    /// <summary>For symbolic links: where it points. It is there with the name, or the name is not there.</summary>
    internal string LinkTarget { get; init; } = "";
    internal DateTimeOffset Modified { get; set; }
    internal bool IsLocked { get; set; }

    /// <summary>How many names it has.</summary>
    internal int Links { get; set; }

    /// <summary>For directories: the names as programs see them.</summary>
    internal Dictionary<string, CrashInode> Names { get; private set; } = [];

    /// <summary>For directories: the names that were made durable.</summary>
    internal Dictionary<string, CrashInode> DurableNames { get; } = [];

    internal int Read(long offset, Span<byte> buffer)
    {
        if (offset >= Length) return 0;
        int count = (int)Math.Min(buffer.Length, Length - offset);
        _live.AsSpan((int)offset, count).CopyTo(buffer);
        return count;
    }

    internal void Write(long offset, ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty) return;
        long end = offset + data.Length;
        if (end > Length) SetLength(end);
        data.CopyTo(_live.AsSpan((int)offset));
        int first = (int)(offset / Sector), last = (int)((end - 1) / Sector);
        byte[] copy = new byte[(last - first + 1) * Sector];
        _live.AsSpan(first * Sector, copy.Length).CopyTo(copy);
        for (int sector = first; sector <= last; sector++) Touch(sector).Add(copy, (sector - first) * Sector);
    }

    internal void SetLength(long length)
    {
        int needed = (int)((length + Sector - 1) / Sector * Sector);
        if (_live.Length < needed) Array.Resize(ref _live, Math.Max(needed, _live.Length * 2));
        if (length < Length)
        {
            _live.AsSpan((int)length).Clear();
            for (int sector = (int)(length / Sector); sector * (long)Sector < Length; sector++) Touch(sector).Add(_live.AsSpan(sector * Sector, Sector).ToArray(), 0);
        }

        Length = length;
        _lengths.Add(length);
    }

    internal void Sync()
    {
        if (_durable.Length < _live.Length) Array.Resize(ref _durable, _live.Length);
        foreach ((int sector, Dirty dirty) in _dirty)
        {
            if (dirty.Lost) continue;
            dirty.Newest.CopyTo(_durable.AsSpan(sector * Sector));
        }

        foreach (int sector in _dirty.Keys.Where(sector => !_dirty[sector].Lost).ToArray()) _dirty.Remove(sector);
        _lengths.Clear();
        _durableLength = Length;
    }

    /// <summary>A sync failed: the system forgets that these sectors were to be written. They may be on disk or not, and a later success does not mean them.</summary>
    internal void FailSync()
    {
        foreach (Dirty dirty in _dirty.Values) dirty.Lost = true;
    }

    /// <summary>Leaves what a disk may hold after the power went.</summary>
    internal void Crash(Random random, CrashMode mode)
    {
        long length = mode switch
        {
            CrashMode.KeepNothing => _durableLength,
            CrashMode.KeepAll => Length,
            _ => _lengths.Count > 0 && random.Next(2) == 0 ? _lengths[random.Next(_lengths.Count)] : _durableLength,
        };
        int needed = (int)((length + Sector - 1) / Sector * Sector);
        if (_durable.Length < needed) Array.Resize(ref _durable, needed);
        foreach ((int sector, Dirty dirty) in _dirty)
        {
            if ((sector + 1) * (long)Sector > _durable.Length) continue;
            if (dirty.Pick(random, mode) is { } version) version.CopyTo(_durable.AsSpan(sector * Sector));
        }

        _dirty.Clear();
        _lengths.Clear();
        (_live, Length, _durableLength, IsLocked) = ((byte[])_durable.Clone(), length, length, false);
        if (_live.Length > length) _live.AsSpan((int)length).Clear();
        _durable = (byte[])_live.Clone();
        Names = new(DurableNames);
    }

    private Dirty Touch(int sector)
    {
        if (!_dirty.TryGetValue(sector, out Dirty? dirty)) _dirty.Add(sector, dirty = new());
        return dirty;
    }

    private sealed class Dirty
    {
        private readonly List<(byte[] Data, int At)> _versions = [];

        internal bool Lost { get; set; }

        internal ReadOnlySpan<byte> Newest => _versions[^1].Data.AsSpan(_versions[^1].At, Sector);

        internal void Add(byte[] data, int at)
        {
            _versions.Add((data, at));
            Lost = false;
        }

        internal byte[]? Pick(Random random, CrashMode mode)
        {
            int chosen = mode switch
            {
                CrashMode.KeepNothing => -1,
                CrashMode.KeepAll => _versions.Count - 1,
                CrashMode.KeepMost => random.Next(16) == 0 ? -1 : _versions.Count - 1,
                _ => random.Next(_versions.Count + 1) - 1,
            };
            return chosen < 0 ? null : _versions[chosen].Data.AsSpan(_versions[chosen].At, Sector).ToArray();
        }
    }
}

/// <summary>How much of what was not synced survives. A crash draws one: all extremes must occur, not only their mean.</summary>
internal enum CrashMode
{
    /// <summary>Nothing.</summary>
    KeepNothing,
    /// <summary>Everything.</summary>
    KeepAll,
    /// <summary>All but a sector here and there.</summary>
    KeepMost,
    /// <summary>Each sector and each name by itself.</summary>
    Mixed,
}
