using System.Collections.Concurrent;
using System.Diagnostics;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Engine;

/// <summary>The volume as the store writes to it: what we do in watched directories is remembered for a while, so that its echo is not taken for another program's doing.</summary>
internal sealed class NotedVolume(IVolume inner) : IVolume
{
    /// <summary>An echo comes within milliseconds; a machine that stands still for a moment needs more.</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, int> _watched = new(StringComparer.Ordinal);
    private readonly OwnDoings _own = new(Memory, mostKept: 200_000);

    public IVolumeFile Open(string path, VolumeOpen mode)
    {
        if (mode is not (VolumeOpen.Read or VolumeOpen.ReadWrite)) Note(path, gone: false);
        return inner.Open(path, mode);
    }

    public void Link(string existing, string name)
    {
        Note(name, gone: false);
        inner.Link(existing, name);
    }

    public void Rename(string source, string target)
    {
        Note(source, gone: true);
        Note(target, gone: false);
        inner.Rename(source, target);
    }

    public void RenameNew(string source, string target)
    {
        Note(source, gone: true);
        Note(target, gone: false);
        inner.RenameNew(source, target);
    }

    public void Unlink(string path)
    {
        Note(path, gone: true);
        inner.Unlink(path);
    }

    public void MakeDirectory(string path) => inner.MakeDirectory(path);
    public void RemoveDirectory(string path) => inner.RemoveDirectory(path);
    public IReadOnlyList<VolumeEntry> List(string path, bool times) => inner.List(path, times);
    public bool TryStat(string path, out VolumeStat stat) => inner.TryStat(path, out stat);
    public void MakeSymbolicLink(string target, string path) => inner.MakeSymbolicLink(target, path);
    public bool TryReadLink(string path, out string target) => inner.TryReadLink(path, out target);
    public bool MayWrite(string directory) => inner.MayWrite(directory);
    public void SetModified(string path, DateTimeOffset time) => inner.SetModified(path, time);
    public void SyncDirectory(string path) => inner.SyncDirectory(path);
    public void SyncVolume(string path) => inner.SyncVolume(path);
    public long FreeSpace(string path) => inner.FreeSpace(path);

    /// <summary>Tells of what others do in a directory.</summary>
    public IDisposable? Watch(string directory, Action<VolumeEvent> changed)
    {
        _watched.AddOrUpdate(directory, 1, static (_, users) => users + 1); // before the watch, so that nothing of ours is missed
        IDisposable? watch = inner.Watch(directory, change =>
        {
            if (change.Name is not { } name || !_own.Has((directory, name, change.Gone), Stopwatch.GetTimestamp())) changed(change);
        });
        if (watch is null) Forget(directory);
        return watch is null ? null : new Watched(this, directory, watch);
    }

    private void Note(string path, bool gone)
    {
        if (_watched.IsEmpty) return;
        int slash = path.LastIndexOf('/');
        string directory = path[..slash];
        if (!_watched.ContainsKey(directory)) return;
        _own.Add((directory, path[(slash + 1)..], gone), Stopwatch.GetTimestamp());
    }

    private void Forget(string directory)
    {
        if (_watched.AddOrUpdate(directory, 0, static (_, users) => users - 1) <= 0) _watched.TryRemove(new(directory, 0));
    }

    private sealed class Watched(NotedVolume owner, string directory, IDisposable inner) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 1) return;
            inner.Dispose();
            owner.Forget(directory);
        }
    }
}
