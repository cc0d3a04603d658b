namespace Posthorn.Journal.Volume;

/// <summary>The edge to the file system: all that the journal and the mail store do with files goes through here, so that tests can lose what was not synced.</summary>
/// <remarks>
/// Paths are absolute strings. Names that are not UTF-8 on disk come and go unharmed (see <see cref="PathBytes"/>).
/// The calls block: files are local and most calls cost microseconds. What fails throws <see cref="VolumeException"/>.
/// A name is on disk only after <see cref="SyncDirectory"/> of its directory, content only after
/// <see cref="IVolumeFile.SyncData"/>, both after <see cref="SyncVolume"/>.
/// </remarks>
public interface IVolume
{
    /// <summary>Opens or creates a file.</summary>
    IVolumeFile Open(string path, VolumeOpen mode);

    /// <summary>Makes a directory; the one above it must exist.</summary>
    void MakeDirectory(string path);

    /// <summary>Removes an empty directory.</summary>
    void RemoveDirectory(string path);

    /// <summary>Gives the file <paramref name="existing"/> a further name, which must not exist.</summary>
    void Link(string existing, string name);

    /// <summary>Renames a file or directory in one step and replaces what stood at the new name.</summary>
    void Rename(string source, string target);

    /// <summary>Renames in one step; fails with <see cref="VolumeError.Exists"/> when the new name is taken.</summary>
    void RenameNew(string source, string target);

    /// <summary>Makes a symbolic link to <paramref name="target"/>, as it stands (relative to the link's directory, if relative). Fails with <see cref="VolumeError.Exists"/> when the name is taken.</summary>
    void MakeSymbolicLink(string target, string name);

    /// <summary>Where a symbolic link points, as it stands in it. False when nothing stands at the name, or something else.</summary>
    bool TryReadLink(string path, out string target);

    /// <summary>Removes one name of a file.</summary>
    void Unlink(string path);

    /// <summary>What stands in a directory, without <c>.</c> and <c>..</c>, in no order. With <paramref name="times"/> each entry costs one call more and has its time.</summary>
    IReadOnlyList<VolumeEntry> List(string path, bool times);

    /// <summary>What stands at a name. False when nothing does. A symbolic link is followed.</summary>
    bool TryStat(string path, out VolumeStat stat);

    /// <summary>Whether names in a directory may be changed, as far as modes, owners and the mounting of its volume say.</summary>
    bool MayWrite(string directory);

    /// <summary>Sets the time of last change.</summary>
    void SetModified(string path, DateTimeOffset time);

    /// <summary>Makes the names in a directory durable.</summary>
    void SyncDirectory(string path);

    /// <summary>Makes everything durable on the volume that holds the path.</summary>
    void SyncVolume(string path);

    /// <summary>Tells of every name that comes, goes or is written in a directory, whoever does it, until the watch is disposed. It is told on a thread of its own and must be quick. Null where that cannot be had.</summary>
    IDisposable? Watch(string directory, Action<VolumeEvent> changed);

    /// <summary>Bytes that this process may still write on the volume that holds the path.</summary>
    long FreeSpace(string path);
}

/// <summary>An open file. Reads and writes name their offset, so any number of threads may use it.</summary>
public interface IVolumeFile : IDisposable
{
    /// <summary>Its length now.</summary>
    long Length { get; }

    /// <summary>Fills the buffer from the offset. Returns less than its length only at the end of the file.</summary>
    int Read(long offset, Span<byte> buffer);

    /// <summary>Writes all of it.</summary>
    void Write(long offset, ReadOnlySpan<byte> data);

    /// <summary>Writes the parts one behind the other, by one call where the system can.</summary>
    void Write(long offset, IReadOnlyList<ReadOnlyMemory<byte>> parts);

    /// <summary>Cuts or extends the file.</summary>
    void Truncate(long length);

    /// <summary>Makes content and length durable. When it throws, nothing is known of what was written since the last success, and a later success does not change that.</summary>
    void SyncData();

    /// <summary>Takes the file's lock for as long as it is open. False when another has it, in this process or another.</summary>
    bool TryLock();

    /// <summary>Length, time, inode and number of names.</summary>
    VolumeStat Stat();
}

/// <summary>How a file is opened.</summary>
public enum VolumeOpen
{
    /// <summary>For reading; it must exist.</summary>
    Read,
    /// <summary>For reading and writing; it must exist.</summary>
    ReadWrite,
    /// <summary>For reading and writing; it is made if it does not exist.</summary>
    OpenOrCreate,
    /// <summary>For reading and writing; it must not exist.</summary>
    CreateNew,
    /// <summary>For reading and writing; it is made, or emptied if it exists.</summary>
    Replace,
}

/// <summary>What a name stands for.</summary>
public enum VolumeKind
{
    /// <summary>An ordinary file.</summary>
    File,
    /// <summary>A directory.</summary>
    Directory,
    /// <summary>A symbolic link (only in listings).</summary>
    SymbolicLink,
    /// <summary>A socket, a pipe, a device, or unknown.</summary>
    Other,
}

/// <summary>Something happened to a name in a watched directory: it came or was written, or it is gone. Without a name: some news was missed, or the directory itself is gone.</summary>
public readonly record struct VolumeEvent(string? Name, bool Gone);

/// <summary>One entry of a directory. <paramref name="Modified"/> is the default where it was not asked for.</summary>
public readonly record struct VolumeEntry(string Name, VolumeKind Kind, ulong Inode, DateTimeOffset Modified);

/// <summary>What the file system knows of a file.</summary>
public readonly record struct VolumeStat(VolumeKind Kind, long Length, DateTimeOffset Modified, ulong Inode, int Links, ulong Device);
