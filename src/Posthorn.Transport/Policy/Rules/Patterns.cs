using System.Net;
using Posthorn.Core;

namespace Posthorn.Transport.Policy.Rules;

/// <summary>A list of which the first entry that fits decides; one behind <c>!</c> decides against. Where nothing fits, only a list of nothing but <c>!</c> entries holds.</summary>
internal static class PatternList
{
    public static bool Holds<T>(IReadOnlyList<(bool Against, T Pattern)> entries, Func<T, bool> fits)
    {
        bool onlyAgainst = true;
        foreach ((bool against, T pattern) in entries)
        {
            if (fits(pattern)) return !against;
            onlyAgainst &= against;
        }
        return onlyAgainst;
    }
}

/// <summary>Names of hosts: <c>name</c>, <c>.domain</c> for all below, <c>unknown</c> for none.</summary>
public sealed class NamePatterns
{
    private readonly IReadOnlyList<(bool, string)> _entries;

    private NamePatterns(IReadOnlyList<(bool, string)> entries) => _entries = entries;

    /// <summary>Reads them; null and the one that is none.</summary>
    public static NamePatterns? Read(IEnumerable<string> texts, out string wrong)
    {
        List<(bool, string)> entries = [];
        wrong = "";
        foreach (string text in texts)
        {
            string name = text.TrimStart('!').ToLowerInvariant();
            wrong = text;
            if (name != "unknown" && name is not ['[', .., ']'] && !DomainName.TryCreate(name.TrimStart('.'), out _)) return null;
            entries.Add((text.StartsWith('!'), name));
        }
        return new(entries);
    }

    public bool Hold(string? name)
    {
        string plain = name is { Length: > 0 } ? name.TrimEnd('.').ToLowerInvariant() : "unknown";
        return PatternList.Holds(_entries, pattern => pattern[0] == '.' ? plain.EndsWith(pattern, StringComparison.Ordinal) : plain == pattern);
    }
}

/// <summary>Addresses of mail: <c>user@domain</c>, <c>domain</c>, <c>.domain</c> for all below, <c>user@</c> in every domain, <c>&lt;&gt;</c> for the null sender, <c>*</c> for all.</summary>
public sealed class AddressPatterns
{
    private readonly IReadOnlyList<(bool, string)> _entries;

    private AddressPatterns(IReadOnlyList<(bool, string)> entries) => _entries = entries;

    /// <summary>Reads them; null and the one that is none.</summary>
    public static AddressPatterns? Read(IEnumerable<string> texts, out string wrong)
    {
        List<(bool, string)> entries = [];
        wrong = "";
        foreach (string text in texts)
        {
            wrong = text;
            if (Normal(text.TrimStart('!')) is not { } pattern) return null;
            entries.Add((text.StartsWith('!'), pattern));
        }
        return new(entries);
    }

    public bool Hold(ReversePath path) => PatternList.Holds(_entries, pattern => path.IsNull ? pattern is "<>" or "*" : Fits(pattern, path.Address));

    public bool Hold(EmailAddress address) => PatternList.Holds(_entries, pattern => Fits(pattern, address));

    private static string? Normal(string text)
    {
        if (text is "<>" or "*") return text;
        if (text.EndsWith('@')) return text.Length > 1 ? text.ToLowerInvariant() : null;
        if (text.Contains('@', StringComparison.Ordinal)) return EmailAddress.TryParse(text, out EmailAddress address) ? address.ToString().ToLowerInvariant() : null;
        bool below = text.StartsWith('.');
        return DomainName.TryCreate(below ? text[1..] : text, out DomainName domain) ? (below ? "." : "") + domain.Ascii : null;
    }

    private static bool Fits(string pattern, EmailAddress address)
    {
        if (pattern is "*") return true;
        if (pattern is "<>") return false;
        if (pattern[^1] == '@') return address.LocalPart.Equals(pattern[..^1], StringComparison.OrdinalIgnoreCase);
        if (pattern[0] == '.') return address.Domain.Ascii.EndsWith(pattern, StringComparison.Ordinal);
        if (pattern.Contains('@', StringComparison.Ordinal)) return address.ToString().Equals(pattern, StringComparison.OrdinalIgnoreCase);
        return address.Domain.Ascii == pattern;
    }
}

/// <summary>Networks and single addresses.</summary>
public sealed class NetworkPatterns
{
    private readonly IReadOnlyList<(bool, IPNetwork)> _entries;

    private NetworkPatterns(IReadOnlyList<(bool, IPNetwork)> entries) => _entries = entries;

    /// <summary>Reads them; null and the one that is none.</summary>
    public static NetworkPatterns? Read(IEnumerable<string> texts, out string wrong)
    {
        List<(bool, IPNetwork)> entries = [];
        wrong = "";
        foreach (string text in texts)
        {
            wrong = text;
            string plain = text.TrimStart('!');
            if (!IPNetwork.TryParse(plain, out IPNetwork network))
            {
                if (!IPAddress.TryParse(plain, out IPAddress? address)) return null;
                network = new(address, address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128);
            }
            entries.Add((text.StartsWith('!'), network));
        }
        return new(entries);
    }

    public bool Hold(IPAddress address) => PatternList.Holds(_entries, network => network.Contains(address));
}
