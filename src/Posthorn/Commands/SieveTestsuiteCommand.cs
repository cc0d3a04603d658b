using System.CommandLine;
using Posthorn.Filtering;
using Posthorn.Transport.Filtering;
using Posthorn.Sieve.Testsuite;

namespace Posthorn.Commands;

/// <summary><c>posthorn sieve testsuite FILE.svtest…</c>: runs tests of scripts, written in Sieve itself, as Pigeonhole's test tool does.</summary>
internal static class SieveTestsuiteCommand
{
    public static Command Create()
    {
        Argument<string[]> files = new("FILE") { Description = "Test files: scripts that require \"vnd.dovecot.testsuite\"", Arity = ArgumentArity.OneOrMore };
        Option<bool> counts = new("--pigeonhole-counts") { Description = "Log one error more for each script that cannot be compiled, as Pigeonhole's own test files count them" };
        Command command = new("testsuite", "Run .svtest files") { files, counts };
        command.SetAction(parsed => new SieveTestRunner(new DiskTestWorld(), MimeSieveMessage.Parse, TimeProvider.System, Console.Out) { CountsFailedCompilation = parsed.GetValue(counts) }.Run(parsed.GetRequiredValue(files)) == 0
            ? ExitStatus.Done
            : ExitStatus.Wrong);
        return command;
    }
}
