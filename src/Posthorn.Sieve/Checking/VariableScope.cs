namespace Posthorn.Sieve.Checking;

/// <summary>The variables of one script: places for its own, names for the global ones (RFC 5229, RFC 6609 section 3.4).</summary>
internal sealed class VariableScope
{
    private readonly Dictionary<string, int> _slots = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _globals = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _set = new(StringComparer.OrdinalIgnoreCase);

    public int Count => _slots.Count;

    public bool IsGlobal(string name) => _globals.Contains(name);

    public bool WasSet(string name) => _set.Contains(name);

    public void MakeGlobal(string name) => _globals.Add(name);

    public void MarkSet(string name) => _set.Add(name);

    public int Slot(string name)
    {
        if (!_slots.TryGetValue(name, out int slot)) _slots[name] = slot = _slots.Count;
        return slot;
    }
}
