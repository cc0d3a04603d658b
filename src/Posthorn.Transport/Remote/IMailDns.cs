using System.Net;
using Posthorn.Core;

namespace Posthorn.Transport.Remote;

/// <summary>What the way out asks the DNS. An edge that tests fake.</summary>
public interface IMailDns
{
    /// <summary>The MX records of a domain, in no order.</summary>
    ValueTask<MxAnswer> FindMxAsync(DomainName domain, CancellationToken cancel);

    /// <summary>The addresses of a host, those of the family alone.</summary>
    ValueTask<AddressAnswer> FindAddressesAsync(string host, System.Net.Sockets.AddressFamily family, CancellationToken cancel);
}

/// <summary>How a question ended.</summary>
public enum DnsStatus
{
    Found,
    /// <summary>The name exists, records of this type do not.</summary>
    NoData,
    /// <summary>The name does not exist.</summary>
    NoDomain,
    /// <summary>No answer, or a failure of the servers: may work later.</summary>
    Failed,
}

/// <summary>One mail exchanger; a name of <c>.</c> says that the domain takes no mail (RFC 7505).</summary>
public sealed record MxHost(int Preference, string Name);

/// <summary>The answer to an MX question.</summary>
public sealed record MxAnswer(DnsStatus Status, IReadOnlyList<MxHost> Hosts);

/// <summary>The answer to an address question.</summary>
public sealed record AddressAnswer(DnsStatus Status, IReadOnlyList<IPAddress> Addresses);
