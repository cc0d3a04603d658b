namespace Posthorn.Sieve.Matching;

/// <summary>Looks for a text in another, and pays before it looks: a search is one call of the runtime, which nothing ends, and at worst it compares the whole key at each place.</summary>
internal static class TextSearch
{
    // A key found early costs no more than the way to it.
    private const int Chunk = 4096;

    /// <summary>The steps of looking everywhere: short keys cost what the text costs.</summary>
    public static long Cost(int text, int key) => key > text ? 0 : text / 16L * (1 + key / 64);

    /// <summary>The first place at or behind <paramref name="from"/>, letter by letter; -1 without one.</summary>
    public static int IndexOf(string text, string key, int from, StepBudget budget)
    {
        int stride = Math.Max(Chunk, key.Length);
        for (int at = from; at + key.Length <= text.Length; at += stride)
        {
            int length = (int)Math.Min(text.Length - at, (long)stride + key.Length - 1);
            budget.Spend(1 + Cost(length, key.Length));
            int found = text.AsSpan(at, length).IndexOf(key, StringComparison.Ordinal);
            if (found >= 0) return at + found;
        }
        return -1;
    }
}
