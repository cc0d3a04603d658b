using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Setup;

namespace Posthorn.Commands;

/// <summary>Runs what needs the configuration but not the server.</summary>
internal static class WithConfiguration
{
    /// <summary>Loads the configuration, or prints its mistakes.</summary>
    /// <param name="config">The file, as the command line names it.</param>
    /// <param name="run">The command.</param>
    /// <param name="makesFiles">It makes files of accounts and aliases that are not there; they are the server's.</param>
    public static async Task<int> RunAsync(string? config, Func<ServerConfiguration, Task<int>> run, bool makesFiles = false)
    {
        ConfigurationResult loaded = ConfigurationLoader.Load(ConfigurationLoader.Locate(config), makesFiles);
        if (loaded.Configuration is not { } configuration)
        {
            Print(loaded.Problems);
            return ExitStatus.Wrong;
        }
        return await RunAsync(configuration, makesFiles ? made => MakeFilesAsync(made, run) : run);
    }

    private static async Task<int> MakeFilesAsync(ServerConfiguration configuration, Func<ServerConfiguration, Task<int>> run)
    {
        IEnumerable<string> named = configuration.Domains.SelectMany(domain => domain.Aliases.Append(domain.PasswdFile)).Append(configuration.Auth.PasswdFile).OfType<string>();
        string[] missing = [.. named.Where(file => !File.Exists(file))];
        int status = await run(configuration);
        ServerUser.Give(configuration.Data, missing.Where(File.Exists));
        return status;
    }

    /// <summary>Runs what looks at a server and needs to know no more than its <c>data</c>: mistakes elsewhere in the file are told, and do not keep anybody from looking.</summary>
    /// <param name="config">The file, as the command line names it.</param>
    /// <param name="run">The command; it is told whether the file has no mistakes.</param>
    public static async Task<int> LookAsync(string? config, Func<ServerConfiguration, bool, Task<int>> run)
    {
        ConfigurationResult loaded = ConfigurationLoader.LoadForData(ConfigurationLoader.Locate(config));
        if (loaded.Configuration is not { } configuration)
        {
            Print(loaded.Problems);
            return ExitStatus.Wrong;
        }
        int status = await RunAsync(configuration, one => run(one, !loaded.HasErrors));
        // Who may not ask the server may not read its files either: then these are no mistakes.
        if (loaded.HasErrors && status != ExitStatus.Unreachable) Print(loaded.Problems);
        return status;
    }

    private static async Task<int> RunAsync(ServerConfiguration configuration, Func<ServerConfiguration, Task<int>> run)
    {
        try { return await run(configuration); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return ExitStatus.Wrong;
        }
    }

    private static void Print(IReadOnlyList<ConfigProblem> problems)
    {
        foreach (ConfigProblem problem in problems) Console.Error.WriteLine(problem);
    }

    /// <summary>Prints what was done, or why not.</summary>
    public static int Report(Result<Done> result, string done)
    {
        if (result.TryGet(out _, out Refusal? refusal))
        {
            Console.Out.WriteLine(done);
            return ExitStatus.Done;
        }
        Console.Error.WriteLine(refusal.Text);
        return ExitStatus.Wrong;
    }

    /// <summary>Completes a bare name with the default domain.</summary>
    public static EmailAddress? Address(ServerConfiguration configuration, string text)
    {
        if (!text.Contains('@', StringComparison.Ordinal) && configuration.Domains.Count > 0) text = $"{text}@{configuration.Auth.DefaultDomain ?? configuration.Domains[0].Name}";
        if (!EmailAddress.TryParse(text, out EmailAddress address))
        {
            Console.Error.WriteLine($"'{text}' is not an address");
            return null;
        }
        if (configuration.Domains.Any(d => d.Name == address.Domain)) return address;
        Console.Error.WriteLine($"{address.Domain} is not a domain of this server; known are {string.Join(", ", configuration.Domains.Select(d => d.Name))}");
        return null;
    }
}
