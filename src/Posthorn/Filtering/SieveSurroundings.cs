using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Commands;
using Posthorn.Configuration;
using Posthorn.Control;
using Posthorn.Directory;
using Posthorn.Journal.Volume;
using Posthorn.Serving;
using Posthorn.Sieve;
using Posthorn.Store.Scripts;
using Posthorn.Transport.Filtering;

namespace Posthorn.Filtering;

/// <summary>What scripts that are checked or tried by hand find around them: the language of a configuration and, where one is named, an account. Without a configuration the defaults.</summary>
internal sealed class SieveSurroundings
{
    /// <summary>The configuration's options; null without one.</summary>
    public SieveOptions? Options { get; private init; }

    /// <summary>The account; null where none was named.</summary>
    public AccountView? Account { get; private init; }

    /// <summary>Scripts of the configuration and its accounts; null without one.</summary>
    public ScriptLibrary? Library { get; private init; }

    public SieveSettings Language => Options?.Language ?? SieveSettings.Default;

    public SieveCheckContext Check => Account?.Check() ?? new();

    /// <summary>Reads what was asked for and runs the command with it.</summary>
    public static Task<int> WithAsync(string? config, string? account, Func<SieveSurroundings, Task<int>> run, CancellationToken cancel) =>
        config is null && account is null ? run(new()) : WithConfiguration.RunAsync(config, configuration => WithAsync(configuration, account, run, cancel));

    private static async Task<int> WithAsync(ServerConfiguration configuration, string? account, Func<SieveSurroundings, Task<int>> run, CancellationToken cancel)
    {
        SieveOptions options = OptionsFor.Sieve(configuration);
        LinuxVolume volume = new();
        ScriptLibrary library = new(new FileScriptStore(options.Scripts, volume, TimeProvider.System), volume, TimeProvider.System, NullLogger.Instance);
        if (account is null) return await run(new() { Options = options, Library = library });
        if (WithConfiguration.Address(configuration, account) is not { } address) return ExitStatus.Wrong;
        using MailDirectory directory = new(OptionsFor.Directory(configuration), TimeProvider.System, NullLogger.Instance);
        if (directory.FindAccount(address) is not { } found)
        {
            Console.Error.WriteLine($"there is no account {address}");
            return ExitStatus.Wrong;
        }
        IReadOnlyList<KnownMailbox> mailboxes = [];
        int status = await ControlClient.RunOrElseAsync(configuration,
            async (client, stop) =>
            {
                mailboxes = (await client.GetAsync($"sieve/mailboxes?account={Uri.EscapeDataString(address.ToString())}", SieveJson.Default.MailboxesReport, stop)).Mailboxes;
                return ExitStatus.Done;
            },
            async stop =>
            {
                if (await StoppedMail.OpenAsync(configuration, address, stop) is not { } stopped) return ExitStatus.Wrong;
                await using (stopped.Mail) mailboxes = await stopped.Mail.MailboxesAsync(stop);
                return ExitStatus.Done;
            }, cancel);
        return status != ExitStatus.Done ? status
            : await run(new() { Options = options, Library = library, Account = new(found, mailboxes, options, library, new(volume, TimeProvider.System)) });
    }
}
