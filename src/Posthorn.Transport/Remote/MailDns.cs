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

    /// <summary>The longest that an answer "no" is kept (RFC 2308 section 5 allows more; whoever mends his domain does not want to wait).</summary>
    private static readonly TimeSpan MaxNegative = TimeSpan.FromMinutes(5);

    /// <summary>Answers kept at most, each of some hundred octets, and what of an answer is used at most: whose names they are may be a stranger's choice.</summary>
    private const int MaxAnswers = 20_000, MaxRecords = 32, MaxText = 8192;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);
    private readonly LookupClient _client;
    private readonly DnsCache _cache;

    /// <param name="servers">The resolvers; none means those of the system.</param>
    /// <param name="time">The clock.</param>
    public MailDns(IReadOnlyList<IPEndPoint> servers, TimeProvider? time = null)
    {
        _cache = new(time ?? TimeProvider.System, MaxAnswers);
        LookupClientOptions options = servers.Count > 0 ? new([.. servers]) : new();
        options.UseCache = false; // the library's keeps whole answers, any number of them
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

    /// <summary>Answers that are kept.</summary>
    internal int Kept => _cache.Count;

    public ValueTask<MxAnswer> FindMxAsync(DomainName domain, CancellationToken cancel) => AskAsync<MxAnswer>(domain.Ascii, QueryType.MX, status => new(status, []), response =>
    {
        MxHost[] hosts = [.. response.Answers.MxRecords().OrderBy(record => record.Preference).Take(MaxRecords).Select(record => new MxHost(record.Preference, WithoutDot(record.Exchange.Value)))];
        return new(hosts.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, hosts) { IsSecure = IsSecure(response) };
    }, cancel);

    public ValueTask<AddressAnswer> FindAddressesAsync(string host, AddressFamily family, CancellationToken cancel) =>
        AskAsync<AddressAnswer>(host, family == AddressFamily.InterNetworkV6 ? QueryType.AAAA : QueryType.A, status => new(status, []), response =>
        {
            IPAddress[] addresses = [.. response.Answers.OfType<AddressRecord>().Select(record => record.Address).Where(address => address.AddressFamily == family).Take(MaxRecords)];
            CNameRecord? last = response.Answers.CnameRecords().LastOrDefault();
            string? canonical = last is null ? null : WithoutDot(response.Answers.OfType<AddressRecord>().FirstOrDefault()?.DomainName.Value ?? last.CanonicalName.Value);
            return new(addresses.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, addresses) { IsSecure = IsSecure(response), CanonicalName = canonical };
        }, cancel);

    public ValueTask<NameAnswer> FindNamesAsync(IPAddress address, CancellationToken cancel) => AskAsync<NameAnswer>(address.GetArpaName(), QueryType.PTR, status => new(status, []), response =>
    {
        string[] names = [.. response.Answers.PtrRecords().Take(MaxRecords).Select(record => WithoutDot(record.PtrDomainName.Value))];
        return new(names.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, names);
    }, cancel);

    public ValueTask<TlsaAnswer> FindTlsaAsync(string name, CancellationToken cancel) => AskAsync<TlsaAnswer>(name, QueryType.TLSA, status => new(status, [], false), response =>
    {
        TlsaRecord[] records = [.. response.Answers.OfType<DnsClient.Protocol.TlsaRecord>().Where(record => record.CertificateAssociationData.Count <= MaxText).Take(MaxRecords)
            .Select(record => new TlsaRecord((byte)record.CertificateUsage, (byte)record.Selector, (byte)record.MatchingType, record.CertificateAssociationData.ToArray()))];
        return new(records.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, records, IsSecure(response));
    }, cancel);

    public ValueTask<TextAnswer> FindTextAsync(string name, CancellationToken cancel) => AskAsync<TextAnswer>(name, QueryType.TXT, status => new(status, []), response =>
    {
        string[] texts = [.. response.Answers.TxtRecords().Take(MaxRecords).Select(record => string.Concat(record.Text)).Where(text => text.Length <= MaxText)];
        return new(texts.Length == 0 ? DnsStatus.NoData : DnsStatus.Found, texts);
    }, cancel);

    public async ValueTask<bool> IsSecureAliasAsync(string name, CancellationToken cancel) =>
        await AskAsync<string>(name, QueryType.CNAME, _ => "", response => IsSecure(response) && response.Answers.CnameRecords().Any() ? "secure" : "", cancel) == "secure";

    private bool IsSecure(IDnsQueryResponse response) => CanValidate && response.Header.IsAuthenticData;

    private async ValueTask<T> AskAsync<T>(string name, QueryType type, Func<DnsStatus, T> without, Func<IDnsQueryResponse, T> read, CancellationToken cancel)
        where T : class
    {
        if (_cache.Find<T>(name, type) is { } known) return known;
        (DnsStatus status, IDnsQueryResponse? response) = await AskServersAsync(name, type, cancel);
        if (response is null) return without(status);
        T answer = status == DnsStatus.Found ? read(response) : without(status);
        _cache.Add(name, type, answer, LifeOf(response));
        return answer;
    }

    // RFC 2308 section 5: how long an answer without records holds the zone says in its SOA.
    private static TimeSpan LifeOf(IDnsQueryResponse response)
    {
        if (response.Answers.Count > 0)
        {
            TimeSpan life = TimeSpan.FromSeconds(response.Answers.Min(record => Math.Max(0, record.InitialTimeToLive)));
            return life < MaxCache ? life : MaxCache;
        }
        TimeSpan negative = response.Authorities.OfType<SoaRecord>().FirstOrDefault() is { } soa ? TimeSpan.FromSeconds(Math.Min(soa.Minimum, (uint)Math.Max(0, soa.InitialTimeToLive))) : TimeSpan.Zero;
        return negative < MaxNegative ? negative : MaxNegative;
    }

    // A response only where there is one to keep.
    private async ValueTask<(DnsStatus, IDnsQueryResponse?)> AskServersAsync(string name, QueryType type, CancellationToken cancel)
    {
        try
        {
            IDnsQueryResponse response = await _client.QueryAsync(name, type, QueryClass.IN, cancel);
            return response.Header.ResponseCode switch
            {
                DnsHeaderResponseCode.NoError => (DnsStatus.Found, response),
                DnsHeaderResponseCode.NotExistentDomain => (DnsStatus.NoDomain, response),
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
