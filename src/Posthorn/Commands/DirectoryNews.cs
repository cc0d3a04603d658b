using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Configuration;
using Posthorn.Directory;
using Posthorn.Serving;

namespace Posthorn.Commands;

/// <summary>Tells what a change of accounts or aliases has made wrong or doubtful, in the words of <c>posthorn check</c>: whoever makes it should hear it then, not later.</summary>
internal static class DirectoryNews
{
    /// <summary>Makes the change, then says on standard error what is new among the problems.</summary>
    public static async Task<int> AfterAsync(ServerConfiguration configuration, Func<Task<int>> change)
    {
        HashSet<(string, string)> before = [.. Problems(configuration).Select(problem => (problem.File, problem.Text))];
        int status = await change();
        if (status != ExitStatus.Done) return status;
        foreach (DirectoryProblem problem in Problems(configuration).Where(problem => !before.Contains((problem.File, problem.Text)))) await Console.Error.WriteLineAsync($"warning: {problem}");
        return status;
    }

    private static IReadOnlyList<DirectoryProblem> Problems(ServerConfiguration configuration)
    {
        using MailDirectory directory = new(OptionsFor.Directory(configuration), TimeProvider.System, NullLogger.Instance);
        return directory.Problems;
    }
}
