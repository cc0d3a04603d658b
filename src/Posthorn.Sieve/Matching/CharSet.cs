namespace Posthorn.Sieve.Matching;

/// <summary>A set of characters: a table for ASCII, ranges beyond. It is filled, then sealed, then asked.</summary>
internal sealed class CharSet
{
    private readonly bool[] _ascii = new bool[128];
    private List<(char From, char To)>? _ranges;
    private (char From, char To)[] _sorted = [];
    private bool _negated;

    public bool Contains(char c) => _negated != (c < 128 ? _ascii[c] : InRanges(c));

    public void Negate() => _negated = true;

    public CharSet Add(char from, char to)
    {
        for (int c = from; c <= to && c < 128; c++) _ascii[c] = true;
        if (to >= 128) (_ranges ??= []).Add(((char)Math.Max((int)from, 128), to));
        return this;
    }

    public void AddWhere(Func<char, bool> choose)
    {
        for (int c = 0; c < 128; c++)
            if (choose((char)c)) _ascii[c] = true;
    }

    public void Add(CharSet other)
    {
        for (int c = 0; c < 128; c++) _ascii[c] |= other._ascii[c];
        if (other._ranges is not null) (_ranges ??= []).AddRange(other._ranges);
    }

    /// <summary>Adds the other case of every letter.</summary>
    public void AddCases()
    {
        for (int c = 'a'; c <= 'z'; c++) _ascii[c] = _ascii[c - 32] = _ascii[c] || _ascii[c - 32];
    }

    /// <summary>The set is complete: what overlaps or touches becomes one, so that however long a bracket is, it holds no more than there are characters.</summary>
    public CharSet Seal()
    {
        if (_ranges is not { } ranges) return this;
        ranges.Sort(static (left, right) => left.From.CompareTo(right.From));
        int last = 0;
        for (int i = 1; i < ranges.Count; i++)
        {
            if (ranges[i].From > ranges[last].To + 1) ranges[++last] = ranges[i];
            else if (ranges[i].To > ranges[last].To) ranges[last] = (ranges[last].From, ranges[i].To);
        }
        _sorted = [.. ranges[..(last + 1)]];
        _ranges = null;
        return this;
    }

    private bool InRanges(char c)
    {
        int low = 0, high = _sorted.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (c < _sorted[middle].From) high = middle - 1;
            else if (c > _sorted[middle].To) low = middle + 1;
            else return true;
        }
        return false;
    }
}
