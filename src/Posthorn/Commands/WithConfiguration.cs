using Posthorn.Configuration;
using Posthorn.Core;

namespace Posthorn.Commands;

/// <summary>Runs what needs the configuration but not the server.</summary>
internal static class WithConfiguration
{
    /// <summary>Loads the configuration, or prints its mistakes.</summary>
    public static async Task<int> RunAsync(string? config, Func<ServerConfiguration, Task<int>> run)
    {
        ConfigurationResult loaded = ConfigurationLoader.Load(ConfigurationLoader.Locate(config));
        if (loaded.Configuration is not { } configuration)
        {
            foreach (ConfigProblem problem in loaded.Problems) Console.Error.WriteLine(problem);
            return ExitStatus.Wrong;
        }
        try { return await run(configuration); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return ExitStatus.Wrong;
        }
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
        if (!text.Contains('@', StringComparison.Ordinal)) text = $"{text}@{configuration.Auth.DefaultDomain ?? configuration.Domains[0].Name}";
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
