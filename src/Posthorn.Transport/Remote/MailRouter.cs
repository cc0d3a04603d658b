using System.Net;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Directory.Lookups;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;

namespace Posthorn.Transport.Remote;

/// <summary>A host that takes mail, or the reason why there is none.</summary>
/// <param name="Name">Its name, for TLS and the log.</param>
/// <param name="EndPoints">Where it is, in the order to try.</param>
internal sealed record MailHost(string Name, IReadOnlyList<EndPoint> EndPoints)
{
    /// <summary>Its addresses are proved by DNSSEC.</summary>
    public bool IsSecure { get; init; }

    /// <summary>What its name is an alias of; null when it is none.</summary>
    public string? CanonicalName { get; init; }
}

/// <summary>The answer to where mail goes.</summary>
internal abstract record Route
{
    private Route() { }

    /// <summary>To an account of ours.</summary>
    public sealed record Local : Route;

    /// <summary>To these, in this order; each is looked up when it is its turn.</summary>
    public sealed record Hosts(IReadOnlyList<string> Names, int Port, NextHop Hop) : Route
    {
        /// <summary>That these are the hosts is proved by DNSSEC, or said by the administrator.</summary>
        public bool IsSecure { get; init; }
    }

    /// <summary>To one place that needs no look-up.</summary>
    public sealed record Place(MailHost Host, NextHop Hop) : Route;

    /// <summary>Nowhere, for this reason.</summary>
    public sealed record None(SmtpReply Reply) : Route
    {
        /// <summary>A look-up failed, which says nothing of the mail: the fallback host may have it.</summary>
        public bool MayFallBack { get; init; }
    }
}

/// <summary>Says where mail for a domain goes: transport table, relay host, MX records (RFC 5321 section 5.1, RFC 7505).</summary>
internal sealed class MailRouter(IMailDns dns, IDirectory directory, Func<TransportOptions> options, LookupTables? tables = null)
{
    /// <summary>MX hosts looked at; more of them only cost timeouts.</summary>
    private const int MaxHosts = 20;

    /// <summary>The destination of mail for our own accounts.</summary>
    public const string LocalKey = "(local)";

    public static readonly SmtpReply NoMailTaken = new(556, "5.1.10", "The domain takes no mail (null MX)");
    public static readonly SmtpReply NoDomain = new(550, "5.1.2", "The domain does not exist");
    public static readonly SmtpReply NoHost = new(550, "5.4.4", "The domain has no mail server");
    public static readonly SmtpReply DnsTrouble = new(450, "4.4.3", "The domain could not be looked up in the DNS");
    public static readonly SmtpReply LoopsBack = new(550, "5.4.6", "Mail for this domain would come back to this server, which does not host it");

    /// <summary>What is wrong with a host that the configuration names: not the recipient's fault, so that the mail waits until the administrator has mended it.</summary>
    public static SmtpReply OfNamed(string name, SmtpReply fault) => fault == NoDomain || fault == NoHost
        ? new(451, "4.3.5", $"The relay {name}, which this server's configuration names, {Lack(fault)} in the DNS")
        : fault == DnsTrouble ? fault with { Text = $"The relay {name} could not be looked up in the DNS" } : fault;

    /// <summary>What is wrong with a host that a domain's MX records name: the domain does exist, and what stands behind the @ is right.</summary>
    public static SmtpReply OfMx(DomainName domain, string name, SmtpReply fault) => name.Equals(domain.Ascii, StringComparison.OrdinalIgnoreCase) || fault != NoDomain && fault != NoHost ? fault
        : NoHost with { Text = $"{name}, which the MX record of {domain.Ascii} names, {Lack(fault)}" };

    private static string Lack(SmtpReply fault) => fault == NoDomain ? "does not exist" : "has no address";

    /// <summary>What stands for the next hop of a recipient in the queue's schedule: recipients with the same go there together, and nobody else does.</summary>
    public string DestinationOf(QueueMessage message, EnvelopeRecipient recipient)
    {
        EmailAddress address = LocalDomains.Normalise(recipient.Address, directory, options());
        if (directory.IsLocalDomain(address.Domain) && LocalHopOf(address) is null) return LocalKey;
        ValueTask<NextHop> asked = HopOfAsync(address, message.From, CancellationToken.None);
        // Tables of files answer at once. Nobody can wait here for one that does not: then each recipient stands by itself.
        if (!asked.IsCompletedSuccessfully) return $"table:{address}";
#pragma warning disable VSTHRD002 // It is there already: nobody waits.
        NextHop hop = asked.Result;
#pragma warning restore VSTHRD002
        return hop switch
        {
            NextHop.Host { IsByMx: true } host => $"mx:{host.Name}:{host.Port}",
            NextHop.Refuse refuse => $"refuse:{refuse.Reply}",
            NextHop.Host host => $"[{host.Name}]:{host.Port}",
            NextHop.Lmtp lmtp => $"lmtp:{lmtp.EndPoint}",
            _ => address.Domain.Ascii,
        } + hop.Variant;
    }

