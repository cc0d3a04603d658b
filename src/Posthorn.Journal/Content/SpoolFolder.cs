using System.Globalization;
using Posthorn.Journal.Volume;

namespace Posthorn.Journal.Content;

/// <summary>The folder of large messages, each in a file of its own. A file is named by a number that is never used twice while a record may name it.</summary>
internal sealed class SpoolFolder(IVolume volume, string folder)
{
    private long _last;

    /// <summary>Numbers start behind this one.</summary>
    internal void StartAfter(long id) => _last = Math.Max(_last, id);

    internal (long Id, IVolumeFile File) Create()
    {
        long id = Interlocked.Increment(ref _last);
        return (id, volume.Open(PathOf(id), VolumeOpen.CreateNew));
    }

    internal IVolumeFile Open(long id) => volume.Open(PathOf(id), VolumeOpen.Read);

    internal bool TryStat(long id, out VolumeStat stat) => volume.TryStat(PathOf(id), out stat);

    internal void SyncNames() => volume.SyncDirectory(folder);

    internal void Remove(long id)
    {
        try
        {
            volume.Unlink(PathOf(id));
        }
        catch (VolumeException)
        {
            // What stays behind is removed by the next start: no record names it.
        }
    }

    /// <summary>The numbers of all files that lie there.</summary>
    internal IEnumerable<long> All()
    {
        foreach (VolumeEntry entry in volume.List(folder, times: false))
        {
            if (long.TryParse(entry.Name, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long id)) yield return id;
        }
    }

    private string PathOf(long id) => $"{folder}/{id:x16}";
}
