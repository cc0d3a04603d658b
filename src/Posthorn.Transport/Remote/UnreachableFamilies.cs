using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Posthorn.Transport.Remote;

/// <summary>Remembers that this host has no way to public addresses of a family, such as IPv6 where the provider has none: they are passed over for some minutes, and cost no attempt.</summary>
/// <remarks>Only public addresses count: a relay in one's own network is reached without a way to the rest of the world.</remarks>
internal sealed class UnreachableFamilies(TimeProvider time)
{
    /// <summary>How long it is believed. Five minutes: a line that comes back is used again by the next attempt.</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<AddressFamily, DateTimeOffset> _until = new();

    /// <summary>There is no way to this address.</summary>
    public bool Contains(EndPoint endPoint) => IsPublic(endPoint) && _until.TryGetValue(endPoint.AddressFamily, out DateTimeOffset until) && time.GetUtcNow() < until;

    /// <summary>Takes in how a connection failed.</summary>
    public void Learn(EndPoint endPoint, IOException failure)
    {
        if (IsPublic(endPoint) && failure.InnerException is SocketException { SocketErrorCode: SocketError.NetworkUnreachable or SocketError.AddressFamilyNotSupported })
            _until[endPoint.AddressFamily] = time.GetUtcNow() + Memory;
    }

    /// <summary>What stands for an attempt that was not made.</summary>
    public static SmtpReply Fault(string place) => new(450, "4.4.1", $"{place} cannot be reached: this host has no way to addresses of its kind");

    private static bool IsPublic(EndPoint endPoint)
    {
        if (endPoint is not IPEndPoint { Address: var address } || IPAddress.IsLoopback(address)) return false;
        byte[] octets = address.GetAddressBytes();
        if (address.AddressFamily == AddressFamily.InterNetworkV6) return (octets[0] & 0xE0) == 0x20;
        return octets[0] != 10 && !(octets[0] == 172 && octets[1] is >= 16 and < 32) && !(octets[0] == 192 && octets[1] == 168) && !(octets[0] == 169 && octets[1] == 254);
    }
}
