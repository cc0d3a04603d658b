using Posthorn.Transport.Trace;

namespace Posthorn.Configuration;

/// <summary>Reads <c>[trace]</c>: what is kept of the life of messages.</summary>
internal static class TraceBinder
{
    private const long MiB = 1 << 20;

    public static TraceOptions Read(ConfigReader reader, string data)
    {
        TraceOptions usual = new() { Folder = Path.Combine(data, "trace") };
        return usual with
        {
            IsOn = reader.Flag("enabled", usual.IsOn),
            Keep = reader.Duration("keep", usual.Keep, TimeSpan.FromHours(1), TimeSpan.FromDays(3650)),
            MaxSize = reader.Size("size", usual.MaxSize, 16 * MiB, 1024L * 1024 * MiB),
            Redact = reader.Flag("redact", usual.Redact),
            Refusals = reader.Flag("refusals", usual.Refusals),
        };
    }
}
