using System.CommandLine;
using System.Text.Json;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Setup;

namespace Posthorn.Commands;

/// <summary><c>posthorn domain add|list|remove</c>: one file for each added domain in <c>domains.d</c> beside the configuration.</summary>
internal static class DomainCommand
{
    public static Command Create() => new("domain", "Add, list and remove domains") { Add(), List(), Remove() };

    private static Command Add()
    {
        Argument<string> name = new("DOMAIN") { Description = "The domain's name" };
        Option<string?> config = CommonOptions.Config();
        Command command = new("add", "Add a domain") { name, config };
        command.SetAction((parsed, _) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
            Task.FromResult(Add(configuration, parsed.GetRequiredValue(name)))));
        return command;
    }

    private static int Add(ServerConfiguration configuration, string text)
    {
        if (!DomainName.TryCreate(text, out DomainName name) || name.IsAddressLiteral)
        {
            Console.Error.WriteLine($"'{text}' is not a domain name");
            return ExitStatus.Usage;
        }
        if (configuration.Domains.Any(d => d.Name == name))
        {
            Console.Error.WriteLine($"{name} is a domain of this server already");
            return ExitStatus.Wrong;
        }
        string file = FileOf(configuration, name);
        Folder.CreateDirectory(Path.GetDirectoryName(file)!);
        string aliases = Path.ChangeExtension(file, ".aliases");
        if (!File.Exists(aliases)) PrivateFile.Write(aliases, $"# Aliases of {name}, as in Postfix's virtual(5): ADDRESS TARGET, ...\n");
        string draft = file + ".tmp";
        File.WriteAllText(draft, $"[[domain]]\nname = \"{name}\"\naliases = \"{Path.GetFileName(aliases)}\"\n");
        File.Move(draft, file);
        ServerUser.Give(configuration.Data, Path.GetDirectoryName(file)!, aliases, file);
        // The whole must still be good: a location without {domain}, say, forbids a second domain.
        ConfigurationResult whole = ConfigurationLoader.Load(configuration.File);
        if (whole.HasErrors)
        {
            File.Delete(file);
            foreach (ConfigProblem problem in whole.Problems) Console.Error.WriteLine(problem);
            return ExitStatus.Wrong;
        }
        Console.Out.WriteLine($"added {name} in {file}; posthorn reload tells the running server");
        return ExitStatus.Done;
    }

    private static Command Remove()
    {
        Argument<string> name = new("DOMAIN") { Description = "The domain's name" };
        Option<string?> config = CommonOptions.Config();
        Command command = new("remove", "Remove a domain that 'add' made; its mail stays where it is") { name, config };
        command.SetAction((parsed, _) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
        {
            string text = parsed.GetRequiredValue(name);
            string? file = DomainName.TryCreate(text, out DomainName known) ? FileOf(configuration, known) : null;
            if (file is null || !File.Exists(file))
            {
                Console.Error.WriteLine(file is not null && configuration.Domains.Any(d => d.Name == known)
                    ? $"{known} is named in {configuration.File}: take its [[domain]] out there" : $"{text} is not a domain of this server");
                return Task.FromResult(ExitStatus.Wrong);
            }
            File.Delete(file);
            Console.Out.WriteLine($"removed {known}; its mail, its accounts' passwords and {Path.ChangeExtension(file, ".aliases")} stay where they are; posthorn reload tells the running server");
            return Task.FromResult(ExitStatus.Done);
        }));
        return command;
    }

    private static Command List()
    {
        Option<string?> config = CommonOptions.Config();
        Option<bool> json = CommonOptions.Json();
        Command command = new("list", "List the domains") { config, json };
        command.SetAction((parsed, _) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
        {
            List<string> domains = [.. configuration.Domains.Select(d => d.Name.ToString())];
            if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(new DomainList(domains), CommandJson.Default.DomainList));
            else foreach (string domain in domains) Console.Out.WriteLine(domain);
            return Task.FromResult(ExitStatus.Done);
        }));
        return command;
    }

    private static string FileOf(ServerConfiguration configuration, DomainName name) =>
        Path.Combine(Path.GetDirectoryName(configuration.File) ?? "/", "domains.d", name + ".toml");
}

/// <summary>What <c>domain list --json</c> prints.</summary>
internal sealed record DomainList(IReadOnlyList<string> Domains);
