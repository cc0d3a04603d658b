using System.Text;
using System.Text.RegularExpressions;
using Posthorn.Core;

namespace Posthorn.Directory.Lookups;

/// <summary>A table of regular expressions, the first that matches counts: regexp_table(5) and pcre_table(5) with <c>if</c>, <c>endif</c>, <c>!</c>, flags and <c>$1</c>.</summary>
/// <remarks>Patterns run in time linear in the key where they can; those that need backtracking (look-around, back references) have a deadline.</remarks>
internal sealed class PatternContent : TableContent
{
    private sealed record Pattern(Regex Regex, bool IsNegated)
    {
        /// <summary>Finds the longest match instead of the first, where groups are wanted and POSIX counts.</summary>
        public LongestMatch? Longest { get; init; }

        public Match Match(string key) => Longest?.Of(Regex.Match(key), key) ?? Regex.Match(key);
    }

    // A rule, or the opening of a block: then End is the index behind its endif.
    private sealed record Rule(int Line, Pattern First, Pattern? Second, IReadOnlyList<Piece>? Value)
    {
        public int End { get; set; } = int.MaxValue;
    }

    // A literal, or a group of the match.
    private readonly record struct Piece(string Text, int Group);

    private readonly string _file;
    private readonly IReadOnlyList<Rule> _rules;

    private PatternContent(string file, IReadOnlyList<Rule> rules, List<DirectoryProblem> problems) : base(problems) => (_file, _rules) = (file, rules);

    public override bool TakesWholeKeysOnly => true;

    public override int Count => _rules.Count;

    public override LookupResult Find(string key) => Find(key, isAddress: false);

    public override LookupResult FindAddress(string address) => Find(address, isAddress: true);

    private LookupResult Find(string key, bool isAddress)
    {
        for (int i = 0; i < _rules.Count; i++)
        {
            Rule rule = _rules[i];
            try
            {
                Match match = rule.First.Match(key);
                bool matches = match.Success != rule.First.IsNegated && (rule.Second is not { } second || second.Regex.IsMatch(key) != second.IsNegated);
                if (matches && isAddress && rule.Value?.All(piece => IsOnePiece(piece, key, match)) == false) continue;
                if (matches && rule.Value is { } value) return new LookupResult.Found(Fill(value, match));
                if (matches || rule.Value is not null) continue;
                if (rule.End > _rules.Count) return LookupResult.None;
                i = rule.End - 1;
            }
            catch (RegexMatchTimeoutException)
            {
                return new LookupResult.Unavailable($"{_file}:{rule.Line}: the pattern thought too long about a key of {key.Length} characters");
            }
        }
        return LookupResult.None;
    }

    public static PatternContent Parse(string file, string text, bool isPerl, TimeSpan patternTime)
    {
        List<DirectoryProblem> problems = [];
        List<Rule> rules = [];
        Stack<Rule> open = [];
        foreach (LogicalLine line in LogicalLines.Read(file, text, problems))
        {
            string fault = "";
            if (RuleWord.IsEndIf(line.Text))
            {
                if (open.TryPop(out Rule? block)) block.End = rules.Count;
                else fault = "'endif' has no 'if'";
            }
            else
            {
                bool isBlock = RuleWord.IsIf(line.Text, out string condition);
                Rule? rule = ParseRule(line.Number, isBlock ? condition : line.Text, isBlock, isPerl, patternTime, out fault);
                if (rule is not null) rules.Add(rule);
                if (rule is not null && isBlock) open.Push(rule);
            }
            if (fault.Length > 0) problems.Add(new(ProblemSeverity.Error, file, line.Number, $"{fault}; not used"));
        }
        if (open.Count > 0) problems.Add(new(ProblemSeverity.Error, file, open.Peek().Line, "the 'if' has no 'endif'; it holds to the end of the file"));
        return new(file, rules, problems);
    }

