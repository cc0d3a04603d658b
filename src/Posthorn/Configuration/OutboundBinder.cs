using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Core;
using Posthorn.Transport;

namespace Posthorn.Configuration;

/// <summary>Reads <c>[outbound]</c>: routes, relay hosts, what TLS must do, and how long mail is tried.</summary>
internal static class OutboundBinder
{
    public static OutboundSection Read(ConfigReader reader, IReadOnlyList<DomainSection> domains, DnsSection dns)
    {
        TlsPolicy tls = HopReader.ReadTls(reader, OutboundTls.May)!;
        IReadOnlyList<RouteRule> routes = [.. reader.Sections("route", r => Routes(r, domains)).SelectMany(some => some)];
        OutboundOptions options = new()
        {
            Port = reader.Number("port", 25, 1, 65535),
            Helo = reader.OptionalDomain("helo")?.Ascii,
            BindIPv4 = Address(reader, "bind-ipv4", System.Net.Sockets.AddressFamily.InterNetwork),
            BindIPv6 = Address(reader, "bind-ipv6", System.Net.Sockets.AddressFamily.InterNetworkV6),
            Addresses = reader.Choice("addresses", AddressPreference.PreferIPv6, new Dictionary<string, AddressPreference>
            {
                ["prefer-ipv6"] = AddressPreference.PreferIPv6, ["prefer-ipv4"] = AddressPreference.PreferIPv4, ["ipv4"] = AddressPreference.OnlyIPv4, ["ipv6"] = AddressPreference.OnlyIPv6,
            }),
            Tls = tls,
            Dane = reader.Flag("dane", true),
            Sts = reader.Flag("mta-sts", true),
            TlsReports = reader.Flag("tls-reports", true),
            PolicyPort = reader.Number("policy-port", 443, 1, 65535),
            Authorities = Authorities(reader),
            EightBit = reader.Choice("eight-bit", EightBitPolicy.Convert, new Dictionary<string, EightBitPolicy> { ["convert"] = EightBitPolicy.Convert, ["as-is"] = EightBitPolicy.SendAsIs, ["refuse"] = EightBitPolicy.Refuse }),
            DoubleBounces = DoubleBounces(reader),
            Relay = Relay(reader),
            Fallback = HopReader.ReadHost(reader, "fallback-host", "fallback-port", 25) is var (name, port) ? new NextHop.Host(name, port) : null,
            Routes = routes,
            TransportTables = LookupBinder.Names(reader, "transport-tables"),
            Behind = domains.Where(domain => domain.Behind is not null).ToDictionary(domain => domain.Name, domain => domain.Behind!),
            MaxAddresses = reader.Number("addresses-tried", 5, 1, 100),
            MaxServers = reader.Number("servers-tried", 2, 1, 100),
            MaxTransactions = reader.Number("messages-per-connection", 100, 1, 100_000),
            KeepIdle = reader.Duration("keep-idle", TimeSpan.FromSeconds(2), TimeSpan.Zero, TimeSpan.FromMinutes(5)),
            StopGrace = reader.Duration("stop-grace", TimeSpan.FromSeconds(30), TimeSpan.Zero, TimeSpan.FromSeconds(60)),
        };
        if (dns.Servers.Any(server => !IPAddress.IsLoopback(server.Address)))
            foreach (RouteRule rule in routes.Where(rule => rule.Hop.Tls?.Level == OutboundTls.DaneOnly))
                reader.Warning(reader.PlaceOf("route"), $"the route for {rule.Recipient} demands DANE, but 'dns.servers' names resolvers on other hosts, of which the answers prove nothing: its mail will wait for ever");
        return new(options, Queue(reader));
    }

    private static QueueOptions Queue(ConfigReader reader)
    {
        TimeSpan warning = reader.Duration("delay-warning", TimeSpan.FromHours(4), TimeSpan.Zero, TimeSpan.FromDays(30));
        return new()
        {
            FirstRetry = reader.Duration("first-retry", TimeSpan.FromMinutes(5), TimeSpan.FromMilliseconds(10), TimeSpan.FromDays(1)),
            MaxRetry = reader.Duration("longest-retry", TimeSpan.FromHours(4), TimeSpan.FromMilliseconds(10), TimeSpan.FromDays(2)),
            DelayWarning = warning > TimeSpan.Zero ? warning : null,
            Lifetime = reader.Duration("expire", TimeSpan.FromDays(5), TimeSpan.FromSeconds(1), TimeSpan.FromDays(60)),
            MaxMessages = reader.Number("queue-messages", 200_000, 100, 10_000_000),
            MaxConnections = reader.Number("connections", 500, 1, 100_000),
            MaxPerDestination = reader.Number("connections-per-destination", 20, 1, 10_000),
            MaxRecipientsPerTransaction = reader.Number("recipients-per-message", 50, 1, 1000),
            MaxFuturePerSender = reader.Number("future-messages", 1000, 0, 1_000_000),
        };
    }

