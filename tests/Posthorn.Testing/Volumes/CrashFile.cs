using Posthorn.Journal.Volume;

namespace Posthorn.Testing.Volumes;

/// <summary>An open file of a <see cref="CrashVolume"/>; dead after its crash.</summary>
internal sealed class CrashFile(CrashVolume volume, CrashInode inode, string path, int generation, bool writable) : IVolumeFile
{
    private bool _locked;

    internal CrashInode Inode { get; } = inode;
    internal string Path { get; } = path;
    internal int Generation { get; } = generation;
    internal bool Writable { get; } = writable;
    internal bool IsClosed { get; private set; }

    public long Length => volume.LengthOf(this);

    public int Read(long offset, Span<byte> buffer) => volume.Read(this, offset, buffer);

    public void Write(long offset, ReadOnlySpan<byte> data) => volume.Write(this, offset, data.ToArray());

    public void Write(long offset, IReadOnlyList<ReadOnlyMemory<byte>> parts)
    {
        byte[] whole = new byte[parts.Sum(part => part.Length)];
        int at = 0;
        foreach (ReadOnlyMemory<byte> part in parts)
        {
            part.CopyTo(whole.AsMemory(at));
            at += part.Length;
        }

        volume.Write(this, offset, whole);
    }

    public void Truncate(long length) => volume.Truncate(this, length);

    public void SyncData() => volume.Sync(this);

    public bool TryLock() => _locked = volume.TryLock(this);

    public VolumeStat Stat() => volume.Stat(this);

    public void Dispose()
    {
        if (IsClosed) return;
        IsClosed = true;
        if (_locked) volume.Unlock(this);
    }
}
