using Posthorn.Sieve;

namespace Posthorn.Configuration;

/// <summary>Reads the settings of single extensions in <c>[sieve]</c>: whose address mail of scripts has, what the spam and virus checkers write, which header fields are protected.</summary>
internal static class SieveLanguageBinder
{
    private static readonly Dictionary<string, SieveSenderPolicy> Policies = new()
    {
        ["sender"] = SieveSenderPolicy.Sender, ["recipient"] = SieveSenderPolicy.Recipient, ["original-recipient"] = SieveSenderPolicy.OriginalRecipient,
        ["owner"] = SieveSenderPolicy.Owner, ["postmaster"] = SieveSenderPolicy.Postmaster,
    };

    private static readonly Dictionary<string, SieveScoreKind> Kinds = new() { ["score"] = SieveScoreKind.Score, ["length"] = SieveScoreKind.Length, ["text"] = SieveScoreKind.Text };

    /// <summary>One of the words, or a fixed address in angle brackets; the fallback where nothing is set.</summary>
    public static SieveSender? Sender(ConfigReader reader, string key, SieveSender? fallback)
    {
        if (reader.OptionalText(key) is not { } text) return fallback;
        if (Policies.TryGetValue(text, out SieveSenderPolicy policy)) return new(policy);
        if (text is ['<', .. { } address, '>'] && Core.EmailAddress.TryParse(address, out Core.EmailAddress fixedTo)) return new(SieveSenderPolicy.Fixed, fixedTo.ToString());
        reader.Problem(reader.PlaceOf(key), $"'sieve.{key}' is \"{text}\"; expected {string.Join(", ", Policies.Keys.Select(k => $"\"{k}\""))} or an address such as \"<filter@example.com>\"");
        return fallback;
    }

    /// <summary>The verdict that a checker writes into the header (RFC 5235).</summary>
    public static SieveScoreSettings Score(ConfigReader reader, string prefix, SieveScoreKind fallback, int top)
    {
        (string header, string? pattern) = HeaderAndPattern(reader, prefix + "-header");
        (string maxHeader, string? maxPattern) = HeaderAndPattern(reader, prefix + "-max-header");
        Dictionary<int, string> texts = [];
        IReadOnlyList<string> words = reader.Texts(prefix + "-texts", []);
        if (words.Count > top + 1) reader.Problem(reader.PlaceOf(prefix + "-texts"), $"'sieve.{prefix}-texts' has {words.Count} texts; expected one for each value from 0 to {top}");
        for (int i = 0; i < Math.Min(words.Count, top + 1); i++)
            if (words[i].Length > 0) texts[i] = words[i];
        int max = reader.Number(prefix + "-max", 0, 0, 1_000_000);
        return new()
        {
            StatusHeader = header,
            StatusPattern = pattern,
            Kind = reader.Choice(prefix + "-kind", fallback, Kinds),
            MaxValue = max > 0 ? max : null,
            MaxHeader = maxHeader.Length > 0 ? maxHeader : null,
            MaxPattern = maxPattern,
            TextValues = texts,
        };
    }

    /// <summary>The header fields that scripts must not add or delete (RFC 5293 section 6).</summary>
    public static Dictionary<string, SieveHeaderRule> Protected(ConfigReader reader)
    {
        Dictionary<string, SieveHeaderRule> rules = [];
        foreach (string name in reader.Texts("protected-headers", [])) rules[name.ToLowerInvariant()] = new(ForbidAdd: true, ForbidDelete: true);
        return rules;
    }

    // "X-Spam-Score: a POSIX expression"
    private static (string Header, string? Pattern) HeaderAndPattern(ConfigReader reader, string key)
    {
        string text = reader.Text(key, "");
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string? pattern = colon < 0 ? null : text[(colon + 1)..].Trim();
        if (pattern is { Length: > 0 } && SieveScoreSettings.PatternProblem(pattern) is { } problem)
            reader.Problem(reader.PlaceOf(key), $"'sieve.{key}': the expression \"{pattern}\" cannot be read: {problem}");
        return ((colon < 0 ? text : text[..colon]).Trim(), pattern);
    }
}
