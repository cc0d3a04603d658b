using System.Globalization;

namespace Posthorn.Configuration;

/// <summary>Sizes and times as people write them.</summary>
public static class Units
{
    private static readonly (string Name, long Octets)[] Sizes =
    [
        ("TiB", 1L << 40), ("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("KB", 1_000), ("B", 1),
    ];

    private static readonly (string Name, long Seconds)[] Times = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

    /// <summary>Reads <c>50 MiB</c>, <c>10GB</c> or a bare number of octets.</summary>
    public static bool TryParseSize(string text, out long octets)
    {
        octets = 0;
        text = text.Trim();
        foreach ((string name, long unit) in Sizes)
            if (text.EndsWith(name, StringComparison.Ordinal)) return TryMultiply(text[..^name.Length], unit, out octets);
        return TryMultiply(text, 1, out octets);
    }

    /// <summary>Reads <c>5m</c>, <c>30s</c>, <c>1h30m</c>, <c>500ms</c>.</summary>
    public static bool TryParseDuration(string text, out TimeSpan span)
    {
        span = default;
        text = text.Trim();
        if (text.EndsWith("ms", StringComparison.Ordinal))
        {
            if (!TryMultiply(text[..^2], 1, out long ms)) return false;
            span = TimeSpan.FromMilliseconds(ms);
            return true;
        }
        long total = 0;
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsAsciiDigit(text[i])) continue;
            int unit = Array.FindIndex(Times, t => t.Name[0] == text[i]);
            if (unit < 0 || !TryMultiply(text[start..i], Times[unit].Seconds, out long part)) return false;
            total += part;
            start = i + 1;
        }
        if (start != text.Length || text.Length == 0 || total > TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerSecond) return false;
        span = TimeSpan.FromSeconds(total);
        return true;
    }

    /// <summary>Writes a size in the largest binary unit that divides it, or rounded.</summary>
    public static string Size(long octets)
    {
        foreach ((string name, long unit) in Sizes.Take(4))
            if (octets >= unit) return octets % unit == 0 ? $"{octets / unit} {name}" : string.Create(CultureInfo.InvariantCulture, $"{(double)octets / unit:0.#} {name}");
        return $"{octets} B";
    }

    /// <summary>Writes a time in the largest unit that divides it.</summary>
    public static string Duration(TimeSpan span)
    {
        if (span.Ticks % TimeSpan.TicksPerSecond != 0) return $"{(long)span.TotalMilliseconds}ms";
        long seconds = (long)span.TotalSeconds;
        foreach ((string name, long unit) in Times)
            if (seconds >= unit && seconds % unit == 0) return $"{seconds / unit}{name}";
        return $"{seconds}s";
    }

    private static bool TryMultiply(string digits, long unit, out long result)
    {
        result = 0;
        if (!long.TryParse(digits.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long number) || number > long.MaxValue / unit) return false;
        result = number * unit;
        return true;
    }
}
