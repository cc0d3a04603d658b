using System.Security.Cryptography;
using Posthorn.Core;
using Posthorn.Journal.Volume;

namespace Posthorn.Store.Scripts;

/// <summary>Script files as they were read last: a delivery then costs two calls of the system and no reading. Bounded; who is not asked for makes room.</summary>
public sealed class ScriptFiles(IVolume volume, TimeProvider time, long maxScript, long maxTotal)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Held> _held = [];
    private long _octets;
    private long _turn;

    /// <summary>Reads a file; <see cref="RefusalKind.NoSuchScript"/> when it is not there, <see cref="RefusalKind.TooBig"/> when no script may be so large.</summary>
    public Result<StoredScript> Read(string path, ScriptName? name)
    {
        if (!volume.TryStat(path, out VolumeStat stat) || stat.Kind != VolumeKind.File) return new Refusal(RefusalKind.NoSuchScript, "There is no such script");
        if (stat.Length > maxScript) return new Refusal(RefusalKind.TooBig, $"The script is larger than {maxScript} octets");
        lock (_gate)
        {
            if (_held.TryGetValue(path, out Held? held) && held.Stat == stat)
            {
                held.Turn = ++_turn;
                return held.Script with { Name = name };
            }
        }

        byte[] content = new byte[stat.Length];
        using (IVolumeFile file = volume.Open(path, VolumeOpen.Read)) content = content[..file.Read(0, content)];
        StoredScript script = new(name, content, Convert.ToHexStringLower(SHA256.HashData(content)));
        // Within the file system's grain of time an editor may write again without a trace in it.
        if (time.GetUtcNow() - stat.Modified > TimeSpan.FromSeconds(2)) Hold(path, new(stat, script));
        return script;
    }

    private void Hold(string path, Held held)
    {
        lock (_gate)
        {
            Drop(path);
            while (_octets + Cost(held) > maxTotal && _held.Count > 0) Drop(_held.MinBy(pair => pair.Value.Turn).Key);
            held.Turn = ++_turn;
            _held.Add(path, held);
            _octets += Cost(held);
        }
    }

    private void Drop(string path)
    {
        if (_held.Remove(path, out Held? old)) _octets -= Cost(old);
    }

    private static long Cost(Held held) => held.Script.Content.Length + 500;

    private sealed class Held(VolumeStat stat, StoredScript script)
    {
        internal VolumeStat Stat { get; } = stat;
        internal StoredScript Script { get; } = script;
        internal long Turn { get; set; }
    }
}
