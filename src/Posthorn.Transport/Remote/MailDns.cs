using System.Net;
using System.Net.Sockets;
using DnsClient;
using DnsClient.Protocol;
using Posthorn.Core;

namespace Posthorn.Transport.Remote;

/// <summary>The DNS through the resolvers of the system, or those of the configuration. Answers are kept as long as their records say.</summary>
public sealed class MailDns : IMailDns
{
    /// <summary>The longest an answer is kept: an MX that moves is followed within the hour whatever its record says.</summary>
    private static readonly TimeSpan MaxCache = TimeSpan.FromHours(1);

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);
    private readonly LookupClient _client;

    /// <param name="servers">The resolvers; none means those of the system.</param>
    public MailDns(IReadOnlyList<IPEndPoint> servers)
    {
        LookupClientOptions options = servers.Count > 0 ? new([.. servers]) : new();
        options.UseCache = true;
        options.MaximumCacheTimeout = MaxCache;
        options.Timeout = Timeout;
        options.Retries = 2;
        options.ThrowDnsErrors = false;
        options.UseTcpFallback = true;
        // "No such record" is an answer, not a reason to ask the next server.
        options.ContinueOnEmptyResponse = false;
        _client = new(options);
    }

    public async ValueTask<MxAnswer> FindMxAsync(DomainName domain, CancellationToken cancel)
    {
        (DnsStatus status, IDnsQueryResponse? response) = await AskAsync(domain.Ascii, QueryType.MX, cancel);
        if (response is null || status != DnsStatus.Found) return new(status, []);
        MxHost[] hosts = [.. response.Answers.MxRecords().Select(record => new MxHost(record.Preference, WithoutDot(record.Exchange.Value)))];
        return hosts.Length == 0 ? new(DnsStatus.NoData, []) : new(DnsStatus.Found, hosts);
    }

    public async ValueTask<AddressAnswer> FindAddressesAsync(string host, AddressFamily family, CancellationToken cancel)
    {
        QueryType type = family == AddressFamily.InterNetworkV6 ? QueryType.AAAA : QueryType.A;
        (DnsStatus status, IDnsQueryResponse? response) = await AskAsync(host, type, cancel);
        if (response is null || status != DnsStatus.Found) return new(status, []);
        IPAddress[] addresses = [.. response.Answers.OfType<AddressRecord>().Select(record => record.Address).Where(address => address.AddressFamily == family)];
        return addresses.Length == 0 ? new(DnsStatus.NoData, []) : new(DnsStatus.Found, addresses);
    }

    private async ValueTask<(DnsStatus, IDnsQueryResponse?)> AskAsync(string name, QueryType type, CancellationToken cancel)
    {
        try
        {
            IDnsQueryResponse response = await _client.QueryAsync(name, type, QueryClass.IN, cancel);
            return response.Header.ResponseCode switch
            {
                DnsHeaderResponseCode.NoError => (DnsStatus.Found, response),
                DnsHeaderResponseCode.NotExistentDomain => (DnsStatus.NoDomain, null),
                _ => (DnsStatus.Failed, null),
            };
        }
        catch (DnsResponseException) { return (DnsStatus.Failed, null); }
        catch (SocketException) { return (DnsStatus.Failed, null); }
        catch (ArgumentException) { return (DnsStatus.NoDomain, null); } // a name that the DNS cannot hold
        catch (InvalidOperationException) { return (DnsStatus.Failed, null); } // an answer that cannot be read
    }

    private static string WithoutDot(string name) => name.Length > 1 && name[^1] == '.' ? name[..^1] : name;
}
