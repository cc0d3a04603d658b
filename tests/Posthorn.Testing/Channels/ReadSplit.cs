namespace Posthorn.Testing;

/// <summary>How the reading side sees what was written: the pieces in which a network would have delivered it.</summary>
public sealed class ReadSplit
{
    private readonly Func<int> _next;

    private ReadSplit(string name, Func<int> next) => (Name, _next) = (name, next);

    public string Name { get; }

    /// <summary>As much as there is.</summary>
    public static ReadSplit Whole { get; } = new("whole", () => int.MaxValue);

    /// <summary>One byte at a time.</summary>
    public static ReadSplit Bytes { get; } = new("byte by byte", () => 1);

    /// <summary>Pieces of 1 to 40 bytes drawn from a seed.</summary>
    public static ReadSplit Random(int seed)
    {
        Random random = new(seed);
        return new($"random pieces, seed {seed}", () => random.Next(1, 41));
    }

    /// <summary>The most octets that the next read may see.</summary>
    public int Next() => _next();

    public override string ToString() => Name;
}
