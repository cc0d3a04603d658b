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

    private static bool IsAny(IPEndPoint place) => place.Address.Equals(IPAddress.Any) || place.Address.Equals(IPAddress.IPv6Any);

    // A socket on :: takes IPv4 too.
    private static bool Serves(IPAddress any, IPAddress address) => any.AddressFamily == AddressFamily.InterNetworkV6 || address.AddressFamily == AddressFamily.InterNetwork;

    private static IPAddress WithoutScope(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? new(address.GetAddressBytes()) : address;
}
