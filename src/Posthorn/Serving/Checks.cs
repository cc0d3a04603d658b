using Posthorn.Configuration;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Delegation;
using Posthorn.Transport.Policy.Rules;
using Posthorn.Transport.Remote;

namespace Posthorn.Serving;

/// <summary>Makes the checks that the configuration names, and keeps what they hold open.</summary>
internal sealed class Checks(IDirectory directory, IMailDns dns, LookupTables tables, TimeProvider time) : IDisposable
{
    private readonly Dictionary<PolicyServerOptions, PolicyServer> _servers = [];

    /// <summary>The checks of a configuration. Policy servers that it still names keep their connections.</summary>
    public CheckSet For(ServerConfiguration configuration)
    {
        HashSet<PolicyServerOptions> wanted = [.. configuration.Rules.Select(rule => rule.Server).OfType<PolicyServerOptions>()];
        foreach ((PolicyServerOptions options, PolicyServer server) in _servers.ToArray())
        {
            if (wanted.Contains(options)) continue;
            _servers.Remove(options);
            server.Dispose(); // a question under way still gets its answer
        }
        Rule[] rules = [.. configuration.Rules.Select(Made)];
        List<ICheckSource> sources = [];
        if (rules.Length > 0) sources.Add(new RuleSet(rules, new(directory, dns) { Tables = tables }));
        return new(sources, new(dns));
    }

    public void Dispose()
    {
        foreach (PolicyServer server in _servers.Values) server.Dispose();
    }

    private Rule Made(RuleSection section)
    {
        if (section.Server is not { } options) return section.Rule;
        if (!_servers.TryGetValue(options, out PolicyServer? server)) _servers[options] = server = new(options, time);
        return section.Rule with { Action = new AskPolicy(server, section.OnFailure) };
    }
}
