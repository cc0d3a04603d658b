using System.Net;
using System.Net.Sockets;

namespace Posthorn.Net;

/// <summary>Addresses that count as one peer: one of IPv4, a network of IPv6, since who has one address of it has all.</summary>
public static class AddressGroup
{
    /// <summary>A customer's network is a /64 at least.</summary>
    public const int DefaultPrefix = 64;

    /// <summary>The first address of the group.</summary>
    /// <param name="address">One of it.</param>
    /// <param name="prefix">The length of IPv6 networks, bits.</param>
    public static IPAddress Of(IPAddress address, int prefix = DefaultPrefix)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return address;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        for (int i = 0; i < bytes.Length; i++)
        {
            int kept = Math.Clamp(prefix - 8 * i, 0, 8);
            bytes[i] &= (byte)(0xFF00 >> kept);
        }
        return new(bytes);
    }
}
