using System.Collections.Concurrent;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Engine;

/// <summary>How much room mail volumes have, asked again after a moment: each question costs three calls of the system, and RCPT asks.</summary>
/// <remarks>What may come in meanwhile is less than the reserve that is kept free.</remarks>
internal sealed class FreeSpace(IVolume volume, TimeProvider time)
{
    private static readonly TimeSpan Valid = TimeSpan.FromMilliseconds(100);

    // Accounts that had mail just now; above it all are asked again.
    private const int Most = 1024;

    private readonly ConcurrentDictionary<string, (long Asked, long Octets)> _known = new(StringComparer.Ordinal);

    internal long Free(string root)
    {
        if (_known.TryGetValue(root, out (long Asked, long Octets) known) && time.GetElapsedTime(known.Asked) < Valid) return known.Octets;
        if (_known.Count >= Most) _known.Clear();
        long octets = volume.FreeSpace(root);
        _known[root] = (time.GetTimestamp(), octets);
        return octets;
    }
}
