using System.Collections.Frozen;

namespace Posthorn.Sieve.Language;

/// <summary>All commands and tests by name: the index of the language. if, elsif, else and require belong to the compiler.</summary>
internal static class Registry
{
    private static readonly FrozenDictionary<string, CommandSpec> Commands = All().Where(s => s.Kind != CommandKind.Test).ToFrozenDictionary(s => s.Name);

    private static readonly FrozenDictionary<string, CommandSpec> Tests = All().Where(s => s.Kind == CommandKind.Test).ToFrozenDictionary(s => s.Name);

    public static IEnumerable<string> CommandNames => Commands.Keys;

    public static IEnumerable<string> TestNames => Tests.Keys;

    public static CommandSpec? Command(string name) => Commands.GetValueOrDefault(name);

    public static CommandSpec? Test(string name) => Tests.GetValueOrDefault(name);

    private static IEnumerable<CommandSpec> All() =>
    [
        .. BaseCommands.Specs, .. BaseTests.Specs, .. HeaderTests.Specs, .. EnvelopeTest.Specs, .. FlagCommands.Specs, .. VariableCommands.Specs,
        .. DateTests.Specs, .. BodyTest.Specs, .. HeaderCommands.Specs, .. RejectCommands.Specs, .. VacationCommand.Specs,
        .. NotifyCommands.Specs, .. MailboxTests.Specs, .. IncludeCommands.Specs, .. IhaveCommands.Specs, .. PartCommands.Specs,
        .. ScoreTests.Specs, .. EnvironmentTest.Specs, .. DuplicateTest.Specs, .. DovecotCommands.Specs, .. ProgramCommands.Specs,
        ElderNotifyCommands.Denotify, .. Testsuite.TestCommands.Specs,
    ];
}
