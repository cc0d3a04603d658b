using System.CommandLine;
using System.Text.Json;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Directory.Passwords;
using Posthorn.Setup;

namespace Posthorn.Commands;

/// <summary><c>posthorn account add|list|passwd|remove</c>: edits the passwd-file that the configuration names. The running server sees it within a second.</summary>
internal static class AccountCommand
{
    /// <summary>NIST SP 800-63B section 5.1.1.1 asks for eight.</summary>
    private const int ShortPassword = 8;

    public static Command Create() => new("account", "Add, list, change and remove accounts") { Add(), List(), Password(), Remove() };

    private static Command Add()
    {
        Argument<string> address = Address();
        Option<string?> config = CommonOptions.Config();
        Option<bool> generate = Generate();
        Command command = new("add", "Add an account; the password is asked for, or read from standard input") { address, config, generate };
        command.SetAction((parsed, cancel) => ChangeAsync(parsed.GetValue(config), parsed.GetRequiredValue(address), parsed.GetValue(generate),
            (file, account, hash) => file.AddAsync(account, hash, bare: false, cancel), "added", makesFiles: true));
        return command;
    }

    private static Command Password()
    {
        Argument<string> address = Address();
        Option<string?> config = CommonOptions.Config();
        Option<bool> generate = Generate();
        Command command = new("passwd", "Change an account's password") { address, config, generate };
        command.SetAction((parsed, cancel) => ChangeAsync(parsed.GetValue(config), parsed.GetRequiredValue(address), parsed.GetValue(generate),
            (file, account, hash) => file.SetPasswordAsync(account, hash, cancel), "changed"));
        return command;
    }

    private static Command Remove()
    {
        Argument<string> address = Address();
        Option<string?> config = CommonOptions.Config();
        Command command = new("remove", "Remove an account; its mail stays where it is") { address, config };
        command.SetAction((parsed, cancel) => WithConfiguration.RunAsync(parsed.GetValue(config), async configuration =>
        {
            if (WithConfiguration.Address(configuration, parsed.GetRequiredValue(address)) is not { } account || File(configuration, account.Domain) is not { } file) return ExitStatus.Wrong;
            return await DirectoryNews.AfterAsync(configuration, async () => WithConfiguration.Report(await file.RemoveAsync(account, cancel), $"removed {account}; its mail stays where it is"));
        }));
        return command;
    }

    private static Command List()
    {
        Option<string?> config = CommonOptions.Config();
        Option<bool> json = CommonOptions.Json();
        Command command = new("list", "List the accounts") { config, json };
        command.SetAction((parsed, _) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
        {
            IEnumerable<DomainName> domains = configuration.Domains.Select(d => d.Name);
            List<string> accounts = [.. domains.Select(d => File(configuration, d)).OfType<AccountFile>().SelectMany(f => f.List()).Select(a => a.ToString()).Distinct(StringComparer.OrdinalIgnoreCase)];
            if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(new AccountList(accounts), CommandJson.Default.AccountList));
            else foreach (string account in accounts) Console.Out.WriteLine(account);
            return Task.FromResult(ExitStatus.Done);
        }));
        return command;
    }

    private static Task<int> ChangeAsync(string? config, string address, bool generate, Func<AccountFile, EmailAddress, string, ValueTask<Result<Done>>> change, string done, bool makesFiles = false) =>
        WithConfiguration.RunAsync(config, async configuration =>
        {
            if (WithConfiguration.Address(configuration, address) is not { } account || File(configuration, account.Domain) is not { } file) return ExitStatus.Wrong;
            string? password = generate ? Passwords.New() : PasswordPrompt.Read(account.ToString());
            if (password is null) return ExitStatus.Usage;
            if (password.Length < ShortPassword) Console.Error.WriteLine($"a password of {Quantity.Of(password.Length, "character")} is soon guessed");
            int status = await DirectoryNews.AfterAsync(configuration, async () => WithConfiguration.Report(await change(file, account, PasswordHasher.Argon2Id(password)), $"{done} {account}"));
            if (status == ExitStatus.Done && generate) Console.Out.WriteLine($"password: {password}");
            return status;
        }, makesFiles);

    private static AccountFile? File(ServerConfiguration configuration, DomainName domain)
    {
        string? path = configuration.Domains.Single(d => d.Name == domain).PasswdFile ?? configuration.Auth.PasswdFile;
        if (path is not null) return new(path, configuration.Auth.DefaultDomain ?? configuration.Domains[0].Name, TimeProvider.System);
        Console.Error.WriteLine($"the configuration names no passwd-file for {domain}: set 'passwd-file' in [auth]");
        return null;
    }

    private static Argument<string> Address() => new("ADDRESS") { Description = "The account's address; a bare name gets the default domain" };

    private static Option<bool> Generate() => new("--generate") { Description = "Make a password and print it" };
}

/// <summary>What <c>account list --json</c> prints.</summary>
internal sealed record AccountList(IReadOnlyList<string> Accounts);
