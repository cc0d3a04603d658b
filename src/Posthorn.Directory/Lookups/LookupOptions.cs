namespace Posthorn.Directory.Lookups;

/// <summary>The tables that the configuration names.</summary>
public sealed record LookupOptions
{
    /// <summary>Tables by the names that settings use; a table written as <c>type:/path</c> where it is used stands under that text.</summary>
    public IReadOnlyDictionary<string, LookupSource> Tables { get; init; } = new Dictionary<string, LookupSource>();

    /// <summary>The longest time that one pattern may think about one key. 100 ms: honest patterns need microseconds, and a session waits meanwhile. Only patterns that need backtracking can take so long.</summary>
    public TimeSpan PatternTime { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How often, at most, files are looked at for changes, and how large they may be.</summary>
    public DirectoryLimits Limits { get; init; } = new();
}
