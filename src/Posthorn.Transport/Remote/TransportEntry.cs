using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Posthorn.Core;

namespace Posthorn.Transport.Remote;

/// <summary>A value of a table in Postfix's transport(5) format, <c>transport:nexthop</c>, as a next hop.</summary>
internal static class TransportEntry
{
    private const int SmtpPort = 25;
    private const int LmtpPort = 24;

    /// <summary>What a value says. What cannot be read or is not known here is a temporary refusal that says so: the mail waits until the table is mended.</summary>
    public static NextHop Read(string value)
    {
        int colon = value.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0) return Unusable(value, "expected transport:nexthop");
        string nextHop = value[(colon + 1)..].Trim();
        return value[..colon].Trim().ToLowerInvariant() switch
        {
            "" or "smtp" or "relay" when nextHop.Length == 0 => new NextHop.Mx(),
            "" or "smtp" or "relay" => HostOf(nextHop) as NextHop ?? Unusable(value, "expected a domain, or [a host], with a port or without"),
            "lmtp" => LmtpOf(nextHop) as NextHop ?? Unusable(value, "expected lmtp:unix:/path or lmtp:inet:host:port"),
            "error" => Refusal(nextHop, 550, "5.0.0", "Mail for this recipient is not delivered"),
            "retry" => Refusal(nextHop, 450, "4.0.0", "Mail for this recipient waits"),
            var other => Unusable(value, $"there is no transport {other} here"),
        };
    }

    // [host] is that host; without brackets it is a domain with MX records of its own.
    private static NextHop.Host? HostOf(string text)
    {
        bool byMx = text[0] != '[';
        return Split(text, SmtpPort) is var (name, port) ? new NextHop.Host(name, port) { IsByMx = byMx && !IPAddress.TryParse(name, out _) } : null;
    }

    private static NextHop.Lmtp? LmtpOf(string text)
    {
        const string unix = "unix:", inet = "inet:";
        if (text.StartsWith(unix, StringComparison.OrdinalIgnoreCase)) return text.Length > unix.Length + 1 && text[unix.Length] == '/' ? new(new UnixDomainSocketEndPoint(text[unix.Length..])) : null;
        if (text.StartsWith(inet, StringComparison.OrdinalIgnoreCase)) text = text[inet.Length..];
        if (text.Length == 0 || Split(text, LmtpPort) is not var (name, port)) return null;
        return new(IPAddress.TryParse(name, out IPAddress? address) ? new IPEndPoint(address, port) : new DnsEndPoint(name, port));
    }

    private static (string Name, int Port)? Split(string text, int port)
    {
        string rest = "";
        if (text[0] == '[')
        {
            int end = text.IndexOf(']', StringComparison.Ordinal);
            if (end < 2) return null;
            (text, rest) = (text[1..end], text[(end + 1)..]);
            if (text.StartsWith("ipv6:", StringComparison.OrdinalIgnoreCase)) text = text[5..];
        }
        else if (text.IndexOf(':', StringComparison.Ordinal) is var colon and >= 0) (text, rest) = (text[..colon], text[colon..]);
        if (!IPAddress.TryParse(text, out _) && !DomainName.TryCreate(text, out _)) return null;
        if (rest.Length == 0) return (text, port);
        return rest[0] == ':' && PortOf(rest[1..]) is { } said ? (text, said) : null;
    }

    private static int? PortOf(string text) => text.ToLowerInvariant() switch
    {
        "smtp" => 25,
        "submission" => 587,
        "smtps" or "submissions" => 465,
        "lmtp" => LmtpPort,
        _ => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and <= 65535 ? port : null,
    };

    // The text may begin with an enhanced status code of the same class.
    private static NextHop.Refuse Refusal(string text, int code, string status, string fallback)
    {
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        string first = space < 0 ? text : text[..space];
        if (first.Split('.') is [{ Length: 1 } kind, _, _] parts && kind[0] == status[0] && parts.All(part => part.Length is > 0 and <= 3 && part.All(char.IsAsciiDigit)))
            (status, text) = (first, space < 0 ? "" : text[(space + 1)..].Trim());
        return new(new(code, status, text.Length > 0 ? text : fallback));
    }

    private static NextHop.Refuse Unusable(string value, string why) => new(new(451, "4.3.5", $"The transport table says \"{value}\": {why}"));
}
