using Posthorn.Core;

namespace Posthorn.Sieve.Running;

/// <summary>Lists of IMAP flags as words (RFC 5232 section 2).</summary>
internal static class FlagList
{
    // More keywords on one message than any client sets.
    private const int MaxFlags = 200;

    private static readonly string[] System = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];

    /// <summary>Splits at spaces; drops what is no settable flag, and repetitions.</summary>
    public static List<string> Parse(IEnumerable<string> texts)
    {
        List<string> flags = [];
        foreach (string text in texts)
            foreach (Range word in text.AsSpan().Split(' '))
                if (!text.AsSpan()[word].IsEmpty) Add(flags, text[word]);
        return flags;
    }

    public static bool IsValid(string flag) =>
        flag.StartsWith('\\') ? Array.Exists(System, s => s.Equals(flag, StringComparison.OrdinalIgnoreCase)) : Keyword.TryCreate(flag, out _);

    public static void Add(List<string> flags, string flag)
    {
        if (flags.Count < MaxFlags && IsValid(flag) && !Has(flags, flag)) flags.Add(flag);
    }

    public static void Remove(List<string> flags, IEnumerable<string> gone)
    {
        foreach (string flag in gone) flags.RemoveAll(f => f.Equals(flag, StringComparison.OrdinalIgnoreCase));
    }

    private static bool Has(List<string> flags, string flag) => flags.Exists(f => f.Equals(flag, StringComparison.OrdinalIgnoreCase));
}
