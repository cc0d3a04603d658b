using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Language;

/// <summary>The tags MATCH-TYPE, COMPARATOR and ADDRESS-PART (RFC 5228 section 2.7), with what extensions add.</summary>
internal static class MatchArguments
{
    private const string MatchGroup = "match type";

    public static IReadOnlyList<TagSpec> Tags { get; } =
    [
        new("is", Group: MatchGroup),
        new("contains", Group: MatchGroup),
        new("matches", Group: MatchGroup),
        new("regex", Group: MatchGroup, Extension: "regex"),
        new("value", ArgumentKind.Text, MatchGroup, "relational"),
        new("count", ArgumentKind.Text, MatchGroup, "relational"),
        new("comparator", ArgumentKind.Text),
    ];

    /// <summary>For tests that can ask external lists (RFC 6134 section 2.2).</summary>
    public static IReadOnlyList<TagSpec> TagsWithLists { get; } = [.. Tags, new("list", Group: MatchGroup, Extension: "extlists")];

    public static IReadOnlyList<TagSpec> AddressPart { get; } =
    [
        new("all", Group: "address part"),
        new("localpart", Group: "address part"),
        new("domain", Group: "address part"),
        new("user", Group: "address part", Extension: "subaddress"),
        new("detail", Group: "address part", Extension: "subaddress"),
    ];

    public static IReadOnlyList<TagSpec> Index { get; } =
    [
        new("index", ArgumentKind.Number, Extension: "index"),
        new("last", Extension: "index"),
    ];

    /// <summary>Makes the plan of a test whose keys are the parameter of that name; null when something was reported.</summary>
    /// <param name="setsVariables">False for body, whose matches set no variables (RFC 5173 section 6).</param>
    public static MatchPlan? Plan(Bound bound, string keys = "keys", bool setsVariables = true) =>
        bound.HasParameter(keys) ? Plan(bound, bound.List(keys), bound.ParameterAt(keys), setsVariables) : null;

    public static MatchPlan? Plan(Bound bound, TextListExpr keys, SourcePosition keysAt, bool setsVariables)
    {
        MatchKind kind = Kind(bound, out TextExpr? relationName, out string tag);
        Comparator? comparator = FindComparator(bound);
        if (comparator is null) return null;
        Relation relation = Relation.Equal;
        if (relationName is not null)
        {
            if (relationName.Constant is not { } name || Relations.Find(name) is not { } found)
            {
                bound.Error(bound.TagAt(tag), $"':{tag}' needs one of \"gt\", \"ge\", \"lt\", \"le\", \"eq\", \"ne\"");
                return null;
            }
            relation = found;
        }
        if (kind is MatchKind.Contains or MatchKind.Matches or MatchKind.Regex && !comparator.HasSubstrings)
        {
            bound.Error(bound.TagAt(tag), $"the comparator \"{comparator.Name}\" cannot be used with ':{tag}'");
            return null;
        }
        if (kind == MatchKind.List && bound.Has("comparator"))
        {
            bound.Error(bound.TagAt("comparator"), "a comparator cannot be used with ':list'", "the list itself decides how it compares");
            return null;
        }
        if (!CheckKeys(bound, kind, comparator, keys, keysAt)) return null;
        bool variables = setsVariables && bound.Compiler.IsRequired("variables");
        return new(kind, comparator, relation, keys, variables, bound.Compiler.Settings.Limits);
    }

    private static MatchKind Kind(Bound bound, out TextExpr? relation, out string tag)
    {
        relation = null;
        foreach ((string name, MatchKind kind) in (ReadOnlySpan<(string, MatchKind)>)
            [("contains", MatchKind.Contains), ("matches", MatchKind.Matches), ("regex", MatchKind.Regex), ("value", MatchKind.Value), ("count", MatchKind.Count), ("list", MatchKind.List)])
        {
            if (!bound.Has(name)) continue;
            tag = name;
            relation = kind is MatchKind.Value or MatchKind.Count ? bound.TagText(name) : null;
            return kind;
        }
        tag = "is";
        return MatchKind.Is;
    }

    private static Comparator? FindComparator(Bound bound)
    {
        // Pigeonhole compares the strings of a script octet by octet, and scripts rely on it (RFC 5228 section 2.7.3 would ignore case).
        if (bound.TagText("comparator") is not { } text) return bound.Spec.Name is "string" or "test_error" or "test_result_action" ? Comparator.Octet : Comparator.AsciiCasemap;
        SourcePosition at = bound.TagAt("comparator");
        if (text.Constant is not { } name || Comparator.Find(name) is not { } comparator)
        {
            bound.Error(at, $"there is no comparator \"{text.Source}\"", "there are i;octet, i;ascii-casemap, i;ascii-numeric and i;unicode-casemap");
            return null;
        }
        string extension = "comparator-" + name;
        if (bound.Compiler.IsRequired(extension)) bound.Compiler.Use(extension);
        else if (bound.Compiler.IsLenient && name is not ("i;octet" or "i;ascii-casemap")) bound.Gates.Add(extension);
        // RFC 5231 section 3 makes it part of that extension's needs, and Pigeonhole asks for it all the same.
        else if (name is not ("i;octet" or "i;ascii-casemap"))
        {
            bound.Error(at, $"the comparator \"{name}\" needs the extension \"{extension}\"", $"add require \"{extension}\";");
            return null;
        }
        return comparator;
    }

    public static bool CheckKeys(Bound bound, MatchKind kind, Comparator comparator, TextListExpr keys, SourcePosition at)
    {
        foreach (TextExpr key in keys.Items)
        {
            if (key.Constant is not { } text) continue;
            if (kind == MatchKind.Regex && bound.Compiler.RegexProblem(text, comparator.IgnoresCase) is { } problem)
            {
                bound.Error(at, problem);
                return false;
            }
            if (kind == MatchKind.List && !SieveExternalList.IsName(text))
            {
                bound.Error(at, $"\"{text}\" is no name of a list", "an absolute URI, or a name like \":addrbook:default\"");
                return false;
            }
            if (kind == MatchKind.Is && !bound.Has("is") && bound.Spec.Name is ("header" or "address") && text.Contains('*', StringComparison.Ordinal))
                bound.Warn(at, $"without a match type \"{text}\" is compared letter by letter", "':matches' gives '*' and '?' their meaning");
            if (kind == MatchKind.Count && !ReferenceEquals(comparator, Comparator.AsciiNumeric) && bound.TagText("count")?.Constant is not ("eq" or "ne"))
                bound.Warn(bound.TagAt("count"), "this compares numbers as words, so that 10 comes before 9", "add :comparator \"i;ascii-numeric\"");
        }
        return true;
    }
}
