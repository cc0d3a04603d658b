using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Journal.Volume;

namespace Posthorn.Transport.Filtering;

/// <summary>The log beside an account's active script, <c>.dovecot.sieve.log</c>, where its owner finds what went wrong. Bounded: a full one is put aside, in place of the one before.</summary>
/// <remarks>Nothing depends on it: it is not synced, and what cannot be written is not written.</remarks>
internal sealed class OwnerLog(IVolume volume, TimeProvider time)
{
    private readonly Lock _gate = new();

    /// <summary>Adds lines; false when the home is not there or does not take them.</summary>
    public bool TryWrite(MailAccount account, IReadOnlyCollection<string> lines, long maxSize)
    {
        if (lines.Count == 0) return true;
        string path = $"{account.Home}/.dovecot.sieve.log";
        StringBuilder text = new();
        string stamp = time.GetLocalNow().ToString("MMM dd HH:mm:ss", CultureInfo.InvariantCulture);
        foreach (string line in lines) text.Append(stamp).Append(' ').Append("sieve: ").Append(OneLine(line)).Append('\n');
        try
        {
            if (!volume.TryStat(account.Home, out _)) return false;
            lock (_gate)
            {
                if (volume.TryStat(path, out VolumeStat stat) && stat.Length >= maxSize) volume.Rename(path, path + ".0");
                using IVolumeFile file = volume.Open(path, VolumeOpen.OpenOrCreate);
                file.Write(file.Length, Encoding.UTF8.GetBytes(text.ToString()));
            }
            return true;
        }
        catch (VolumeException) { return false; }
    }

    // A script's words must not become lines of the log.
    private static string OneLine(string text) => string.Create(Math.Min(text.Length, 1000), text, static (line, source) =>
    {
        for (int i = 0; i < line.Length; i++) line[i] = char.IsControl(source[i]) ? ' ' : source[i];
    });
}
