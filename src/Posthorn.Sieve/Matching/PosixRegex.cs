namespace Posthorn.Sieve.Matching;

/// <summary>POSIX extended regular expressions, leftmost-longest, in time linear in the text (draft-murchison-sieve-regex section 3).</summary>
/// <remarks>
/// A simulation of the expression's automaton: all states at once, one character after another. Where two ways meet in one
/// state, the better one by POSIX's rule stays: earlier start, then for each group in turn the earlier start and the later end.
/// </remarks>
internal sealed class PosixRegex
{
    private readonly RegexProgram _program;

    private PosixRegex(RegexProgram program) => _program = program;

    /// <summary>The number of groups.</summary>
    public int Groups => _program.Groups;

    /// <summary>The states that it takes.</summary>
    public int States => _program.Nodes.Length;

    /// <summary>Compiles, or says what is wrong with the expression.</summary>
    public static PosixRegex? TryCompile(string pattern, bool ignoreCase, int maxStates, out string? error)
    {
        RegexProgram? program = RegexCompiler.Compile(pattern, ignoreCase, maxStates, out error);
        return program is null ? null : new(program);
    }

    /// <summary>Searches the text; fills <paramref name="captures"/> (index 0 the matched part, then each group) when it is given.</summary>
    public bool IsMatch(string text, List<string>? captures, StepBudget budget)
    {
        if (captures is null) return Search(text, budget);
        int[]? best = new RegexMatcher(_program, text, budget).Run();
        if (best is null) return false;
        captures.Clear();
        for (int i = 0; i < best.Length; i += 2)
            captures.Add(best[i] >= 0 && best[i + 1] >= best[i] ? text[best[i]..best[i + 1]] : "");
        return true;
    }

    // Whether there is a match at all needs no memory of the way.
    private bool Search(string text, StepBudget budget)
    {
        RegexNode[] nodes = _program.Nodes;
        int[] now = new int[nodes.Length];
        int[] next = new int[nodes.Length];
        int[] stack = new int[nodes.Length * 2 + 2];
        int[] seen = new int[nodes.Length];
        int count = 0;
        for (int i = 0; ; i++)
        {
            int mark = i + 1;
            // seen is shared by both steps of a place: what was entered while reading i-1 has the mark of i.
            if (Enter(_program.Start, i, text, mark, seen, stack, now, ref count)) return true;
            budget.Spend(1 + count);
            if (i >= text.Length) return false;
            char c = text[i];
            int nextCount = 0;
            for (int j = 0; j < count; j++)
            {
                RegexNode node = nodes[now[j]];
                if (node.Set!.Contains(c) && Enter(node.Next, i + 1, text, mark + 1, seen, stack, next, ref nextCount)) return true;
            }
            (now, next, count) = (next, now, nextCount);
        }
    }

    // Adds the reading states that can be reached without reading; true when the end is among them.
    private bool Enter(int state, int at, string text, int mark, int[] seen, int[] stack, int[] into, ref int count)
    {
        int depth = 0;
        stack[depth++] = state;
        while (depth > 0)
        {
            int s = stack[--depth];
            if (seen[s] == mark) continue;
            seen[s] = mark;
            RegexNode node = _program.Nodes[s];
            switch (node.Kind)
            {
                case RegexNodeKind.Match:
                    return true;
                case RegexNodeKind.Set:
                    into[count++] = s;
                    break;
                case RegexNodeKind.Split:
                    if (node.Other >= 0) stack[depth++] = node.Other;
                    stack[depth++] = node.Next;
                    break;
                case RegexNodeKind.Group:
                    stack[depth++] = node.Next;
                    break;
                default:
                    if (RegexMatcher.Holds(node.Kind, text, at)) stack[depth++] = node.Next;
                    break;
            }
        }
        return false;
    }
}
