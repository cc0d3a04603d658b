using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Posthorn.Directory.Lookups;

/// <summary>A table of networks, the first that holds the address counts: cidr_table(5) with <c>if</c>, <c>endif</c> and <c>!</c>.</summary>
internal sealed class CidrContent : TableContent
{
    // A rule, or the opening of a block: then End is the index behind its endif.
    private sealed record Rule(byte[] Network, int Bits, bool IsNegated, string? Value)
    {
        public int End { get; set; } = int.MaxValue;
    }

    private readonly IReadOnlyList<Rule> _rules;

    private CidrContent(IReadOnlyList<Rule> rules, List<DirectoryProblem> problems) : base(problems) => _rules = rules;

    public override bool TakesWholeKeysOnly => true;

    public override int Count => _rules.Count;

    public override LookupResult Find(string key)
    {
        if (!TryAddress(key, out byte[] address)) return LookupResult.None;
        for (int i = 0; i < _rules.Count; i++)
        {
            Rule rule = _rules[i];
            // A rule for the other family matches nothing, negated or not.
            bool matches = rule.Network.Length == address.Length && Holds(rule, address) != rule.IsNegated;
            if (rule.Value is { } value)
            {
                if (matches) return new LookupResult.Found(value);
            }
            else if (!matches)
            {
                if (rule.End > _rules.Count) return LookupResult.None;
                i = rule.End - 1;
            }
        }
        return LookupResult.None;
    }

    public static CidrContent Parse(string file, string text)
    {
        List<DirectoryProblem> problems = [];
        List<Rule> rules = [];
        Stack<Rule> open = [];
        foreach (LogicalLine line in LogicalLines.Read(file, text, problems))
        {
            string fault = "";
            if (RuleWord.IsIf(line.Text, out string condition))
            {
                if (ParseRule(condition, isBlock: true, out fault) is { } block)
                {
                    open.Push(block);
                    rules.Add(block);
                }
            }
            else if (RuleWord.IsEndIf(line.Text))
            {
                if (open.TryPop(out Rule? block)) block.End = rules.Count;
                else fault = "'endif' has no 'if'";
            }
            else if (ParseRule(line.Text, isBlock: false, out fault) is { } rule) rules.Add(rule);
            if (fault.Length > 0) problems.Add(new(ProblemSeverity.Error, file, line.Number, $"{fault}; not used"));
        }
        if (open.Count > 0) problems.Add(new(ProblemSeverity.Error, file, 0, "an 'if' has no 'endif'; it holds to the end of the file"));
        return new(rules, problems);
    }

    private static Rule? ParseRule(string text, bool isBlock, out string fault)
    {
        bool negated = false;
        int at = 0;
        for (; at < text.Length && (text[at] == '!' || char.IsWhiteSpace(text[at])); at++) negated ^= text[at] == '!';
        int end = text.AsSpan(at).IndexOfAny(" \t\v\f\r");
        string pattern = end < 0 ? text[at..] : text.Substring(at, end);
        string value = end < 0 ? "" : text[(at + end)..].Trim();
        fault = "";
        if (pattern.Length == 0) fault = "there is no address";
        else if (!isBlock && value.Length == 0) fault = $"'{pattern}' has no value; expected 'network value'";
        else if (ParseNetwork(pattern, out fault) is { } network) return new(network.Address, network.Bits, negated, isBlock ? null : value);
        return null;
    }

    private static (byte[] Address, int Bits)? ParseNetwork(string text, out string fault)
    {
        fault = $"'{text}' is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32";
        string plain = text;
        if (plain.StartsWith('[') && plain.IndexOf(']', StringComparison.Ordinal) is > 0 and var close && (close == plain.Length - 1 || plain[close + 1] == '/')) plain = plain[1..close] + plain[(close + 1)..];
        int slash = plain.IndexOf('/', StringComparison.Ordinal);
        if (!TryAddress(slash < 0 ? plain : plain[..slash], out byte[] address)) return null;
        int bits = address.Length * 8;
        if (slash >= 0 && (!int.TryParse(plain.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out bits) || bits > address.Length * 8)) return null;
        for (int i = bits; i < address.Length * 8; i++)
        {
            if ((address[i / 8] & (0x80 >> (i % 8))) == 0) continue;
            fault = $"'{text}' has bits behind its prefix; write {Base(address, bits)}/{bits}";
            return null;
        }
        fault = "";
        return (address, bits);
    }

    private static IPAddress Base(byte[] address, int bits)
    {
        byte[] network = [.. address];
        for (int i = bits; i < network.Length * 8; i++) network[i / 8] &= (byte)~(0x80 >> (i % 8));
        return new(network);
    }

    // Stricter than IPAddress.TryParse, which takes "10" and octal numbers.
    private static bool TryAddress(string text, out byte[] address)
    {
        address = [];
        if (!IPAddress.TryParse(text, out IPAddress? parsed) || text.AsSpan().IndexOfAny("%[]/") >= 0) return false;
        address = parsed.GetAddressBytes();
        return parsed.AddressFamily == AddressFamily.InterNetworkV6 || text.Split('.') is { Length: 4 } parts && parts.All(static p => p.Length is > 0 and <= 3 && p.All(char.IsAsciiDigit) && (p.Length == 1 || p[0] != '0'));
    }

    private static bool Holds(Rule rule, byte[] address)
    {
        int whole = rule.Bits / 8, rest = rule.Bits % 8;
        if (!address.AsSpan(0, whole).SequenceEqual(rule.Network.AsSpan(0, whole))) return false;
        return rest == 0 || (address[whole] ^ rule.Network[whole]) >> (8 - rest) == 0;
    }
}

/// <summary>The words <c>if</c> and <c>endif</c> of pattern and network tables, in any case.</summary>
internal static class RuleWord
{
    public static bool IsIf(string line, out string condition)
    {
        condition = "";
        if (!Begins(line, "if")) return false;
        condition = line[2..].Trim();
        return true;
    }

    public static bool IsEndIf(string line) => Begins(line, "endif");

    private static bool Begins(string line, string word) =>
        line.StartsWith(word, StringComparison.OrdinalIgnoreCase) && (line.Length == word.Length || !char.IsAsciiLetterOrDigit(line[word.Length]));
}
