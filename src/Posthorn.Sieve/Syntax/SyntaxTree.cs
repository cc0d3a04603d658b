namespace Posthorn.Sieve.Syntax;

/// <summary>An argument: string, string list, number or tag (RFC 5228 section 8.2).</summary>
public abstract record SieveArgument(SourcePosition At)
{
    /// <summary>A string; <paramref name="IsText"/> when it was written as <c>text:</c>.</summary>
    public sealed record Text(SourcePosition At, string Value, bool IsText) : SieveArgument(At);

    /// <summary>A bracketed list of strings.</summary>
    public sealed record TextList(SourcePosition At, IReadOnlyList<Text> Items) : SieveArgument(At);

    /// <summary>A number, already multiplied by its K, M or G.</summary>
    public sealed record Number(SourcePosition At, long Value) : SieveArgument(At);

    /// <summary>A tag without its colon.</summary>
    public sealed record Tag(SourcePosition At, string Name) : SieveArgument(At);
}

/// <summary>A test: name, arguments, and the tests it takes itself (RFC 5228 section 8.2).</summary>
/// <param name="IsList">The tests stood in parentheses.</param>
public sealed record SieveTest(SourcePosition At, string Name, IReadOnlyList<SieveArgument> Arguments, IReadOnlyList<SieveTest> Tests, bool IsList);

/// <summary>A command: name, arguments, tests, and a block when it ends in one (RFC 5228 section 8.2).</summary>
public sealed record SieveCommand(
    SourcePosition At, string Name, IReadOnlyList<SieveArgument> Arguments, IReadOnlyList<SieveTest> Tests, bool IsList, IReadOnlyList<SieveCommand>? Block);

/// <summary>A whole script as written.</summary>
public sealed record SieveTree(IReadOnlyList<SieveCommand> Commands);
