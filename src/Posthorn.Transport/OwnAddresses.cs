using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Posthorn.Transport;

/// <summary>Finds out under which addresses this host is reached when a listener takes all of them.</summary>
internal static class OwnAddresses
{
    /// <summary>The places with <c>0.0.0.0</c> and <c>::</c> replaced by the addresses of the host's interfaces.</summary>
    public static IReadOnlyList<IPEndPoint> Expand(IReadOnlyList<IPEndPoint> places)
    {
        if (!places.Any(IsAny)) return places;
        IPAddress[] addresses = [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(network => network.GetIPProperties().UnicastAddresses).Select(address => WithoutScope(address.Address))];
        return [.. places.SelectMany(place => IsAny(place) ? addresses.Where(address => Serves(place.Address, address)).Select(address => new IPEndPoint(address, place.Port)) : [place]).Distinct()];
    }

    /// <summary>True for addresses that always mean this host, whatever its interfaces have: all of 127.0.0.0/8, <c>::1</c>, <c>0.0.0.0</c> and <c>::</c> (which a connection takes for them), also as IPv4 within IPv6.</summary>
    public static bool IsThisHost(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        // All of 0.0.0.0/8 is "this network" (RFC 1122 section 3.2.1.3); systems differ in what they make of it.
        return IPAddress.IsLoopback(address) || address.Equals(IPAddress.IPv6Any) || address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes()[0] == 0;
    }

    private static bool IsAny(IPEndPoint place) => place.Address.Equals(IPAddress.Any) || place.Address.Equals(IPAddress.IPv6Any);

    // A socket on :: takes IPv4 too.
    private static bool Serves(IPAddress any, IPAddress address) => any.AddressFamily == AddressFamily.InterNetworkV6 || address.AddressFamily == AddressFamily.InterNetwork;

    private static IPAddress WithoutScope(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? new(address.GetAddressBytes()) : address;
}