    public IDirectory Directory => directory;

    public bool IsLocal(DomainName domain) => directory.IsLocalDomain(domain);

    /// <summary>Where mail for a recipient goes next: the server behind this one, routes, tables, the relay host, MX records; the first that says something.</summary>
    public async ValueTask<NextHop> HopOfAsync(EmailAddress recipient, ReversePath from, CancellationToken cancel)
    {
        OutboundOptions outbound = options().Outbound;
        return RuledHopOf(recipient, from) ?? await TableHopAsync(outbound.TransportTables, recipient, cancel) ?? outbound.Relay ?? new NextHop.Mx();
    }

    private NextHop? RuledHopOf(EmailAddress recipient, ReversePath from)
    {
        if (directory.IsLocalDomain(recipient.Domain) && LocalHopOf(recipient) is { } behind) return behind;
        foreach (RouteRule rule in options().Outbound.Routes)
            if (rule.Matches(recipient, from)) return rule.Hop;
        return null;
    }

    private async ValueTask<NextHop?> TableHopAsync(IReadOnlyList<string> names, EmailAddress recipient, CancellationToken cancel)
    {
        if (names.Count == 0 || tables is null) return null;
        return await LookupSearch.TransportAsync(tables.Find(names), recipient, new DirectorySplitter(directory), cancel) switch
        {
            LookupResult.Found found => TransportEntry.Read(found.Value),
            LookupResult.Unavailable => new NextHop.Refuse(Replies.TableUnavailable),
            _ => null,
        };
    }

    public async ValueTask<Route> FindAsync(EmailAddress recipient, ReversePath from, CancellationToken cancel)
    {
        recipient = LocalDomains.Normalise(recipient, directory, options());
        DomainName domain = recipient.Domain;
        if (directory.IsLocalDomain(domain) && LocalHopOf(recipient) is null) return new Route.Local();
        NextHop hop = await HopOfAsync(recipient, from, cancel);
        switch (hop)
        {
            case NextHop.Host { IsByMx: true } host when DomainName.TryCreate(host.Name, out DomainName named):
                Route byMx = await FindMxAsync(named, host.Port, host, cancel);
                return byMx is Route.None none ? none with { Reply = OfNamed(host.Name, none.Reply), MayFallBack = none.Reply == NoDomain || none.MayFallBack } : byMx;
            case NextHop.Refuse refuse: return new Route.None(refuse.Reply);
            case NextHop.Host host: return new Route.Hosts([host.Name], host.Port, host) { IsSecure = true };
            case NextHop.Lmtp { EndPoint: DnsEndPoint named } lmtp: return new Route.Hosts([named.Host], named.Port, lmtp) { IsSecure = true };
            case NextHop.Lmtp lmtp: return new Route.Place(new(lmtp.EndPoint.ToString() ?? "lmtp", [lmtp.EndPoint]), lmtp);
        }
        int port = options().Outbound.Port;
        if (!domain.IsAddressLiteral) return await FindMxAsync(domain, port, hop, cancel);
        return LiteralOf(domain.Ascii) is { } address && !IsOwn(new(address, port))
            ? new Route.Place(new(domain.Ascii, [new IPEndPoint(address, port)]), hop)
            : new Route.None(LoopsBack);
    }

    private NextHop? LocalHopOf(EmailAddress recipient) => options().Outbound.Behind.GetValueOrDefault(recipient.Domain);

