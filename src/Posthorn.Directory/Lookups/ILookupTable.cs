namespace Posthorn.Directory.Lookups;

/// <summary>A table that is asked for the value of a key: a text map, later a database. The same contract for all of them.</summary>
public interface ILookupTable
{
    /// <summary>Its name in the configuration: a name of <c>[[lookup]]</c>, or <c>type:/path</c>.</summary>
    string Name { get; }

    /// <summary>
    /// True when each entry is a pattern or a network for the whole key. Such tables are never asked for parts of one
    /// (a domain, <c>user@</c>, the first octets of an address), as Postfix's documents have it.
    /// </summary>
    bool TakesWholeKeysOnly { get; }

    /// <summary>The value of a key. Case does not count unless the table says so.</summary>
    ValueTask<LookupResult> FindAsync(string key, CancellationToken cancel);

    /// <summary>
    /// As <see cref="FindAsync"/>, for an address whose value is an address, several, or a way for mail. A stranger has chosen the key: what a pattern takes from it into the
    /// value (<c>$1</c>) is a piece of one address and can neither be several nor bring a domain along.
    /// </summary>
    ValueTask<LookupResult> FindAddressAsync(string address, CancellationToken cancel) => FindAsync(address, cancel);
}

/// <summary>What a table says about a key.</summary>
public abstract record LookupResult
{
    private LookupResult() { }

    /// <summary>Nothing is written about the key.</summary>
    public static readonly LookupResult None = new Absent();

    /// <summary>This is its value, which may be empty.</summary>
    public sealed record Found(string Value) : LookupResult;

    /// <summary>Nothing is written about the key.</summary>
    public sealed record Absent : LookupResult;

    /// <summary>The table cannot say now: a temporary failure (451 4.3.0), since mail may hang on the answer.</summary>
    /// <param name="Why">The cause, for the log.</param>
    public sealed record Unavailable(string Why) : LookupResult;
}