    private static DoubleBounceOptions? DoubleBounces(ConfigReader reader)
    {
        string to = reader.Text("double-bounces", "postmaster");
        DoubleBounceOptions options = new() { PerHour = reader.Number("double-bounces-per-hour", 10, 1, 10_000) };
        if (to == "postmaster") return options;
        if (EmailAddress.TryParse(to, out EmailAddress address)) return options with { To = address };
        if (to != "none") reader.Problem(reader.PlaceOf("double-bounces"), $"'outbound.double-bounces' is \"{to}\"; expected \"postmaster\", \"none\", or an address, such as \"admin@example.org\"");
        return null;
    }

    // One host for everything, and how to log in there; finer rules are routes.
    private static NextHop.Host? Relay(ConfigReader reader)
    {
        (string Name, int Port)? host = HopReader.ReadHost(reader, "relay-host", "relay-port", 25);
        RelayLogin? login = HopReader.ReadLogin(reader, "relay-");
        TlsPolicy? tls = HopReader.ReadTls(reader, null, "relay-", login is not null);
        if (!reader.Has("relay-host") && (login is not null || tls is not null)) reader.Problem("'outbound.relay-host' is missing, and other relay- keys are set: name the host, such as relay-host = \"smtp.example.net\"");
        if (login is not null && tls?.Level == OutboundTls.None) reader.Problem(reader.PlaceOf("relay-tls"), "'outbound.relay-tls' is \"none\", but there is a login: passwords never go out in clear text");
        if (host is not var (name, port)) return null;
        HopReader.WarnOfLogin(reader, "relay-", name, login, tls);
        return new(name, port) { ImplicitTls = port == 465, Login = login, Tls = tls };
    }

    private static List<RouteRule> Routes(ConfigReader reader, IReadOnlyList<DomainSection> domains)
    {
        List<RouteRule> rules = [];
        IReadOnlyList<string> recipients = reader.Texts("to", ["*"]);
        IReadOnlyList<string?> senders = reader.Has("from") ? [.. reader.Texts("from", [])] : Any(reader);
        bool accepts = reader.Flag("accept", false);
        NextHop? hop = HopReader.Read(reader);
        foreach (string text in recipients)
        {
            if (HopReader.Pattern(text, nullPath: false) is not { } recipient)
            {
                reader.Problem(reader.PlaceOf("to"), $"'outbound.route.to' names \"{text}\"; expected a domain, \".domain\" for all below it, an address, or \"*\"");
                continue;
            }
            if (accepts && recipient[0] is '*' or '.')
                reader.Problem(reader.PlaceOf("accept"), $"'outbound.route.accept' with to = \"{text}\" would make this server an open relay: name the domains one by one");
            if (domains.Any(domain => domain.Name.Ascii.Equals(recipient, StringComparison.OrdinalIgnoreCase)))
                reader.Warning(reader.PlaceOf("to"), $"{text} is a [[domain]] of this server: its mail stays here, and this route is never used. To hand it to a server behind this one set 'domain.lmtp'");
            foreach (string? from in senders)
            {
                string? sender = from is null ? null : HopReader.Pattern(from, nullPath: true);
                if (from is not null && sender is null) reader.Problem(reader.PlaceOf("from"), $"'outbound.route.from' names \"{from}\"; expected a domain, \".domain\" for all below it, an address, \"<>\" for bounces, or \"*\"");
                else if (hop is not null) rules.Add(new(recipient, hop) { Sender = sender, IsAccepted = accepts });
            }
        }
        return rules;
    }

    private static IReadOnlyList<string?> Any(ConfigReader reader)
    {
        reader.Texts("from", []);
        return [null];
    }

    private static IPAddress? Address(ConfigReader reader, string key, System.Net.Sockets.AddressFamily family)
    {
        if (reader.OptionalText(key) is not { } text) return null;
        if (IPAddress.TryParse(text, out IPAddress? address) && address.AddressFamily == family) return address;
        reader.Problem(reader.PlaceOf(key), $"'outbound.{key}' is \"{text}\"; expected an address of this host, such as \"{(family == System.Net.Sockets.AddressFamily.InterNetwork ? "192.0.2.25" : "2001:db8::25")}\"");
        return null;
    }

    private static X509Certificate2Collection Authorities(ConfigReader reader)
    {
        X509Certificate2Collection all = [];
        foreach (string path in reader.Paths("authorities"))
        {
            try
            {
                int before = all.Count;
                all.ImportFromPemFile(path);
                if (all.Count == before) reader.Problem(reader.PlaceOf("authorities"), $"'outbound.authorities' names {path}, which holds no certificate in PEM form");
            }
            catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException) { reader.Problem(reader.PlaceOf("authorities"), $"'outbound.authorities' names {path}: {e.Message}"); }
        }
        return all;
    }
}
