using Posthorn.Core;

namespace Posthorn.Directory.Aliases;

/// <summary>One entry of an alias file.</summary>
/// <param name="Key">The left side; which of its parts are there says what it matches.</param>
/// <param name="Targets">The right side, in order.</param>
internal sealed record AliasEntry(string File, int Line, AliasName Key, IReadOnlyList<AliasName> Targets)
{
    /// <summary>Files whose addresses are targets too: <c>:include:</c> of aliases(5).</summary>
    public IReadOnlyList<string> Includes { get; init; } = [];

    /// <summary>The right side as it is written.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];
}

/// <summary>A name in an alias file: <c>user@domain</c>, <c>user</c> (no domain) or <c>@domain</c> (no user).</summary>
internal readonly record struct AliasName(string? User, DomainName? Domain)
{
    public override string ToString() => Domain is null ? User ?? "" : $"{User}@{Domain}";
}

/// <summary>A whole alias file.</summary>
internal sealed record AliasTable(string File, IReadOnlyList<AliasEntry> Entries, IReadOnlyList<DirectoryProblem> Problems);
