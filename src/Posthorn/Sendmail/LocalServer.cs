using System.Net;
using System.Net.Sockets;
using Posthorn.Configuration;

namespace Posthorn.Sendmail;

/// <summary>Where the server of this machine takes mail from local programs, and under which names.</summary>
/// <param name="EndPoint">Its SMTP listener: a Unix socket where there is one, else loopback.</param>
/// <param name="Helo">Our name in EHLO.</param>
/// <param name="Domain">The domain of bare names.</param>
internal sealed record LocalServer(EndPoint EndPoint, string Helo, string Domain)
{
    /// <summary>Where messages are left while it is down; null for nowhere.</summary>
    public string? Drop { get; init; }

    /// <summary>The longest message that may be left, octets: the server would not take a longer one.</summary>
    public long MaxMessageSize { get; init; } = long.MaxValue;

    /// <summary>How long to wait for it where there is no such place: it may just be started anew.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// What the configuration says. Local programs run as users that may not read all of it (keys, or the file itself): what can be read counts,
    /// and without any of it the server is looked for on port 25.
    /// </summary>
    public static LocalServer Find(string? config)
    {
        string machine = Dns.GetHostName();
        return ConfigurationLoader.Glance(ConfigurationLoader.Locate(config)) is { } known
            ? Of(known, known.Listeners.Where(static l => l.Options.Name == "smtp").Select(static l => l.Options.EndPoint)) : new(new IPEndPoint(IPAddress.Loopback, 25), machine, machine);
    }

    /// <summary>The server of a configuration.</summary>
    /// <param name="known">The configuration.</param>
    /// <param name="places">Where it takes mail by SMTP.</param>
    public static LocalServer Of(ServerConfiguration known, IEnumerable<EndPoint> places)
    {
        string domain = (known.Auth.DefaultDomain ?? (known.Domains.Count > 0 ? known.Domains[0].Name : known.Hostname)).Ascii;
        List<EndPoint> all = [.. places];
        EndPoint? unix = all.OfType<UnixDomainSocketEndPoint>().FirstOrDefault();
        IPEndPoint? tcp = all.OfType<IPEndPoint>().Where(static p => p.Port > 0).OrderByDescending(static p => IPAddress.IsLoopback(p.Address) || IsAny(p.Address)).FirstOrDefault();
        if (tcp is not null && IsAny(tcp.Address)) tcp = new(IPAddress.Loopback, tcp.Port);
        return new(unix ?? tcp ?? new IPEndPoint(IPAddress.Loopback, 25), known.Hostname.Ascii, domain) { Drop = known.Sendmail.Drop, Wait = known.Sendmail.Wait, MaxMessageSize = known.Limits.MessageSize };
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