    /// <summary>Where a host is; its endpoints are empty when it has no address, and the reply says why.</summary>
    public async ValueTask<(MailHost Host, SmtpReply? Fault)> LookUpAsync(string name, int port, CancellationToken cancel)
    {
        if (LiteralOf(name) is { } literal) return (new(name, [new IPEndPoint(literal, port)]), null);
        AddressPreference preference = options().Outbound.Addresses;
        List<IReadOnlyList<IPAddress>> found = [];
        bool failed = false, exists = false, secure = true;
        string? canonical = null;
        AddressFamily[] families = preference switch
        {
            AddressPreference.OnlyIPv4 => [AddressFamily.InterNetwork],
            AddressPreference.OnlyIPv6 => [AddressFamily.InterNetworkV6],
            AddressPreference.PreferIPv4 => [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6],
            _ => [AddressFamily.InterNetworkV6, AddressFamily.InterNetwork],
        };
        foreach (AddressFamily family in families)
        {
            AddressAnswer answer = await dns.FindAddressesAsync(name, family, cancel);
            failed |= answer.Status == DnsStatus.Failed;
            exists |= answer.Status is DnsStatus.Found or DnsStatus.NoData;
            if (answer.Addresses.Count > 0) (secure, canonical) = (secure & answer.IsSecure, answer.CanonicalName ?? canonical);
            found.Add([.. Jitter.Shuffle(answer.Addresses)]);
        }
        EndPoint[] places = [.. InTurn(found).Select(address => new IPEndPoint(address, port))];
        SmtpReply? fault = places.Length > 0 ? null : failed ? DnsTrouble : exists ? NoHost : NoDomain;
        return (new(name, places) { IsSecure = secure && places.Length > 0, CanonicalName = canonical }, fault);
    }

    // One of each family after the other: a family that leads nowhere must not use up all attempts (RFC 5321 section 5.1).
    private static IEnumerable<IPAddress> InTurn(List<IReadOnlyList<IPAddress>> families)
    {
        for (int i = 0; families.Exists(family => i < family.Count); i++)
            foreach (IReadOnlyList<IPAddress> family in families.Where(family => i < family.Count)) yield return family[i];
    }

    /// <summary>True when mail sent there would come back to us, or reach another service of this host that trusts its own clients: a stranger's DNS must not lead us there.</summary>
    public bool IsOwn(IPEndPoint endPoint)
    {
        foreach (IPEndPoint own in options().OwnEndPoints)
            if (own.Port == endPoint.Port && (own.Address.Equals(endPoint.Address) || OwnAddresses.IsThisHost(endPoint.Address) || endPoint.Address.IsIPv4MappedToIPv6 && own.Address.Equals(endPoint.Address.MapToIPv4()))) return true;
        return false;
    }

    private async ValueTask<Route> FindMxAsync(DomainName domain, int port, NextHop hop, CancellationToken cancel)
    {
        MxAnswer answer = await dns.FindMxAsync(domain, cancel);
        switch (answer.Status)
        {
            case DnsStatus.Failed: return new Route.None(DnsTrouble) { MayFallBack = true };
            case DnsStatus.NoDomain: return new Route.None(NoDomain);
            // Without MX the domain itself is the host (RFC 5321 section 5.1).
            case DnsStatus.NoData: return await WithoutOursAsync([new(0, domain.Ascii)], port, hop, answer.IsSecure, cancel);
        }
        if (answer.Hosts.All(host => host.Name is "." or "")) return new Route.None(NoMailTaken);
        // Equal preferences share the load: shuffled first, then ordered by a sort that keeps equals in place.
        MxHost[] hosts = [.. Jitter.Shuffle(answer.Hosts).Where(host => host.Name is not ("." or "")).OrderBy(host => host.Preference).Take(MaxHosts)];
        return await WithoutOursAsync(hosts, port, hop, answer.IsSecure, cancel);
    }

    // RFC 5321 section 5.1: our own host and all that are not better than it are left out, or mail would go in a circle.
    private async ValueTask<Route> WithoutOursAsync(MxHost[] hosts, int port, NextHop hop, bool isSecure, CancellationToken cancel)
    {
        int limit = int.MaxValue;
        if (options().OwnEndPoints.Count > 0)
            foreach (MxHost host in hosts)
            {
                bool ours = host.Name.Equals(options().Hostname, StringComparison.OrdinalIgnoreCase) && options().OwnEndPoints.Any(own => own.Port == port);
                if (!ours)
                {
                    (MailHost found, _) = await LookUpAsync(host.Name, port, cancel);
                    ours = found.EndPoints.OfType<IPEndPoint>().Any(IsOwn);
                }
                if (!ours) continue;
                limit = host.Preference;
                break;
            }
        string[] names = [.. hosts.Where(host => host.Preference < limit).Select(host => host.Name)];
        return names.Length == 0 ? new Route.None(LoopsBack) : new Route.Hosts(names, port, hop) { IsSecure = isSecure };
    }

    private static IPAddress? LiteralOf(string name)
    {
        if (name.Length > 2 && name[0] == '[' && name[^1] == ']') name = name[1..^1];
        if (name.StartsWith("IPv6:", StringComparison.OrdinalIgnoreCase)) name = name[5..];
        return IPAddress.TryParse(name, out IPAddress? address) ? address : null;
    }
}
