using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve.Testsuite;

/// <summary>Finds the scripts that a script may include.</summary>
internal static class IncludeScan
{
    public static IEnumerable<(SieveQuestion.Include Script, bool IsOptional)> Find(SieveTree tree) => Find(tree.Commands);

    private static IEnumerable<(SieveQuestion.Include Script, bool IsOptional)> Find(IReadOnlyList<SieveCommand> commands)
    {
        foreach (SieveCommand command in commands)
        {
            if (command.Name.Equals("include", StringComparison.OrdinalIgnoreCase) && command.Arguments.OfType<SieveArgument.Text>().FirstOrDefault() is { } name)
                yield return (new(HasTag(command, "global"), name.Value), HasTag(command, "optional"));
            if (command.Block is null) continue;
            foreach ((SieveQuestion.Include, bool) inner in Find(command.Block)) yield return inner;
        }
    }

    private static bool HasTag(SieveCommand command, string name) =>
        command.Arguments.OfType<SieveArgument.Tag>().Any(t => t.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
