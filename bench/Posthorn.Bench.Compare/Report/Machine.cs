using System.Globalization;

namespace Posthorn.Bench.Compare.Report;

/// <summary>Where it was measured.</summary>
internal sealed record Machine(string Processor, int Cores, double MemoryGiB, string FileSystem, string Kernel)
{
    internal static Machine This() => new(
        Field("/proc/cpuinfo", "model name"),
        Environment.ProcessorCount,
        Math.Round(double.Parse(Field("/proc/meminfo", "MemTotal").Split(' ')[0], CultureInfo.InvariantCulture) / (1 << 20)),
        FileSystemOf(Path.GetTempPath()),
        File.ReadAllText("/proc/sys/kernel/osrelease").Trim());

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Processor}, {Cores} cores, {MemoryGiB:F0} GiB, {FileSystem}, Linux {Kernel}");

    private static string Field(string file, string name)
    {
        foreach (string line in File.ReadLines(file))
            if (line.StartsWith(name, StringComparison.Ordinal)) return line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        return "unknown";
    }

    private static string FileSystemOf(string path)
    {
        string[] best = ["", "/", "unknown"];
        foreach (string line in File.ReadLines("/proc/mounts"))
        {
            string[] f = line.Split(' ');
            if (path.StartsWith(f[1], StringComparison.Ordinal) && f[1].Length >= best[1].Length) best = f;
        }

        return best[2];
    }
}
