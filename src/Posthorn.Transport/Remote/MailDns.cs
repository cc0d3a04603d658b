using System.Net;
using System.Net.Sockets;
using DnsClient;
using DnsClient.Protocol;
using Posthorn.Core;
using TlsaRecord = Posthorn.Trust.Dane.TlsaRecord;

namespace Posthorn.Transport.Remote;

/// <summary>The DNS through the resolvers of the system, or those of the configuration. Answers are kept as long as their records say.</summary>
/// <remarks>That a resolver calls an answer authentic is only believed when all resolvers are on this host: on the way from another one anybody could say so (RFC 7672 section 2.1.1).</remarks>
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
        IReadOnlyList<NameServer> used = servers.Count > 0 ? [] : [.. NameServer.ResolveNameServers(true, false)];
        CanValidate = servers.Count > 0 ? servers.All(server => IPAddress.IsLoopback(server.Address)) : used.Count > 0 && used.All(server => IPAddress.TryParse(server.Address, out IPAddress? address) && IPAddress.IsLoopback(address));
        options.RequestDnsSecRecords = CanValidate;
        _client = new(options);
    }

    public bool CanValidate { get; }

    public async ValueTask<MxAnswer> FindMxAsync(DomainName domain, CancellationToken cancel)
    {
        (DnsStatus status, IDnsQueryResponse? response) = await AskAsync(domain.Ascii, QueryType.MX, cancel);
        if (response is null || status != DnsStatus.Found) return new(status, []);
        MxHost[] hosts = [.. response.Answers.MxRecords().Select(record => new MxHost(record.Preference, WithoutDot(record.Exchange.Value)))];
        return new(hosts.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, hosts) { IsSecure = IsSecure(response) };
    }

    public async ValueTask<AddressAnswer> FindAddressesAsync(string host, AddressFamily family, CancellationToken cancel)
    {
        QueryType type = family == AddressFamily.InterNetworkV6 ? QueryType.AAAA : QueryType.A;
        (DnsStatus status, IDnsQueryResponse? response) = await AskAsync(host, type, cancel);
        if (response is null || status != DnsStatus.Found) return new(status, []);
        IPAddress[] addresses = [.. response.Answers.OfType<AddressRecord>().Select(record => record.Address).Where(address => address.AddressFamily == family)];
        CNameRecord? last = response.Answers.CnameRecords().LastOrDefault();
        string? canonical = last is null ? null : WithoutDot(response.Answers.OfType<AddressRecord>().FirstOrDefault()?.DomainName.Value ?? last.CanonicalName.Value);
        return new(addresses.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, addresses) { IsSecure = IsSecure(response), CanonicalName = canonical };
    }

    public async ValueTask<NameAnswer> FindNamesAsync(IPAddress address, CancellationToken cancel)
    {
        (DnsStatus status, IDnsQueryResponse? response) = await AskAsync(address.GetArpaName(), QueryType.PTR, cancel);
        if (response is null || status != DnsStatus.Found) return new(status, []);
        string[] names = [.. response.Answers.PtrRecords().Select(record => WithoutDot(record.PtrDomainName.Value))];
        return new(names.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, names);
    }

    public async ValueTask<TlsaAnswer> FindTlsaAsync(string name, CancellationToken cancel)
    {
        (DnsStatus status, IDnsQueryResponse? response) = await AskAsync(name, QueryType.TLSA, cancel);
        if (response is null || status != DnsStatus.Found) return new(status, [], false);
        TlsaRecord[] records = [.. response.Answers.OfType<DnsClient.Protocol.TlsaRecord>()
            .Select(record => new TlsaRecord((byte)record.CertificateUsage, (byte)record.Selector, (byte)record.MatchingType, record.CertificateAssociationData.ToArray()))];
        return new(records.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, records, IsSecure(response));
    }

    public async ValueTask<TextAnswer> FindTextAsync(string name, CancellationToken cancel)
    {
        (DnsStatus status, IDnsQueryResponse? response) = await AskAsync(name, QueryType.TXT, cancel);
        if (response is null || status != DnsStatus.Found) return new(status, []);
        string[] texts = [.. response.Answers.TxtRecords().Select(record => string.Concat(record.Text))];
        return new(texts.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, texts);
    }

    public async ValueTask<bool> IsSecureAliasAsync(string name, CancellationToken cancel)
    {
        (DnsStatus status, IDnsQueryResponse? response) = await AskAsync(name, QueryType.CNAME, cancel);
        return status == DnsStatus.Found && response is not null && IsSecure(response) && response.Answers.CnameRecords().Any();
    }

    private bool IsSecure(IDnsQueryResponse response) => CanValidate && response.Header.IsAuthenticData;

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
