using System.CommandLine;

namespace Posthorn.Commands;

/// <summary><c>posthorn sieve check|run|replay|testsuite</c>: see what a filter script does before it touches mail.</summary>
internal static class SieveCommand
{
    public static Command Create() => new("sieve", "Check, try and test Sieve scripts") { SieveCheckCommand.Create(), SieveRunCommand.Create(), SieveReplayCommand.Create(), SieveTestsuiteCommand.Create() };
}
