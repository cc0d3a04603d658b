using System.Net;
using Microsoft.Extensions.Logging;
using Posthorn.Configuration;
using Posthorn.Transport;
using Posthorn.Transport.Milter;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Delegation;
using Posthorn.Transport.Policy.Rules;
using Posthorn.Transport.Remote;

namespace Posthorn.Serving;

/// <summary>Makes the checks that the configuration names, and keeps what they hold open.</summary>
/// <param name="foundation">What they look into.</param>
/// <param name="dns">For lists and names.</param>
/// <param name="connections">Connections that an address has open now.</param>
/// <param name="time">The clock.</param>
/// <param name="log">For what happens with mail filters.</param>
internal sealed class Checks(Foundation foundation, IMailDns dns, Func<IPAddress, int> connections, TimeProvider time, ILogger log) : IAsyncDisposable
{
    private readonly MilterPool _milters = new(new SocketConnector(), time);
    private readonly Dictionary<PolicyServerOptions, PolicyServer> _servers = [];

    /// <summary>The checks of a configuration. Policy servers that it still names keep their connections.</summary>
    public CheckSet For(ServerConfiguration configuration, TransportOptions options)
    {
        HashSet<PolicyServerOptions> wanted = [.. configuration.Rules.Select(rule => rule.Server).OfType<PolicyServerOptions>()];
        foreach ((PolicyServerOptions known, PolicyServer server) in _servers.ToArray())
        {
            if (wanted.Contains(known)) continue;
            _servers.Remove(known);
            server.Dispose(); // a question under way still gets its answer
        }
        Rule[] rules = [.. configuration.Rules.Select(Made)];
        List<ICheckSource> sources = [];
        if (rules.Length > 0) sources.Add(new RuleSet(rules, new(foundation.Directory, dns) { Tables = foundation.Tables, SenderLogins = options.SenderLogins, Time = time }));
        // Then the filters: what a rule refuses none of them need read.
        if (configuration.Milters.Count > 0) sources.AddRange(MiltersOf(configuration, options));
        return new(sources, new(dns, time));
    }

    public async ValueTask DisposeAsync()
    {
        await _milters.DisposeAsync();
        foreach (PolicyServer server in _servers.Values) server.Dispose();
    }

    private IEnumerable<ICheckSource> MiltersOf(ServerConfiguration configuration, TransportOptions options)
    {
        MilterServices services = new()
        {
            Hostname = configuration.Hostname.Ascii, Stores = foundation.Stores, Pool = _milters, Time = time, Log = log,
            MaxHeaderSize = options.MaxHeaderSize, MaxMessageSize = configuration.Limits.MessageSize,
            IsLocal = foundation.Directory.IsLocalDomain, Connections = connections,
        };
        return configuration.Milters.Select(milter => new MilterSource(milter, services));
    }

    private Rule Made(RuleSection section)
    {
        if (section.Server is not { } options) return section.Rule;
        if (!_servers.TryGetValue(options, out PolicyServer? server)) _servers[options] = server = new(options, time);
        return section.Rule with { Action = new AskPolicy(server, section.OnFailure) };
    }
}
