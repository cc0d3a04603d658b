using System.Globalization;

namespace Posthorn.Trust.Sts;

/// <summary>What a domain wants done when its policy is not met (RFC 8461 section 5).</summary>
public enum StsMode
{
    None,
    Testing,
    Enforce,
}

/// <summary>A domain's policy for TLS to its servers (RFC 8461 section 3.2).</summary>
public sealed record StsPolicy(StsMode Mode, IReadOnlyList<string> Mx, TimeSpan MaxAge)
{
    /// <summary>The largest max_age, RFC 8461 section 3.2.</summary>
    private const long LongestAge = 31_557_600;

    /// <summary>Servers of one policy that are looked at. 100: the largest providers name some ten.</summary>
    private const int MaxMx = 100;

    /// <summary>Reads a policy; null with what is wrong.</summary>
    public static StsPolicy? Parse(string text, out string problem)
    {
        Dictionary<string, string> once = new(StringComparer.Ordinal);
        List<string> mx = [];
        problem = "";
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.TrimEnd('\r', ' ', '\t');
            if (line.Length == 0) continue;
            string[] pair = line.Split(':', 2);
            if (pair.Length != 2) return Wrong($"a line is no key and value: {Shown(line)}", out problem);
            string key = pair[0], value = pair[1].Trim(' ', '\t');
            if (key != "mx") once.TryAdd(key, value); // of repeated fields the first counts
            else if (!IsPattern(value)) return Wrong($"mx is no host name: {Shown(value)}", out problem);
            else if (mx.Count < MaxMx) mx.Add(value);
        }
        if (once.GetValueOrDefault("version") != "STSv1") return Wrong("version is not STSv1", out problem);
        StsMode? mode = once.GetValueOrDefault("mode") switch { "enforce" => StsMode.Enforce, "testing" => StsMode.Testing, "none" => StsMode.None, _ => null };
        if (mode is not { } known) return Wrong("mode is not enforce, testing or none", out problem);
        if (!long.TryParse(once.GetValueOrDefault("max_age"), NumberStyles.None, CultureInfo.InvariantCulture, out long age)) return Wrong("max_age is no number", out problem);
        if (mx.Count == 0 && known != StsMode.None) return Wrong("there is no mx", out problem);
        return new(known, mx, TimeSpan.FromSeconds(Math.Min(age, LongestAge)));
    }

    /// <summary>The lines of the policy, as reports quote them.</summary>
    public IReadOnlyList<string> Lines =>
        ["version: STSv1", $"mode: {Mode.ToString().ToLowerInvariant()}", .. Mx.Select(mx => $"mx: {mx}"), string.Create(CultureInfo.InvariantCulture, $"max_age: {(long)MaxAge.TotalSeconds}")];

    /// <summary>True when the host's name meets one of the patterns; a wildcard stands for one label (RFC 8461 section 4.1).</summary>
    public bool Allows(string host)
    {
        foreach (string pattern in Mx)
        {
            if (pattern.Equals(host, StringComparison.OrdinalIgnoreCase)) return true;
            if (!pattern.StartsWith("*.", StringComparison.Ordinal)) continue;
            int dot = host.IndexOf('.', StringComparison.Ordinal);
            if (dot > 0 && host.AsSpan(dot + 1).Equals(pattern.AsSpan(2), StringComparison.OrdinalIgnoreCase)) return true;
        }
        return false;
    }

    private static bool IsPattern(string value)
    {
        ReadOnlySpan<char> name = value.StartsWith("*.", StringComparison.Ordinal) ? value.AsSpan(2) : value;
        if (name.Length is 0 or > 253) return false;
        foreach (char c in name)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.' or '_')) return false;
        return true;
    }

    private static string Shown(string text) => text.Length <= 60 ? text : text[..60] + "...";

    private static StsPolicy? Wrong(string text, out string problem)
    {
        problem = text;
        return null;
    }
}
