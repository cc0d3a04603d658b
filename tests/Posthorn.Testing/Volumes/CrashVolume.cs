using Posthorn.Journal.Volume;

namespace Posthorn.Testing.Volumes;

/// <summary>A volume in memory that knows what was synced and what was not, and can lose the latter in every way that a disk may.</summary>
/// <remarks>
/// What it takes as legal after <see cref="Crash"/>: each 512-byte sector of a file holds its synced version or any written since;
/// a length that was not synced is any it had since; each link, unlink, mkdir and rmdir is there or not, independently of
/// each other and of the files; a rename is there wholly or not, and never in the place of a directory that another one had moved away; names of one inode share its content.
/// After a failed sync the sectors stay in doubt: a later sync that succeeds does not cover them.
/// Change operations are counted; the power goes at the one that <see cref="CutAt"/> names. All members take one lock.
/// </remarks>
public sealed class CrashVolume : IVolume
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly List<NameChange> _changes = [];
    private readonly CrashInode _root;
    private ulong _lastInode;
    private bool _cut;

    public CrashVolume(TimeProvider time)
    {
        _time = time;
        _root = NewInode(VolumeKind.Directory);
    }

    /// <summary>Change operations so far.</summary>
    public int Operations { get; private set; }

    /// <summary>How often it was asked what stands at a name.</summary>
    public long Looks { get; private set; }

    /// <summary>The operation at which the power goes, counted as <see cref="Operations"/>: it may be half done. Null for never.</summary>
    public int? CutAt { get; set; }

    /// <summary>Asked before each change with its name (<c>write</c>, <c>sync</c>, <c>rename</c>…) and path: an answer makes it fail so.</summary>
    public Func<string, string, VolumeError?>? Fault { get; set; }

    /// <summary>Asked before each change and each <c>list</c>, outside the lock: it may block, as a volume that hangs does.</summary>
    public Action<string, string>? Before { get; set; }

    /// <summary>Told of each change that was tried, for the report of a failure.</summary>
    public Action<string>? Trace { get; set; }

    /// <summary>Directories in which modes and owners let nothing be changed, for who asks before trying.</summary>
    public Func<string, bool>? Forbidden { get; set; }

    /// <summary>All changes fail.</summary>
    public bool ReadOnly { get; set; }

    /// <summary>Bytes of all files together; what would exceed it fails with <see cref="VolumeError.NoSpace"/>.</summary>
    public long Capacity { get; set; } = long.MaxValue;

    /// <summary>Top-level directories that are volumes of their own: synced by themselves, and no link leads into them. All else is one more.</summary>
    public IReadOnlyList<string> Volumes { get; set; } = [];

    /// <summary>How many times a file was synced.</summary>
    public int Syncs { get; private set; }

    /// <summary>How many writes to files there were.</summary>
    public int Writes { get; private set; }

    internal int Generation { get; private set; }

    /// <summary>Cuts the power now, unless it is cut already, and comes back with an arbitrary state that a disk could then hold. Open files are dead. Faults stay set, the count begins anew.</summary>
    public void Crash(int seed)
    {
        lock (_gate)
        {
#pragma warning disable CA5394 // A test must be repeatable, not unpredictable.
            Random random = new(seed);
            CrashMode mode = (CrashMode)random.Next(4);
            foreach (NameChange change in _changes)
            {
                bool kept = change.Durable || mode switch
                {
                    CrashMode.KeepNothing => false,
                    CrashMode.KeepAll => true,
                    CrashMode.KeepMost => random.Next(16) != 0,
                    _ => random.Next(2) == 0,
                };
                if (kept && (change.Durable || !change.WouldBury)) change.Apply(durable: true);
            }

            _changes.Clear();
            HashSet<CrashInode> seen = [];
            Settle(_root, random, mode, seen);
            Generation++;
            (_cut, CutAt, Operations) = (false, null, 0);
#pragma warning restore CA5394
        }
    }

    public IVolumeFile Open(string path, VolumeOpen mode)
    {
        lock (_gate)
        {
            ThrowIfCut();
            path = Followed(path, "open");
            (CrashInode directory, string name) = Parent(path, "open");
            bool exists = directory.Names.TryGetValue(name, out CrashInode? inode);
            if (exists && inode!.Kind == VolumeKind.Directory) throw Error(VolumeError.IsDirectory, "open", path);
            if (exists && mode == VolumeOpen.CreateNew) throw Error(VolumeError.Exists, "open", path);
            if (!exists && mode is VolumeOpen.Read or VolumeOpen.ReadWrite && !exists) throw Error(VolumeError.Missing, "open", path);
            if (!exists)
            {
                inode = NewInode(VolumeKind.File);
                CrashInode made = inode;
                Change("create", path, () => Name(new(directory, name, made)));
            }
            else if (mode == VolumeOpen.Replace)
            {
                Change("truncate", path, () => inode!.SetLength(0));
            }

            return new CrashFile(this, inode!, path, Generation, mode != VolumeOpen.Read);
        }
    }

    public void MakeDirectory(string path)
    {
        Before?.Invoke("mkdir", path);
        lock (_gate)
        {
            (CrashInode directory, string name) = Parent(path, "mkdir");
            if (directory.Names.ContainsKey(name)) throw Error(VolumeError.Exists, "mkdir", path);
            Change("mkdir", path, () => Name(new(directory, name, NewInode(VolumeKind.Directory))));
        }
    }

    public void RemoveDirectory(string path)
    {
        Before?.Invoke("rmdir", path);
        lock (_gate)
        {
            CrashInode inode = Find(path, "rmdir");
            if (inode.Kind != VolumeKind.Directory) throw Error(VolumeError.NotDirectory, "rmdir", path);
            if (inode.Names.Count > 0) throw Error(VolumeError.NotEmpty, "rmdir", path);
            (CrashInode directory, string name) = Parent(path, "rmdir");
            Change("rmdir", path, () => Name(new(directory, name, null)));
        }
    }

    public void Link(string existing, string name)
    {
        Before?.Invoke("link", name);
        lock (_gate)
        {
            CrashInode inode = Find(existing, "link");
            if (inode.Kind == VolumeKind.Directory) throw Error(VolumeError.Permission, "link", existing);
            (CrashInode directory, string last) = Parent(name, "link");
            if (directory.Names.ContainsKey(last)) throw Error(VolumeError.Exists, "link", name);
            Change("link", name, () => Name(new(directory, last, inode)));
        }
    }

    public void Rename(string source, string target) => Rename(source, target, replace: true);

    public void RenameNew(string source, string target) => Rename(source, target, replace: false);

    public void MakeSymbolicLink(string target, string name)
    {
        Before?.Invoke("symlink", name);
        lock (_gate)
        {
            (CrashInode directory, string last) = Parent(name, "symlink");
            if (directory.Names.ContainsKey(last)) throw Error(VolumeError.Exists, "symlink", name);
            Change("symlink", name, () => Name(new(directory, last, new(++_lastInode, VolumeKind.SymbolicLink) { Modified = _time.GetUtcNow(), LinkTarget = target })));
        }
    }

    public bool TryReadLink(string path, out string target)
    {
        lock (_gate)
        {
            ThrowIfCut();
            target = "";
            if (!TryFind(path, out CrashInode? inode) || inode.Kind != VolumeKind.SymbolicLink) return false;
            target = inode.LinkTarget;
            return true;
        }
    }

    public void Unlink(string path)
    {
        Before?.Invoke("unlink", path);
        lock (_gate)
        {
            if (Find(path, "unlink").Kind == VolumeKind.Directory) throw Error(VolumeError.IsDirectory, "unlink", path);
            (CrashInode directory, string name) = Parent(path, "unlink");
            Change("unlink", path, () => Name(new(directory, name, null)));
        }
    }

    public IReadOnlyList<VolumeEntry> List(string path, bool times)
    {
        Before?.Invoke("list", path);
        lock (_gate)
        {
            CrashInode directory = Find(path, "list");
            if (directory.Kind != VolumeKind.Directory) throw Error(VolumeError.NotDirectory, "list", path);
            return [.. directory.Names.Select(entry => new VolumeEntry(entry.Key, entry.Value.Kind, entry.Value.Number, times ? entry.Value.Modified : default))];
        }
    }

    public bool TryStat(string path, out VolumeStat stat)
    {
        lock (_gate)
        {
            ThrowIfCut();
            Looks++;
            stat = default;
            if (!TryFind(Followed(path, "stat"), out CrashInode? inode)) return false;
            stat = StatOf(inode) with { Device = DeviceOf(path) };
            return true;
        }
    }

    public bool MayWrite(string directory) => !ReadOnly && Forbidden?.Invoke(directory) != true && TryStat(directory, out _);

    public void SetModified(string path, DateTimeOffset time)
    {
        lock (_gate)
        {
            CrashInode inode = Find(path, "utimes");
            Change("utimes", path, () => inode.Modified = time);
        }
    }

    public void SyncDirectory(string path)
    {
        Before?.Invoke("sync", path);
        lock (_gate)
        {
            CrashInode directory = Find(path, "sync");
            Change("sync", path, () => Commit(change => change.Touches(directory)), cutFirst: true);
        }
    }

    public void SyncVolume(string path)
    {
        Before?.Invoke("syncfs", path);
        lock (_gate)
        {
            Find(path, "syncfs");
            HashSet<CrashInode> below = [];
            foreach ((string name, CrashInode inode) in _root.Names)
                if (DeviceOf("/" + name) == DeviceOf(path)) Collect(inode, below);
            bool rest = DeviceOf(path) == 1;
            try
            {
                Change("syncfs", path, () =>
                {
                    foreach (CrashInode inode in below)
                        if (inode.Kind == VolumeKind.File) inode.Sync();
                    Commit(change => Volumes.Count == 0 || below.Contains(change.Directory) || rest && change.Directory == _root);
                }, cutFirst: true);
            }
            catch (VolumeException)
            {
                foreach (CrashInode inode in below) inode.FailSync();
                throw;
            }
        }
    }

    /// <summary>It has no watches.</summary>
    public IDisposable? Watch(string directory, Action<VolumeEvent> changed) => null;

    public long FreeSpace(string path)
    {
        lock (_gate)
        {
            Find(path, "statvfs");
            return Capacity == long.MaxValue ? long.MaxValue : Math.Max(0, Capacity - Used());
        }
    }

    internal VolumeStat Stat(CrashFile file)
    {
        lock (_gate)
        {
            ThrowIfDead(file);
            return StatOf(file.Inode);
        }
    }

    internal long LengthOf(CrashFile file)
    {
        lock (_gate)
        {
            ThrowIfDead(file);
            return file.Inode.Length;
        }
    }

    internal int Read(CrashFile file, long offset, Span<byte> buffer)
    {
        Before?.Invoke("read", file.Path);
        lock (_gate)
        {
            ThrowIfDead(file);
            if (Fault?.Invoke("read", file.Path) is { } error) throw Error(error, "read", file.Path);
            return file.Inode.Read(offset, buffer);
        }
    }

    internal void Write(CrashFile file, long offset, ReadOnlyMemory<byte> data)
    {
        Before?.Invoke("write", file.Path);
        lock (_gate)
        {
            ThrowIfDead(file);
            if (!file.Writable) throw Error(VolumeError.Permission, "write", file.Path);
            long growth = Math.Max(0, offset + data.Length - file.Inode.Length);
            if (growth > 0 && Capacity != long.MaxValue && Used() + growth > Capacity) throw Error(VolumeError.NoSpace, "write", file.Path);
            Change("write", file.Path, () =>
            {
                Writes++;
                file.Inode.Write(offset, data.Span);
                file.Inode.Modified = _time.GetUtcNow();
            });
        }
    }

    internal void Truncate(CrashFile file, long length)
    {
        lock (_gate)
        {
            ThrowIfDead(file);
            Change("truncate", file.Path, () => file.Inode.SetLength(length));
        }
    }

    internal void Sync(CrashFile file)
    {
        Before?.Invoke("sync", file.Path);
        lock (_gate)
        {
            ThrowIfDead(file);
            try
            {
                Change("sync", file.Path, () =>
                {
                    Syncs++;
                    file.Inode.Sync();
                }, cutFirst: true);
            }
            catch (VolumeException)
            {
                file.Inode.FailSync();
                throw;
            }
        }
    }

    internal bool TryLock(CrashFile file)
    {
        lock (_gate)
        {
            ThrowIfDead(file);
            if (file.Inode.IsLocked) return false;
            return file.Inode.IsLocked = true;
        }
    }

    internal void Unlock(CrashFile file)
    {
        lock (_gate)
        {
            if (file.Generation == Generation) file.Inode.IsLocked = false;
        }
    }

    private void Rename(string source, string target, bool replace)
    {
        Before?.Invoke("rename", source);
        lock (_gate)
        {
            CrashInode inode = Find(source, "rename");
            (CrashInode directory, string name) = Parent(source, "rename");
            (CrashInode newDirectory, string newName) = Parent(target, "rename");
            if (inode.Kind == VolumeKind.Directory && target.StartsWith(source + "/", StringComparison.Ordinal)) throw Error(VolumeError.Invalid, "rename", source);
            if (newDirectory.Names.TryGetValue(newName, out CrashInode? there))
            {
                if (!replace) throw Error(VolumeError.Exists, "rename", target);
                if (there == inode) return; // two names of one file: nothing happens
                if (there.Kind == VolumeKind.Directory && inode.Kind != VolumeKind.Directory) throw Error(VolumeError.IsDirectory, "rename", target);
                if (there.Kind != VolumeKind.Directory && inode.Kind == VolumeKind.Directory) throw Error(VolumeError.NotDirectory, "rename", target);
                if (there.Names.Count > 0) throw Error(VolumeError.NotEmpty, "rename", target);
            }

            Change("rename", source, () => Name(new(directory, name, null) { Also = (newDirectory, newName, inode) }), target);
        }
    }

    /// <summary>One change operation: counted, refused, or cut short. A sync that is cut has not happened; anything else may have.</summary>
    private void Change(string operation, string path, Action apply, string target = "", bool cutFirst = false)
    {
        ThrowIfCut();
        Trace?.Invoke($"{operation} {path} {target}");
        Operations++;
        bool cut = CutAt is { } at && Operations >= at;
        if (cut && cutFirst) Cut();
        if (ReadOnly) throw Error(VolumeError.ReadOnly, operation, path);
        if (Fault?.Invoke(operation, path) is { } error)
        {
            Trace?.Invoke($"{operation} {path} is refused");
            throw Error(error, operation, path);
        }

        apply();
        if (cut) Cut();
    }

    private void Cut()
    {
        _cut = true;
        throw new PowerCut();
    }

    private void Name(NameChange change)
    {
        change.Apply(durable: false);
        change.Directory.Modified = _time.GetUtcNow();
        if (change.Also is { } also) also.Directory.Modified = _time.GetUtcNow();
        _changes.Add(change);
    }

    private void Commit(Predicate<NameChange> which)
    {
        foreach (NameChange change in _changes)
        {
            if (which(change)) change.Durable = true;
        }

        int done = 0;
        while (done < _changes.Count && _changes[done].Durable) _changes[done++].Apply(durable: true);
        _changes.RemoveRange(0, done);
    }

    private ulong DeviceOf(string path)
    {
        for (int i = 0; i < Volumes.Count; i++)
            if (path == Volumes[i] || path.StartsWith(Volumes[i] + "/", StringComparison.Ordinal)) return (ulong)i + 2;
        return 1;
    }

    private static void Collect(CrashInode inode, HashSet<CrashInode> seen)
    {
        if (!seen.Add(inode)) return;
        foreach (CrashInode child in inode.Names.Values) Collect(child, seen);
    }

    private static void Settle(CrashInode inode, Random random, CrashMode mode, HashSet<CrashInode> seen)
    {
        inode.Links++;
        if (!seen.Add(inode)) return;
        inode.Links = 1;
        inode.Crash(random, mode);
        foreach (string name in inode.Names.Keys.Order(StringComparer.Ordinal)) Settle(inode.Names[name], random, mode, seen);
    }

    private void ThrowIfCut()
    {
        if (_cut) throw new PowerCut();
    }

    private void ThrowIfDead(CrashFile file)
    {
        ThrowIfCut();
        if (file.Generation != Generation) throw new PowerCut();
        ObjectDisposedException.ThrowIf(file.IsClosed, file);
    }

    private CrashInode NewInode(VolumeKind kind) => new(++_lastInode, kind) { Modified = _time.GetUtcNow() };

    private static VolumeStat StatOf(CrashInode inode) => new(inode.Kind, inode.Length, inode.Modified, inode.Number, inode.Links, 1);

    private static IEnumerable<CrashInode> Names(CrashInode directory)
    {
        foreach (CrashInode child in directory.Names.Values)
        {
            yield return child;
            foreach (CrashInode below in Names(child)) yield return below;
        }
    }

    private long Used() => Names(_root).Distinct().Sum(inode => inode.Length);

    private CrashInode Find(string path, string operation)
    {
        ThrowIfCut();
        return TryFind(path, out CrashInode? inode) ? inode : throw Error(VolumeError.Missing, operation, path);
    }

    // The last name alone may be a link; tests need no more.
    private string Followed(string path, string operation)
    {
        for (int i = 0; i < 8; i++)
        {
            if (!TryFind(path, out CrashInode? inode) || inode.Kind != VolumeKind.SymbolicLink) return path;
            path = inode.LinkTarget.StartsWith('/') ? inode.LinkTarget : path[..(path.LastIndexOf('/') + 1)] + inode.LinkTarget;
        }

        throw Error(VolumeError.Io, operation, path);
    }

    private bool TryFind(string path, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CrashInode? inode)
    {
        inode = _root;
        foreach (string part in Parts(path))
        {
            if (!inode.Names.TryGetValue(part, out inode)) return false;
        }

        return true;
    }

    private (CrashInode Directory, string Name) Parent(string path, string operation)
    {
        ThrowIfCut();
        string[] parts = Parts(path);
        CrashInode directory = _root;
        foreach (string part in parts.AsSpan(0, parts.Length - 1))
        {
            if (!directory.Names.TryGetValue(part, out CrashInode? next)) throw Error(VolumeError.Missing, operation, path);
            if (next.Kind != VolumeKind.Directory) throw Error(VolumeError.NotDirectory, operation, path);
            directory = next;
        }

        return (directory, parts[^1]);
    }

    private static string[] Parts(string path)
    {
        PathBytes.Encode(path); // refuses what the real one refuses
        return path.Split('/', StringSplitOptions.RemoveEmptyEntries);
    }

    private static VolumeException Error(VolumeError error, string operation, string path) => new(error, operation, path, error.ToString());

    /// <summary>A change of names: one entry set (or removed, with null), and for a rename another with it.</summary>
    private sealed class NameChange(CrashInode directory, string name, CrashInode? target)
    {
        internal CrashInode Directory { get; } = directory;
        internal (CrashInode Directory, string Name, CrashInode Inode)? Also { get; init; }
        internal bool Durable { get; set; }

        /// <summary>It stands on the renaming of a directory that was lost: where that one still lies nothing else can be, and nothing can be taken away.</summary>
        internal bool WouldBury => Also is { } also && (IsOther(Directory, name, also.Inode) || IsOther(also.Directory, also.Name, also.Inode));

        private static bool IsOther(CrashInode directory, string name, CrashInode inode) =>
            directory.DurableNames.TryGetValue(name, out CrashInode? there) && there != inode && there is { Kind: VolumeKind.Directory, DurableNames.Count: > 0 };

        internal bool Touches(CrashInode inode) => Directory == inode || Also?.Directory == inode;

        internal void Apply(bool durable)
        {
            Set(Directory, name, target, durable);
            if (Also is { } also) Set(also.Directory, also.Name, also.Inode, durable);
        }

        private static void Set(CrashInode directory, string name, CrashInode? inode, bool durable)
        {
            Dictionary<string, CrashInode> names = durable ? directory.DurableNames : directory.Names;
            if (!durable)
            {
                if (names.TryGetValue(name, out CrashInode? old)) old.Links--;
                if (inode is not null) inode.Links++;
            }

            if (inode is null) names.Remove(name);
            else names[name] = inode;
        }
    }
}
