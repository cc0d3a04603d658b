using System.CommandLine;
using System.Text.Json;
using Posthorn.Configuration;
using Posthorn.Core;
using Posthorn.Directory;

namespace Posthorn.Commands;

/// <summary><c>posthorn alias add|list|remove</c>: edits the first alias file of the domain. The running server sees it within a second.</summary>
internal static class AliasCommand
{
    public static Command Create() => new("alias", "Add, list and remove aliases") { Add(), List(), Remove() };

    private static Command Add()
    {
        Argument<string> name = Name();
        Argument<string[]> targets = new("TARGET") { Description = "Where its mail goes", Arity = ArgumentArity.OneOrMore };
        Option<string?> config = CommonOptions.Config();
        Command command = new("add", "Add an alias") { name, targets, config };
        command.SetAction((parsed, cancel) => WithConfiguration.RunAsync(parsed.GetValue(config), async configuration =>
        {
            string alias = parsed.GetRequiredValue(name);
            string[] list = parsed.GetRequiredValue(targets);
            if (File(configuration, alias) is not { } file) return ExitStatus.Wrong;
            return await DirectoryNews.AfterAsync(configuration, async () => WithConfiguration.Report(await file.AddAsync(alias, list, cancel), $"added {alias} -> {string.Join(", ", list)}"));
        }, makesFiles: true));
        return command;
    }

    private static Command Remove()
    {
        Argument<string> name = Name();
        Option<string?> config = CommonOptions.Config();
        Command command = new("remove", "Remove an alias") { name, config };
        command.SetAction((parsed, cancel) => WithConfiguration.RunAsync(parsed.GetValue(config), async configuration =>
        {
            string alias = parsed.GetRequiredValue(name);
            if (File(configuration, alias) is not { } file) return ExitStatus.Wrong;
            return await DirectoryNews.AfterAsync(configuration, async () => WithConfiguration.Report(await file.RemoveAsync(alias, cancel), $"removed {alias}"));
        }));
        return command;
    }

    private static Command List()
    {
        Option<string?> config = CommonOptions.Config();
        Option<bool> json = CommonOptions.Json();
        Command command = new("list", "List the aliases") { config, json };
        command.SetAction((parsed, _) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
        {
            List<AliasEntry> entries = [.. configuration.Domains.SelectMany(d => d.Aliases).Where(IsEditable).Distinct(StringComparer.Ordinal)
                .SelectMany(path => new AliasFile(path, TimeProvider.System).List()).Select(e => new AliasEntry(e.Name, e.Targets))];
            if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(new AliasList(entries), CommandJson.Default.AliasList));
            else foreach (AliasEntry entry in entries) Console.Out.WriteLine($"{entry.Name} -> {string.Join(", ", entry.Targets)}");
            return Task.FromResult(ExitStatus.Done);
        }));
        return command;
    }

    private static AliasFile? File(ServerConfiguration configuration, string alias)
    {
        int at = alias.LastIndexOf('@');
        DomainSection? domain = at < 0 ? configuration.Domains[0]
            : DomainName.TryCreate(alias.AsSpan(at + 1), out DomainName name) ? configuration.Domains.FirstOrDefault(d => d.Name == name) : null;
        if (domain is null) Console.Error.WriteLine($"'{alias}' is in no domain of this server; known are {string.Join(", ", configuration.Domains.Select(d => d.Name))}");
        else if (domain.Aliases.FirstOrDefault(IsEditable) is { } path) return new(path, TimeProvider.System);
        else Console.Error.WriteLine($"the configuration names no alias file for {domain.Name}: set 'aliases' in its [[domain]]");
        return null;
    }

    // Files of aliases(5) and tables of patterns are for editors: what stands there may mean more than one alias.
    private static bool IsEditable(string file) => file.StartsWith('/');

    private static Argument<string> Name() => new("ALIAS") { Description = "An address, or @DOMAIN for every address of the domain that no other alias names; accounts too, as in Postfix, unless each has an alias to itself" };
}

/// <summary>What <c>alias list --json</c> prints.</summary>
internal sealed record AliasList(IReadOnlyList<AliasEntry> Aliases);

/// <summary>One alias.</summary>
internal sealed record AliasEntry(string Name, IReadOnlyList<string> Targets);
