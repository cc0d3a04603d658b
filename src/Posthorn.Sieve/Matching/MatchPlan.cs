using System.Globalization;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve.Matching;

internal enum MatchKind
{
    Is,
    Contains,
    Matches,
    Regex,
    Value,
    Count,
    List,
}

/// <summary>How a test compares: match type, comparator, keys; what can be prepared is prepared once.</summary>
internal sealed class MatchPlan
{
    // From this many constant keys on, :is asks a set.
    private const int SetFrom = 8;

    private readonly KeyMatcher[]? _prepared;
    private readonly HashSet<string>? _set;

    public MatchPlan(MatchKind kind, Comparator comparator, Relation relation, TextListExpr keys, bool setsVariables, SieveLimits limits)
    {
        Kind = kind;
        Comparator = comparator;
        Relation = relation;
        Keys = keys;
        SetsVariables = setsVariables && kind is (MatchKind.Matches or MatchKind.Regex or MatchKind.List);
        Limits = limits;
        if (keys.Constant is not { } constant || kind is MatchKind.Count or MatchKind.List) return;
        if (kind == MatchKind.Is && constant.Count >= SetFrom && !ReferenceEquals(comparator, Comparator.AsciiNumeric))
            _set = new(constant.Select(comparator.Fold), StringComparer.Ordinal);
        else _prepared = PrepareAll(constant);
    }

    public MatchKind Kind { get; }

    public Comparator Comparator { get; }

    public Relation Relation { get; }

    public TextListExpr Keys { get; }

    /// <summary>A match fills ${0} and the others.</summary>
    public bool SetsVariables { get; }

    private SieveLimits Limits { get; }

    private KeyMatcher[] PrepareAll(IReadOnlyList<string> keys)
    {
        int states = Limits.MaxScriptRegexStates;
        KeyMatcher[] prepared = new KeyMatcher[keys.Count];
        for (int i = 0; i < prepared.Length; i++) prepared[i] = Kind == MatchKind.Regex ? PrepareRegex(keys[i], ref states) : Prepare(keys[i]);
        return prepared;
    }

    // Where keys are only known as the script runs, their number has no other bound.
    private KeyMatcher PrepareRegex(string key, ref int states)
    {
        if (states <= 0) return new BrokenKey(key, $"the regular expressions take more than {Limits.MaxScriptRegexStates} states together");
        PosixRegex? regex = PosixRegex.TryCompile(key, Comparator.IgnoresCase, Limits.MaxRegexStates, out string? error);
        states -= regex?.States ?? Limits.MaxRegexStates;
        return regex is null ? new BrokenKey(key, $"the regular expression \"{key}\" cannot be read: {error}") : new RegexKey(regex, key);
    }

    private KeyMatcher Prepare(string key) => Kind switch
    {
        MatchKind.Is => new IsKey(Comparator, key),
        MatchKind.Contains => new ContainsKey(Comparator, key),
        MatchKind.Matches => new GlobKey(Glob.Compile(key, Comparator), key),
        _ => new ValueKey(Comparator, Relation, key),
    };

    /// <summary>One use of a plan: values are offered one after another until one matches.</summary>
    internal sealed class MatchSession(MatchPlan plan, Execution x)
    {
        private KeyMatcher[]? _keys = plan._prepared;
        private string[]? _lists;
        private int _count;

        /// <summary>Whether :count counts values that are empty.</summary>
        public bool CountsEmpty { get; init; } = true;

        public bool IsCount => plan.Kind == MatchKind.Count;

