using Posthorn.Journal.Volume;

namespace Posthorn.Store.Engine;

/// <summary>The volume as one account's tree sees it: what may be done to files behind the answer waits here, in its order, and is done before anybody looks (docs/adr/0012).</summary>
/// <remarks>
/// Locking: a lock of its own, after the account's locks and before that of <see cref="DelayedFiles"/>. What waits never takes another one.
/// A crash forgets what waits. That is as if the disk had lost it, and replay mends it: no checkpoint passes a record before its files are as it says.
/// </remarks>
internal sealed class FilesBehind(IVolume inner, int most) : IVolume
{
    private readonly Lock _gate = new();
    private readonly Queue<Action> _waiting = [];
    private volatile bool _isAny;

    /// <summary>Whether anything may wait at all.</summary>
    internal bool IsOn => most > 0;

    /// <summary>Lets work follow. More than may wait is done at once.</summary>
    internal void Follow(Action work)
    {
        lock (_gate)
        {
            _waiting.Enqueue(work);
            _isAny = true;
            if (_waiting.Count >= most) Settle();
        }
    }

    /// <summary>Does what waits.</summary>
    internal void Settle()
    {
        if (!_isAny) return;
        lock (_gate)
        {
            while (_waiting.TryPeek(out Action? work))
            {
                work(); // stays the first where it throws
                _waiting.Dequeue();
            }

            _isAny = false;
        }
    }

    /// <summary>Forgets what waits, as a crash does.</summary>
    internal void Drop()
    {
        lock (_gate)
        {
            _waiting.Clear();
            _isAny = false;
        }
    }

    // Who does what waits looks at the disk as it is meanwhile.
    private IVolume Seen
    {
        get
        {
            if (_isAny && !_gate.IsHeldByCurrentThread) Settle();
            return inner;
        }
    }

    public IVolumeFile Open(string path, VolumeOpen mode) => Seen.Open(path, mode);
    public void MakeDirectory(string path) => Seen.MakeDirectory(path);
    public void RemoveDirectory(string path) => Seen.RemoveDirectory(path);
    public void Link(string existing, string name) => Seen.Link(existing, name);
    public void Rename(string source, string target) => Seen.Rename(source, target);
    public void RenameNew(string source, string target) => Seen.RenameNew(source, target);
    public void MakeSymbolicLink(string target, string name) => Seen.MakeSymbolicLink(target, name);
    public bool TryReadLink(string path, out string target) => Seen.TryReadLink(path, out target);
    public void Unlink(string path) => Seen.Unlink(path);
    public IReadOnlyList<VolumeEntry> List(string path, bool times) => Seen.List(path, times);
    public bool TryStat(string path, out VolumeStat stat) => Seen.TryStat(path, out stat);
    public bool MayWrite(string directory) => Seen.MayWrite(directory);
    public void SetModified(string path, DateTimeOffset time) => Seen.SetModified(path, time);
    public void SyncDirectory(string path) => Seen.SyncDirectory(path);
    public void SyncVolume(string path) => Seen.SyncVolume(path);
    public IDisposable? Watch(string directory, Action<VolumeEvent> changed) => inner.Watch(directory, changed);
    public long FreeSpace(string path) => inner.FreeSpace(path);
}
