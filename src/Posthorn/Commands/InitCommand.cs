using System.CommandLine;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Setup;

namespace Posthorn.Commands;

/// <summary><c>posthorn init DOMAIN</c>: writes a configuration for a domain and says what is left to do.</summary>
internal static class InitCommand
{
    public static Command Create()
    {
        Argument<string> domain = new("DOMAIN") { Description = "The mail domain, such as example.org" };
        Option<string?> config = CommonOptions.Config();
        Option<string> data = new("--data") { Description = "The folder for journal, queue and mail", HelpName = "DIR", DefaultValueFactory = _ => "/var/lib/posthorn" };
        Option<string?> hostname = new("--hostname") { Description = "The server's own name (default: mail.DOMAIN)", HelpName = "NAME" };
        Command command = new("init", "Write a configuration for a domain") { domain, config, data, hostname };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(domain), parsed.GetValue(hostname), parsed.GetValue(config), parsed.GetRequiredValue(data)));
        return command;
    }

    private static int Run(string domain, string? hostname, string? config, string data)
    {
        if (!DomainName.TryCreate(domain, out DomainName name) || name.IsAddressLiteral) return Usage($"'{domain}' is not a domain name");
        if (!DomainName.TryCreate(hostname ?? $"mail.{name}", out DomainName host) || host.IsAddressLiteral) return Usage($"'{hostname}' is not a host name");
        string file = ConfigurationLoader.Locate(config);
        try { DomainFolder.Write(file, Path.GetFullPath(data), host, name, TimeProvider.System); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return ExitStatus.Wrong;
        }
        string where = file == ConfigurationLoader.DefaultFile ? "" : $" -c {file}";
        Console.Out.WriteLine($"Wrote {file}.");
        Tell("Next:",
            [$"posthorn account add you@{name}{where}", "adds an account; asks for the password"],
            [$"posthorn check{where}", "tells whether all is good"],
            [$"posthorn serve{where}", "runs the server"]);
        Tell($"In the DNS of {name}:",
            [$"{name}.", "MX", $"10 {host}."],
            [$"{host}.", "A/AAAA", "this machine's addresses, and PTR records that lead back"],
            [$"{name}.", "TXT", "\"v=spf1 mx -all\""]);
        return ExitStatus.Done;
    }

    private static void Tell(string title, params IReadOnlyList<IReadOnlyList<string>> rows)
    {
        Console.Out.WriteLine();
        Console.Out.WriteLine(title);
        foreach (string line in Columns.Lines(rows)) Console.Out.WriteLine("  " + line);
    }

    private static int Usage(string why)
    {
        Console.Error.WriteLine(why);
        return ExitStatus.Usage;
    }
}
