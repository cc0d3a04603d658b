using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Posthorn.Control;
using Posthorn.Core;
using Posthorn.Serving;
using Posthorn.Setup;
using Spectre.Console;

namespace Posthorn.Commands;

/// <summary><c>posthorn quickstart</c>: a whole server on loopback and unprivileged ports, for a first look and for scripts.</summary>
internal static class QuickstartCommand
{
    /// <summary>The highest usual port above it is managesieve's, 4190.</summary>
    private const int HighestPortBase = 65535 - 4190;

    public static Command Create()
    {
        Option<string?> directory = new("--directory", "-d") { Description = "The folder for everything (default: ~/.local/share/posthorn/quickstart)", HelpName = "D" };
        Option<string?> portBase = new("--port-base") { Description = "Added to each usual port; 0 takes free ports (default: 20000)", HelpName = "N" };
        Option<string?> domain = new("--domain") { Description = "The mail domain (default: posthorn.test)", HelpName = "NAME" };
        Option<string?> accounts = new("--accounts") { Description = "Local parts, parted by commas (default: alice,bob)", HelpName = "a,b,c" };
        Option<bool> json = new("--json") { Description = "Print one line of JSON when all listeners accept, and ask nothing" };
        Command command = new("quickstart", "Set up and run a server on this machine, to try it") { directory, portBase, domain, accounts, json };
        command.SetAction((parsed, cancel) =>
        {
            if (Wishes(parsed.GetValue(directory), parsed.GetValue(portBase), parsed.GetValue(domain), parsed.GetValue(accounts)) is { } wishes)
                return RunAsync(wishes, parsed.GetValue(json), cancel);
            return Task.FromResult(ExitStatus.Usage);
        });
        return command;
    }

    private static QuickstartWishes? Wishes(string? directory, string? ports, string? domain, string? accounts)
    {
        DomainName? name = null;
        if (domain is not null)
        {
            if (!DomainName.TryCreate(domain, out DomainName read) || read.IsAddressLiteral) return Refuse($"--domain: '{domain}' is not a domain name");
            name = read;
        }
        int? portBase = null;
        if (ports is not null)
        {
            if (!ushort.TryParse(ports, CultureInfo.InvariantCulture, out ushort number) || number > HighestPortBase) return Refuse($"--port-base: '{ports}' is not a number from 0 to {HighestPortBase}");
            portBase = number;
        }
        string[] parts = accounts?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
        foreach (string part in parts)
            if (!EmailAddress.TryParse(part + "@example.org", out _) || part.Contains(':', StringComparison.Ordinal)) return Refuse($"--accounts: '{part}' is not a local part");
        return new(directory ?? QuickstartFolder.DefaultPath(), portBase, name, parts);
    }

    private static QuickstartWishes? Refuse(string why)
    {
        Console.Error.WriteLine(why);
        return null;
    }

    private static async Task<int> RunAsync(QuickstartWishes wishes, bool json, CancellationToken cancel)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        QuickstartFolder folder;
        try { folder = QuickstartFolder.Prepare(wishes, TimeProvider.System, step => console.MarkupLineInterpolated($"[green]✓[/] {step}")); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return ExitStatus.Wrong;
        }
        using QuickstartFolder held = folder;
        return await ServeCommand.RunAsync(folder.ConfigurationFile, host => ReadyAsync(host, folder, json, console, cancel), cancel);
    }

    private static async Task ReadyAsync(ServerHost host, QuickstartFolder folder, bool json, IAnsiConsole console, CancellationToken cancel)
    {
        await WelcomeMail.DeliverAsync(host, folder, cancel);
        if (json) WriteJson(host, folder);
        else QuickstartScreen.Write(host, folder, console);
    }

    private static void WriteJson(ServerHost host, QuickstartFolder folder)
    {
        QuickstartReport report = new(
            [.. host.Listeners],
            [.. folder.State.Accounts.Select(a => new QuickstartLogin($"{a.LocalPart}@{folder.State.Domain}", $"{a.LocalPart}@{folder.State.Domain}", a.Password))],
            folder.ConfigurationFile);
        Console.Out.WriteLine(JsonSerializer.Serialize(report, CommandJson.Default.QuickstartReport));
        Console.Out.Flush();
    }
}

/// <summary>What <c>quickstart --json</c> prints.</summary>
internal sealed record QuickstartReport(IReadOnlyList<ListenerReport> Listeners, IReadOnlyList<QuickstartLogin> Accounts, string Configuration);

/// <summary>One account.</summary>
internal sealed record QuickstartLogin(string Address, string Login, string Password);