        /// <summary>True when the value decides the test.</summary>
        public bool Offer(string value)
        {
            x.Budget.Spend(1 + value.Length / 32);
            switch (plan.Kind)
            {
                case MatchKind.Count:
                    if (CountsEmpty || value.Length > 0) _count++;
                    return false;
                case MatchKind.List:
                    return OfferToLists(value);
            }
            if (plan._set is { } set)
            {
                bool found = set.Contains(plan.Comparator.Fold(value));
                x.Trace?.Compare(x.Frame.Script.Name, value, "(any of the list)", found);
                return found;
            }
            _keys ??= plan.PrepareAll(plan.Keys.Eval(x));
            foreach (KeyMatcher key in _keys)
            {
                if (key is BrokenKey broken)
                {
                    // Found only as the script runs, it matches nothing; the owner is told.
                    x.Fault(broken.Problem);
                    continue;
                }
                List<string>? captures = plan.SetsVariables ? [] : null;
                x.Budget.Spend(1);
                bool matched = key.IsMatch(value, captures, x.Budget);
                x.Trace?.Compare(x.Frame.Script.Name, value, key.Key, matched);
                if (!matched) continue;
                if (captures is not null) x.Frame.Matches = captures;
                return true;
            }
            return false;
        }

        public void Count(int number) => _count += number;

        /// <summary>The outcome when no value decided.</summary>
        public bool Finish()
        {
            if (plan.Kind != MatchKind.Count) return false;
            string count = _count.ToString(CultureInfo.InvariantCulture);
            foreach (string key in plan.Keys.Eval(x))
            {
                bool matched = plan.Relation.Holds(plan.Comparator.Compare(count, key));
                x.Trace?.Compare(x.Frame.Script.Name, count, key, matched);
                if (matched) return true;
            }
            return false;
        }

        private bool OfferToLists(string value)
        {
            _lists ??= plan.Keys.Eval(x);
            foreach (string list in _lists)
            {
                string? found = x.ExternalList(list).Find(value);
                x.Trace?.Compare(x.Frame.Script.Name, value, list, found is not null);
                if (found is null) continue;
                if (plan.SetsVariables) x.Frame.Matches = [found];
                return true;
            }
            return false;
        }
    }

    private abstract class KeyMatcher(string key)
    {
        public string Key { get; } = key;

        public abstract bool IsMatch(string value, List<string>? captures, StepBudget budget);
    }

    private sealed class IsKey(Comparator comparator, string key) : KeyMatcher(key)
    {
        public override bool IsMatch(string value, List<string>? captures, StepBudget budget)
        {
            budget.Spend((value.Length + (long)Key.Length) / 32); // some comparators fold both
            return comparator.AreEqual(value, Key);
        }
    }

    private sealed class ContainsKey(Comparator comparator, string key) : KeyMatcher(key)
    {
        public override bool IsMatch(string value, List<string>? captures, StepBudget budget)
        {
            budget.Spend(TextSearch.Cost(value.Length, Key.Length));
            return comparator.Contains(value, Key);
        }
    }

    private sealed class GlobKey(Glob glob, string key) : KeyMatcher(key)
    {
        public override bool IsMatch(string value, List<string>? captures, StepBudget budget) => glob.IsMatch(value, captures, budget);
    }

    private sealed class RegexKey(PosixRegex regex, string key) : KeyMatcher(key)
    {
        public override bool IsMatch(string value, List<string>? captures, StepBudget budget) => regex.IsMatch(value, captures, budget);
    }

    private sealed class BrokenKey(string key, string problem) : KeyMatcher(key)
    {
        public string Problem { get; } = problem;

        public override bool IsMatch(string value, List<string>? captures, StepBudget budget) => false;
    }

    private sealed class ValueKey(Comparator comparator, Relation relation, string key) : KeyMatcher(key)
    {
        public override bool IsMatch(string value, List<string>? captures, StepBudget budget)
        {
            budget.Spend((value.Length + (long)Key.Length) / 16); // both are folded, and made octets
            return relation.Holds(comparator.Compare(value, Key));
        }
    }
}

/// <summary>A test that compares values with keys.</summary>
internal abstract class MatchTest(MatchPlan plan) : Cond
{
    protected MatchPlan Plan { get; } = plan;

    /// <summary>Whether :count counts an empty value.</summary>
    protected virtual bool CountsEmpty => true;

    protected override bool Test(Execution x)
    {
        MatchPlan.MatchSession session = new(Plan, x) { CountsEmpty = CountsEmpty };
        return Feed(x, session) || session.Finish();
    }

    /// <summary>Offers the values; true as soon as one decided.</summary>
    protected abstract bool Feed(Execution x, MatchPlan.MatchSession session);
}