    private static Rule? ParseRule(int number, string text, bool isBlock, bool isPerl, TimeSpan patternTime, out string fault)
    {
        int at = 0;
        if (text.Length > 0 && char.IsAsciiLetterOrDigit(text[0]))
        {
            fault = $"'{Shorten(text)}' is no rule; expected '/pattern/flags value', 'if /pattern/' or 'endif'";
            return null;
        }
        Pattern? second = null;
        int begin = at;
        if (ParsePattern(text, ref at, isPerl, patternTime, out fault) is not { } first) return null;
        string pattern = text[begin..at];
        if (!isPerl && at < text.Length && text[at] == '!')
        {
            second = ParsePattern(text, ref at, isPerl, patternTime, out fault);
            if (second is null) return null;
        }
        if (isBlock) return new(number, first, second, null);
        if (ParseValue(text[at..].Trim(), out fault) is not { } value) return null;
        int highest = value.Count == 0 ? 0 : value.Max(static p => p.Group);
        if (highest > 0 && first.IsNegated) fault = $"the value has ${highest}, but a pattern that must not match has no groups";
        else if (highest > first.Regex.GetGroupNumbers()[^1]) fault = $"the value has ${highest}, but the pattern has only {first.Regex.GetGroupNumbers()[^1]} groups";
        if (fault.Length > 0) return null;
        if (highest > 0 && !isPerl) first = first with { Longest = new(pattern, first.Regex) };
        return new(number, first, second, value);
    }

    private static Pattern? ParsePattern(string text, ref int at, bool isPerl, TimeSpan patternTime, out string fault)
    {
        fault = "";
        bool negated = false;
        for (; at < text.Length && (text[at] == '!' || char.IsWhiteSpace(text[at])); at++) negated ^= text[at] == '!';
        if (at == text.Length)
        {
            fault = "there is no pattern";
            return null;
        }
        char delimiter = text[at++];
        int start = at;
        for (; at < text.Length && text[at] != delimiter; at++)
            if (text[at] == '\\') at++;
        if (at >= text.Length)
        {
            fault = $"the pattern has no closing {delimiter}";
            return null;
        }
        string pattern = text[start..at++];
        int flags = at;
        while (at < text.Length && !char.IsWhiteSpace(text[at]) && (isPerl || text[at] != '!')) at++;
        try
        {
            Regex? regex = isPerl ? RegexSyntax.FromPerl(pattern, text[flags..at], patternTime, out fault) : RegexSyntax.FromPosix(pattern, text[flags..at], patternTime, out fault);
            return regex is null ? null : new(regex, negated);
        }
        catch (ArgumentException e)
        {
            fault = $"the pattern '{Shorten(pattern)}' cannot be read: {e.Message}";
            return null;
        }
    }

    // $1, ${1}, $(1); $$ is a dollar sign.
    private static List<Piece>? ParseValue(string text, out string fault)
    {
        fault = "";
        List<Piece> pieces = [];
        StringBuilder literal = new();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '$')
            {
                literal.Append(text[i]);
                continue;
            }
            if (i + 1 < text.Length && text[i + 1] == '$')
            {
                literal.Append('$');
                i++;
                continue;
            }
            int start = i + 1, end = start;
            char close = start < text.Length ? text[start] switch { '{' => '}', '(' => ')', _ => '\0' } : '\0';
            if (close != '\0') end = text.IndexOf(close, ++start);
            else while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_')) end++;
            if (end < start || !int.TryParse(text.AsSpan(start, end - start), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int group) || group < 1)
            {
                fault = $"'{Shorten(text[i..])}' in the value names no group of the pattern; write $1, ${{1}}, or $$ for a dollar sign";
                return null;
            }
            if (literal.Length > 0) pieces.Add(new(literal.ToString(), 0));
            literal.Clear();
            pieces.Add(new("", group));
            i = close == '\0' ? end - 1 : end;
        }
        if (literal.Length > 0) pieces.Add(new(literal.ToString(), 0));
        return pieces;
    }

    // Within the quotation marks of a local part may stand anything, commas and other addresses too: of that a value takes nothing, or all with its quotation marks.
    private static bool IsOnePiece(Piece piece, string address, Match match)
    {
        if (piece.Group == 0 || address[0] != '"' || match.Groups[piece.Group] is not { Success: true } group) return true;
        int at = address.LastIndexOf('@'), end = Math.Min(group.Index + group.Length, at);
        return group.Index == 0 && end == at || group.Index >= at || EmailAddress.IsDotText(address.AsSpan(group.Index, end - group.Index));
    }

    private static string Fill(IReadOnlyList<Piece> value, Match match)
    {
        if (value is [{ Group: 0, Text: var only }]) return only;
        StringBuilder filled = new();
        foreach (Piece piece in value) filled.Append(piece.Group == 0 ? piece.Text : match.Groups[piece.Group].ValueSpan);
        return filled.ToString();
    }

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..60] + "…";
}
