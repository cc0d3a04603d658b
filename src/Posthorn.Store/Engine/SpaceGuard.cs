using System.Collections.Concurrent;
using Posthorn.Core;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Engine;

/// <summary>Refuses what would make mail grow while a volume is nearly full, before anything is recorded: what was accepted must find its place.</summary>
internal sealed class SpaceGuard(IVolume volume, MaildirStoreOptions options, TimeProvider time)
{
    /// <summary>How long a look at a volume counts. The reserve covers what comes in meanwhile.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    /// <summary>Accounts whose volume was looked at just now; above it all are looked at again.</summary>
    private const int Most = 1024;

    private readonly ConcurrentDictionary<string, (DateTimeOffset At, long Free)> _seen = new(StringComparer.Ordinal);

    /// <summary>Null when the account's volume and that of the catalogues have room for so many octets.</summary>
    internal Refusal? Check(MailAccount who, long octets) =>
        IsTight(who.MailRoot, octets) ? new(RefusalKind.NoSpace, "The mail volume is full, try again later")
        : IsTight(options.AccountsDirectory, 0) ? new(RefusalKind.NoSpace, "The server's disk is full, try again later")
        : null;

    private bool IsTight(string path, long octets)
    {
        DateTimeOffset now = time.GetUtcNow();
        if (!_seen.TryGetValue(path, out (DateTimeOffset At, long Free) seen) || now - seen.At > Fresh || now < seen.At || seen.Free - octets < options.SpaceReserve)
        {
            if (_seen.Count >= Most) _seen.Clear();
            _seen[path] = seen = (now, volume.TryStat(path, out _) ? volume.FreeSpace(path) : long.MaxValue);
        }

        return seen.Free - octets < options.SpaceReserve;
    }
}
