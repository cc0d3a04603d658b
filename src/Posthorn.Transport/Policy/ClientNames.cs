using System.Net;
using System.Net.Sockets;
using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Policy;

/// <summary>What the DNS calls a client.</summary>
/// <param name="Verified">Its name, when the name leads back to its address; null when it has none.</param>
/// <param name="Reverse">The name that its address leads to, whether that leads back or not.</param>
/// <param name="IsTemporary">The DNS did not answer: <paramref name="Verified"/> may be missing for that reason.</param>
public sealed record ClientName(string? Verified, string? Reverse, bool IsTemporary)
{
    /// <summary>It has no name.</summary>
    public static ClientName Unknown { get; } = new(null, null, false);
}

/// <summary>Finds the names of clients. A name counts only when it leads back to the address: who owns an address can give it any name.</summary>
public sealed class ClientNames(IMailDns? dns)
{
    /// <summary>Names of one address that are followed; the rest is somebody's game.</summary>
    private const int MaxNames = 4;

    public async ValueTask<ClientName> FindAsync(IPAddress address, CancellationToken cancel)
    {
        if (dns is null) return ClientName.Unknown;
        NameAnswer reverse = await dns.FindNamesAsync(address, cancel);
        if (reverse.Status != DnsStatus.Found || reverse.Names.Count == 0) return new(null, null, reverse.Status == DnsStatus.Failed);
        bool failed = false;
        foreach (string name in reverse.Names.Take(MaxNames))
        {
            AddressAnswer forward = await dns.FindAddressesAsync(name, address.AddressFamily == AddressFamily.InterNetworkV6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, cancel);
            if (forward.Addresses.Contains(address)) return new(name, name, false);
            failed |= forward.Status == DnsStatus.Failed;
        }
        return new(null, reverse.Names[0], failed);
    }
}
