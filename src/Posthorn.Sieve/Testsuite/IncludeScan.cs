using Posthorn.Sieve.Syntax;

namespace Posthorn.Sieve.Testsuite;

/// <summary>Finds the scripts that a script may include.</summary>
internal static class IncludeScan
{
    public static IEnumerable<SieveQuestion.Include> Find(SieveTree tree) => Find(tree.Commands);

    private static IEnumerable<SieveQuestion.Include> Find(IReadOnlyList<SieveCommand> commands)
    {
        foreach (SieveCommand command in commands)
        {
            if (command.Name.Equals("include", StringComparison.OrdinalIgnoreCase) && command.Arguments.OfType<SieveArgument.Text>().FirstOrDefault() is { } name)
                yield return new(command.Arguments.OfType<SieveArgument.Tag>().Any(t => t.Name.Equals("global", StringComparison.OrdinalIgnoreCase)), name.Value);
            if (command.Block is null) continue;
            foreach (SieveQuestion.Include inner in Find(command.Block)) yield return inner;
        }
    }
}
