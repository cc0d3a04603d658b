namespace Posthorn.Directory.Lookups;

/// <summary>What one reading of a text map gave. Immutable.</summary>
internal abstract class TableContent(IReadOnlyList<DirectoryProblem> problems)
{
    public IReadOnlyList<DirectoryProblem> Problems => problems;

    public bool IsBroken => problems.Any(static p => p.Severity == ProblemSeverity.Error);

    public virtual bool TakesWholeKeysOnly => false;

    /// <summary>How many entries there are.</summary>
    public abstract int Count { get; }

    public abstract LookupResult Find(string key);

    /// <summary>As <see cref="ILookupTable.FindAddressAsync"/>.</summary>
    public virtual LookupResult FindAddress(string address) => Find(address);

    public static TableContent Parse(LookupType type, string file, string text, TimeSpan patternTime) => type switch
    {
        LookupType.Hash => HashContent.Parse(file, text),
        LookupType.Aliases => HashContent.ParseAliases(file, text),
        LookupType.Regexp => PatternContent.Parse(file, text, isPerl: false, patternTime),
        LookupType.Pcre => PatternContent.Parse(file, text, isPerl: true, patternTime),
        LookupType.Cidr => CidrContent.Parse(file, text),
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
