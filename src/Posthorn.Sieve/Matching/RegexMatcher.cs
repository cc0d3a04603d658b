namespace Posthorn.Sieve.Matching;

/// <summary>One search with groups; see <see cref="PosixRegex"/>.</summary>
internal sealed class RegexMatcher(RegexProgram program, string text, StepBudget budget)
{
    private readonly int _slots = (program.Groups + 1) * 2;
    private int[]?[] _now = new int[program.Nodes.Length][];
    private int[]?[] _next = new int[program.Nodes.Length][];
    private readonly List<int> _order = [];
    private readonly List<int> _nextOrder = [];
    private readonly Stack<(int State, int[] Marks)> _work = new();
    private int[]? _best;

    /// <summary>The marks of the match (start and end of the whole, then of each group; -1 where a group took no part), or null.</summary>
    public int[]? Run()
    {
        List<int> order = _order;
        List<int> nextOrder = _nextOrder;
        for (int i = 0; ; i++)
        {
            if (_best is null)
            {
                int[] fresh = new int[_slots];
                Array.Fill(fresh, -1);
                fresh[0] = i;
                Enter(program.Start, fresh, i, _now, order);
            }
            budget.Spend(1 + (long)order.Count * _slots);
            if (i >= text.Length || order.Count == 0 && _best is not null) return _best;
            char c = text[i];
            foreach (int state in order)
            {
                int[] marks = _now[state]!;
                _now[state] = null;
                if (_best is not null && marks[0] > _best[0]) continue;
                RegexNode node = program.Nodes[state];
                if (node.Kind == RegexNodeKind.Set && node.Set!.Contains(c)) Enter(node.Next, marks, i + 1, _next, nextOrder);
            }
            order.Clear();
            (_now, _next) = (_next, _now);
            (order, nextOrder) = (nextOrder, order);
        }
    }

    private void Enter(int state, int[] marks, int at, int[]?[] into, List<int> order)
    {
        _work.Push((state, marks));
        while (_work.TryPop(out (int State, int[] Marks) step))
        {
            budget.Spend(1);
            int[]? there = into[step.State];
            if (there is not null && !IsBetter(step.Marks, there)) continue;
            RegexNode node = program.Nodes[step.State];
            if (node.Kind == RegexNodeKind.Match)
            {
                int[] done = [.. step.Marks];
                done[1] = at;
                if (_best is null || IsBetter(done, _best)) _best = done;
                continue;
            }
            into[step.State] = step.Marks;
            if (there is null) order.Add(step.State);
            switch (node.Kind)
            {
                case RegexNodeKind.Set:
                    break;
                case RegexNodeKind.Split:
                    if (node.Other >= 0) _work.Push((node.Other, step.Marks));
                    _work.Push((node.Next, step.Marks));
                    break;
                case RegexNodeKind.Group:
                    int[] marked = [.. step.Marks];
                    marked[node.Slot] = at;
                    // A group that begins anew forgets its end and what was inside it.
                    if (node.Slot % 2 == 0)
                        for (int i = node.Slot + 1; i < node.Other; i++) marked[i] = -1;
                    _work.Push((node.Next, marked));
                    break;
                default:
                    if (Holds(node.Kind, text, at)) _work.Push((node.Next, step.Marks));
                    break;
            }
        }
    }

    // Earlier start, later end; a group still open will end later than one that is closed.
    private static bool IsBetter(int[] left, int[] right)
    {
        for (int i = 0; i < left.Length; i += 2)
        {
            if (left[i] != right[i])
            {
                if (left[i] < 0) return false;
                return right[i] < 0 || left[i] < right[i];
            }
            if (left[i + 1] == right[i + 1]) continue;
            if (left[i + 1] < 0) return true;
            return right[i + 1] >= 0 && left[i + 1] > right[i + 1];
        }
        return false;
    }

    public static bool Holds(RegexNodeKind kind, string text, int at)
    {
        bool before = at > 0 && IsWord(text[at - 1]);
        bool after = at < text.Length && IsWord(text[at]);
        return kind switch
        {
            RegexNodeKind.Begin => at == 0,
            RegexNodeKind.End => at == text.Length,
            RegexNodeKind.WordEdge => before != after,
            RegexNodeKind.NoWordEdge => before == after,
            RegexNodeKind.WordBegin => !before && after,
            RegexNodeKind.WordEnd => before && !after,
            _ => false,
        };
    }

    private static bool IsWord(char c) => c == '_' || char.IsLetterOrDigit(c);
}
