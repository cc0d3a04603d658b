using System.Net;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Trust.Dane;

namespace Posthorn.Transport.Remote;

/// <summary>What the way out asks the DNS. An edge that tests fake.</summary>
public interface IMailDns
{
    /// <summary>Answers can be proved at all: the resolver validates, and nothing lies between it and us. Else no answer is ever secure.</summary>
    bool CanValidate { get; }

    /// <summary>The MX records of a domain, in no order.</summary>
    ValueTask<MxAnswer> FindMxAsync(DomainName domain, CancellationToken cancel);

    /// <summary>The addresses of a host, those of the family alone.</summary>
    ValueTask<AddressAnswer> FindAddressesAsync(string host, AddressFamily family, CancellationToken cancel);

    /// <summary>The names that an address leads to (PTR).</summary>
    ValueTask<NameAnswer> FindNamesAsync(IPAddress address, CancellationToken cancel);

    /// <summary>The TLSA records at a name.</summary>
    ValueTask<TlsaAnswer> FindTlsaAsync(string name, CancellationToken cancel);

    /// <summary>The TXT records at a name, the pieces of each joined.</summary>
    ValueTask<TextAnswer> FindTextAsync(string name, CancellationToken cancel);

    /// <summary>Whether the name is an alias, provably (RFC 7672 section 2.2.2: what it leads to may not be provable).</summary>
    ValueTask<bool> IsSecureAliasAsync(string name, CancellationToken cancel);
}

/// <summary>How a question ended.</summary>
public enum DnsStatus
{
    Found,
    /// <summary>The name exists, records of this type do not.</summary>
    NoData,
    /// <summary>The name does not exist.</summary>
    NoDomain,
    /// <summary>No answer, a failure of the servers, or an answer that contradicts its signature: may work later.</summary>
    Failed,
}

/// <summary>One mail exchanger; a name of <c>.</c> says that the domain takes no mail (RFC 7505).</summary>
public sealed record MxHost(int Preference, string Name);

/// <summary>The answer to an MX question.</summary>
public sealed record MxAnswer(DnsStatus Status, IReadOnlyList<MxHost> Hosts)
{
    /// <summary>Proved by DNSSEC.</summary>
    public bool IsSecure { get; init; }
}

/// <summary>The answer to an address question.</summary>
public sealed record AddressAnswer(DnsStatus Status, IReadOnlyList<IPAddress> Addresses)
{
    /// <summary>Proved by DNSSEC, aliases included.</summary>
    public bool IsSecure { get; init; }

    /// <summary>What the name is an alias of in the end; null when it is none.</summary>
    public string? CanonicalName { get; init; }
}

/// <summary>The answer to a question for names.</summary>
public sealed record NameAnswer(DnsStatus Status, IReadOnlyList<string> Names);

/// <summary>The answer to a TLSA question.</summary>
public sealed record TlsaAnswer(DnsStatus Status, IReadOnlyList<TlsaRecord> Records, bool IsSecure);

/// <summary>The answer to a TXT question.</summary>
public sealed record TextAnswer(DnsStatus Status, IReadOnlyList<string> Texts);
