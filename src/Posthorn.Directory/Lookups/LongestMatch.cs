using System.Text.RegularExpressions;

namespace Posthorn.Directory.Lookups;

/// <summary>
/// The groups of a match as glibc's regexec(3) gives them, and so Postfix: the whole match is the longest at its place, not the first that the order of alternatives leads to;
/// within it that order counts.
/// </summary>
internal sealed class LongestMatch
{
    private readonly Regex? _whole;
    private readonly bool _asksForBegin;

    /// <param name="rule">The pattern as it is written. Assertions that hold only where it ends in the key would hold at the end of a piece of it too: with those the first match stays.</param>
    /// <param name="regex">What was made of it.</param>
    public LongestMatch(string rule, Regex regex)
    {
        _asksForBegin = rule.Contains('^', StringComparison.Ordinal);
        if (AsksForMore(rule)) return;
        _whole = new($@"\A(?:{regex})\z", regex.Options, regex.MatchTimeout);
    }

    /// <summary>The longest match where the first begins.</summary>
    public Match Of(Match first, string key)
    {
        if (_whole is null || !first.Success || first.Index > 0 && _asksForBegin) return first;
        for (int end = key.Length; end > first.Index + first.Length; end--)
            if (_whole.Match(key, first.Index, end - first.Index) is { Success: true } longer) return longer;
        return first;
    }

    private static bool AsksForMore(string rule)
    {
        for (int i = 0; i < rule.Length; i++)
        {
            if (rule[i] == '$') return true;
            if (rule[i] == '\\' && ++i < rule.Length && rule[i] is '<' or '>' or 'b' or 'B' or '`' or '\'') return true;
        }
        return false;
    }
}
