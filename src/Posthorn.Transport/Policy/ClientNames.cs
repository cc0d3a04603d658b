using System.Net;
using System.Net.Sockets;
using Posthorn.Net;
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
/// <param name="dns">The DNS; null for no names.</param>
/// <param name="time">The clock; null for the system's.</param>
public sealed class ClientNames(IMailDns? dns, TimeProvider? time = null)
{
    /// <summary>How long a client waits for its name: filters want it before the greeting, and clients that hear nothing for half a minute go away.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(6);

    /// <summary>Names of one address that are followed; the rest is somebody's game.</summary>
    private const int MaxNames = 4;

    /// <summary>Finds a client's name. A DNS that hangs counts as one that does not answer.</summary>
    public async ValueTask<ClientName> FindAsync(IPAddress address, CancellationToken cancel)
    {
        if (dns is null || address.Equals(Connection.Unknown.Address)) return ClientName.Unknown;
        using CancellationTokenSource late = new(Patience, time ?? TimeProvider.System);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try { return await FollowAsync(dns, address, either.Token); }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested) { return new(null, null, IsTemporary: true); }
    }

    private static async ValueTask<ClientName> FollowAsync(IMailDns dns, IPAddress address, CancellationToken cancel)
    {
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
