using System.CommandLine;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Journal.Volume;
using Posthorn.Serving;
using Posthorn.Setup;

namespace Posthorn.Commands;

/// <summary>The options of <c>posthorn store</c>, and the accounts that they mean.</summary>
internal sealed class StoreOptions
{
    private readonly Option<string[]> _accounts = new("--account", "-a") { Description = "An account; may be given several times; a bare name gets the default domain", HelpName = "ADDRESS" };
    private readonly Option<bool> _all = new("--all") { Description = "All accounts" };

    public Option<string?> Config { get; } = CommonOptions.Config();

    public Option<bool> Json { get; } = CommonOptions.Json();

    public Command AddTo(Command command)
    {
        foreach (Option option in (Option[])[_accounts, _all, Config, Json]) command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetValue(_all) == result.GetValue(_accounts) is { Length: > 0 }) result.AddError("Name accounts with --account, or take --all");
        });
        return command;
    }

    public Task<int> RunAsync(ParseResult parsed, Func<ServerConfiguration, IReadOnlyList<MailAccount>, Task<int>> run) => WithConfiguration.RunAsync(parsed.GetValue(Config), async configuration =>
        Chosen(parsed, configuration) is { } accounts ? await run(configuration, accounts) : ExitStatus.Wrong);

    /// <summary>Runs what a server must not be in the way of; root acts as the server's user.</summary>
    public Task<int> RunStoppedAsync(ParseResult parsed, Func<ServerConfiguration, IReadOnlyList<MailAccount>, Task<int>> run) => RunAsync(parsed, async (configuration, accounts) =>
    {
        if (!IsServerRunning(configuration))
        {
            using ServerUser? user = ServerUser.Become(configuration.Data);
            return await run(configuration, accounts);
        }

        Console.Error.WriteLine($"The server runs and has the mail of {configuration.Data} open: stop it first.");
        return ExitStatus.Refused;
    });

    /// <summary>Whether a server has the journal, and with it all mail.</summary>
    public static bool IsServerRunning(ServerConfiguration configuration)
    {
        string path = Path.Combine(OptionsFor.Journal(configuration).Directory, "lock");
        if (!File.Exists(path)) return false;
        using IVolumeFile file = new LinuxVolume().Open(path, VolumeOpen.OpenOrCreate);
        return !file.TryLock();
    }

    private static List<MailAccount> Accounts(ServerConfiguration configuration)
    {
        using MailDirectory directory = new(OptionsFor.Directory(configuration), TimeProvider.System, NullLogger.Instance);
        return [.. directory.Accounts.OrderBy(account => account.Address.ToString(), StringComparer.OrdinalIgnoreCase)];
    }

    private List<MailAccount>? Chosen(ParseResult parsed, ServerConfiguration configuration)
    {
        List<MailAccount> all = Accounts(configuration);
        if (parsed.GetValue(_all)) return all;
        List<MailAccount> chosen = [];
        foreach (string text in parsed.GetValue(_accounts) ?? [])
        {
            if (WithConfiguration.Address(configuration, text) is not { } address) return null;
            if (all.FirstOrDefault(account => account.Address == address) is not { } known)
            {
                Console.Error.WriteLine($"there is no account {address}");
                return null;
            }

            chosen.Add(known);
        }

        return chosen;
    }
}
