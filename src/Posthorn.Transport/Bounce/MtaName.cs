using System.Net;
using Posthorn.Core;

namespace Posthorn.Transport.Bounce;

/// <summary>How a report names another server (RFC 3461 section 9.3).</summary>
internal static class MtaName
{
    /// <summary>Its domain, or its address as a literal; null for a place within our own walls, such as the socket of a server behind this one, which is nobody's business.</summary>
    public static string? Of(string host)
    {
        if (host.Length == 0 || host.Contains('/', StringComparison.Ordinal)) return null;
        if (IPEndPoint.TryParse(host, out IPEndPoint? place))
        {
            if (place.Port != 0) return null;
            return place.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[IPv6:{place.Address}]" : $"[{place.Address}]";
        }
        return DomainName.TryCreate(host, out DomainName name) ? name.Ascii : null;
    }
}
