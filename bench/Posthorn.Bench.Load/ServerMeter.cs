using System.Globalization;

namespace Posthorn.Bench.Load;

/// <summary>What the processes of a server use, by <c>/proc</c>: the trees below some roots, with the children that have ended and were waited for.</summary>
public sealed class ServerMeter(params IReadOnlyList<int> roots)
{
    // USER_HZ of every Linux that matters; the kernel scales to it.
    private const double TicksPerSecond = 100;

    /// <summary>CPU seconds until now.</summary>
    public double Cpu()
    {
        long ticks = 0;
        foreach (int process in Processes())
            if (Fields(process) is { } f) ticks += Number(f[11]) + Number(f[12]) + Number(f[13]) + Number(f[14]); // own and waited-for children's, user and system
        return ticks / TicksPerSecond;
    }

    /// <summary>Proportional memory in KiB: what is shared counts once over all of them.</summary>
    public long ProportionalKiB() => Processes().Sum(process => Rollup(process, "Pss:"));

    /// <summary>All living processes of the server.</summary>
    public IReadOnlyList<int> Processes()
    {
        Dictionary<int, List<int>> children = [];
        foreach (string path in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out int process) || Fields(process) is not { } f) continue;
            int parent = (int)Number(f[1]);
            if (!children.TryGetValue(parent, out List<int>? list)) children[parent] = list = [];
            list.Add(process);
        }

        List<int> found = [.. roots.Where(root => Directory.Exists($"/proc/{root}"))];
        for (int i = 0; i < found.Count; i++)
            if (children.TryGetValue(found[i], out List<int>? below)) found.AddRange(below);
        return found;
    }

    /// <summary>CPU seconds of the whole machine, all programs.</summary>
    public static double MachineCpu()
    {
        string[] f = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return Enumerable.Range(1, 8).Where(i => i is not (4 or 5)).Sum(i => Number(f[i])) / TicksPerSecond; // without idle and waiting for disks
    }

    private static string[]? Fields(int process)
    {
        try
        {
            string text = File.ReadAllText($"/proc/{process}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null; // it ended meanwhile
        }
    }

    private static long Rollup(int process, string key)
    {
        try
        {
            foreach (string line in File.ReadLines($"/proc/{process}/smaps_rollup"))
                if (line.StartsWith(key, StringComparison.Ordinal)) return Number(line[key.Length..].Replace("kB", "", StringComparison.Ordinal).Trim());
        }
        catch (IOException)
        {
            // It ended meanwhile.
        }

        return 0;
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
