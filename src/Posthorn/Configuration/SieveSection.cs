using Posthorn.Sieve;
using Posthorn.Store.Scripts;
using Posthorn.Transport.Filtering;

namespace Posthorn.Configuration;

/// <summary><c>[sieve]</c>: mail filters.</summary>
public sealed record SieveSection
{
    public required IReadOnlyList<string> Before { get; init; }
    public required IReadOnlyList<string> After { get; init; }
    public required string? Default { get; init; }
    public required string? Global { get; init; }
    public required string? Programs { get; init; }
    public required TimeSpan ProgramTime { get; init; }
    public required long ProgramMemory { get; init; }
    public required ScriptLimits Scripts { get; init; }
    public required SieveSettings Language { get; init; }
    public required IReadOnlyDictionary<string, string> Lists { get; init; }
    public required bool UserEvents { get; init; }
    public required string? EventScript { get; init; }
    public required IReadOnlyList<ImapScriptRule> ImapRules { get; init; }
}
