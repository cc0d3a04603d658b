using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Directory.Sasl;
using Posthorn.Transport;
using Posthorn.Trust.Certificates;

namespace Posthorn.Configuration;

/// <summary>Reads where mail goes next, how to log in there, and what TLS must do: the keys that routes, relay hosts and domains share.</summary>
internal static class HopReader
{
    private static readonly Dictionary<string, OutboundTls> Levels = new()
    {
        ["none"] = OutboundTls.None, ["may"] = OutboundTls.May, ["encrypt"] = OutboundTls.Encrypt, ["verify"] = OutboundTls.Verify,
        ["fingerprint"] = OutboundTls.Fingerprint, ["dane"] = OutboundTls.Dane, ["dane-only"] = OutboundTls.DaneOnly,
    };

    /// <summary>The next hop of a route; null when it is wrong, which is noted.</summary>
    public static NextHop? Read(ConfigReader reader)
    {
        string? socket = reader.OptionalPath("socket"), refuse = reader.OptionalText("refuse");
        string protocol = reader.Choice("protocol", "smtp", new Dictionary<string, string> { ["smtp"] = "smtp", ["smtps"] = "smtps", ["lmtp"] = "lmtp" });
        (string Name, int Port)? host = ReadHost(reader, "host", "port", protocol switch { "smtps" => 465, "lmtp" => 24, _ => 25 });
        RelayLogin? login = ReadLogin(reader, "");
        TlsPolicy? tls = ReadTls(reader, null, hasLogin: login is not null);
        int ways = (reader.Has("host") ? 1 : 0) + (socket is null ? 0 : 1) + (refuse is null ? 0 : 1);
        if (ways > 1) return Wrong(reader, "a route has one of 'host', 'socket' and 'refuse', not several");
        if (refuse is not null) return Refusal(reader, refuse);
        if (socket is not null) return protocol == "lmtp" || !reader.Has("protocol") ? new NextHop.Lmtp(new UnixDomainSocketEndPoint(socket)) : Wrong(reader, "'socket' goes with protocol = \"lmtp\"");
        if (login is not null && !reader.Has("host")) return Wrong(reader, "a login needs a 'host' to log in at");
        if (login is not null && tls?.Level == OutboundTls.None) return Wrong(reader, "'tls' is \"none\", but there is a login: passwords never go out in clear text");
        if (!reader.Has("host"))
        {
            if (reader.Has("protocol") && protocol != "smtp" || reader.Has("port")) return Wrong(reader, "'protocol' and 'port' go with a 'host'");
            return new NextHop.Mx { Tls = tls };
        }
        if (host is not var (name, port)) return null;
        if (protocol == "lmtp") return LmtpAt(reader, name, port, tls);
        WarnOfLogin(reader, "", name, login, tls);
        return new NextHop.Host(name, port) { ImplicitTls = protocol == "smtps", Login = login, Tls = tls };
    }

    /// <summary>The name or address of a host with its port, in a key of its own or behind a colon: <c>host</c>, <c>host:587</c>, and Postfix's <c>[host]:587</c>. Null when it is missing, or wrong, which is noted.</summary>
    public static (string Name, int Port)? ReadHost(ConfigReader reader, string key, string portKey, int fallback)
    {
        int port = reader.Number(portKey, fallback, 1, 65535);
        if (reader.OptionalText(key) is not { } text) return null;
        (string name, string? behind) = Parted(text);
        int said = port;
        if (HostName(name) is not { } host || behind is not null && !(int.TryParse(behind, NumberStyles.None, CultureInfo.InvariantCulture, out said) && said is > 0 and <= 65535))
        {
            reader.Problem(reader.PlaceOf(key), $"'{reader.PathOf(key)}' is \"{text}\"; expected the name or the address of a host, such as \"smtp.example.net\", with its port in '{portKey}' or as in \"smtp.example.net:587\"");
            return null;
        }
        if (behind is not null && reader.Has(portKey) && said != port)
        {
            reader.Problem(reader.PlaceOf(key), $"'{reader.PathOf(key)}' is \"{text}\", and '{portKey}' is {port}: say the port once");
            return null;
        }
        return (host, said);
    }

    /// <summary>The server behind this one that keeps a domain's mailboxes; null when they are here.</summary>
    public static NextHop? ReadBehind(ConfigReader reader)
    {
        if (reader.OptionalText("lmtp") is not { } text) return null;
        if (text.StartsWith('/')) return new NextHop.Lmtp(new UnixDomainSocketEndPoint(text));
        if (IPEndPoint.TryParse(text, out IPEndPoint? place) && place.Port > 0) return new NextHop.Lmtp(place);
        reader.Problem(reader.PlaceOf("lmtp"), $"'domain.lmtp' is \"{text}\"; expected the path of a socket, such as \"/run/dovecot/lmtp\", or an address with its port, such as \"127.0.0.1:24\"");
        return null;
    }

    /// <summary>A login; null when there is none.</summary>
    public static RelayLogin? ReadLogin(ConfigReader reader, string prefix)
    {
        string? user = reader.OptionalText(prefix + "user"), password = reader.OptionalText(prefix + "password");
        List<string> mechanisms = [];
        foreach (string name in reader.Texts(prefix + "mechanisms", SaslClient.Default))
        {
            string upper = name.ToUpperInvariant();
            if (SaslClient.Known.Contains(upper)) mechanisms.Add(upper);
            else reader.Problem(reader.PlaceOf(prefix + "mechanisms"), $"'{prefix}mechanisms' names \"{name}\"; known are {string.Join(", ", SaslClient.Known)}");
        }
        if (user is null && password is null) return null;
        if (user is not null && password is not null) return new(user, password) { Mechanisms = mechanisms };
        reader.Problem(reader.PlaceOf(prefix + (user is null ? "password" : "user")), $"a login needs both '{prefix}user' and '{prefix}password'; a password need not stand in the file: {{ env = \"NAME\" }} or {{ file = \"path\" }}");
        return null;
    }

    /// <summary>A password for a server that need not prove who it is: nothing but SCRAM goes there.</summary>
    public static void WarnOfLogin(ConfigReader reader, string prefix, string host, RelayLogin? login, TlsPolicy? tls)
    {
        if (login is null || tls?.Level is not (OutboundTls.May or OutboundTls.Encrypt or OutboundTls.Dane) || login.Mechanisms.All(SaslClient.KeepsPassword)) return;
        if (host == "localhost" || IPAddress.TryParse(host, out IPAddress? address) && IPAddress.IsLoopback(address)) return;
        reader.Warning(reader.PlaceOf(prefix + "tls"), $"'{reader.PathOf(prefix + "tls")}' does not make {host} prove who it is, so that the login goes out by SCRAM alone, and by nothing else; leave the key out (a trusted certificate, or DANE), or use \"fingerprint\"");
    }

    /// <summary>What TLS must do; the fallback when nothing is said. A server that is to get a password proves who it is, unless it is said otherwise.</summary>
    public static TlsPolicy? ReadTls(ConfigReader reader, OutboundTls? fallback, string prefix = "", bool hasLogin = false)
    {
        OutboundTls level = reader.Choice(prefix + "tls", fallback ?? (hasLogin ? OutboundTls.Verify : OutboundTls.May), Levels);
        bool only13 = reader.Choice(prefix + "tls-minimum", false, new Dictionary<string, bool> { ["1.2"] = false, ["1.3"] = true });
        IReadOnlyList<string> names = reader.Texts(prefix + "certificate-names", []);
        List<string> fingerprints = [];
        foreach (string text in reader.Texts(prefix + "fingerprints", []))
        {
            if (CertificateCheck.Plain(text) is { } plain) fingerprints.Add(plain);
            else reader.Problem(reader.PlaceOf(prefix + "fingerprints"), $"'{prefix}fingerprints' names \"{text}\"; expected the SHA-256 of a certificate or public key: 64 hexadecimal digits, with colons or without");
        }
        if (level == OutboundTls.Fingerprint && !reader.Has(prefix + "fingerprints")) reader.Problem(reader.PlaceOf(prefix + "tls"), $"'{prefix}tls' is \"fingerprint\", and there are no '{prefix}fingerprints'");
        if (level != OutboundTls.Fingerprint && fingerprints.Count > 0) reader.Problem(reader.PlaceOf(prefix + "fingerprints"), $"'{prefix}fingerprints' count only with {prefix}tls = \"fingerprint\"");
        if (level != OutboundTls.Verify && names.Count > 0) reader.Problem(reader.PlaceOf(prefix + "certificate-names"), $"'{prefix}certificate-names' count only with {prefix}tls = \"verify\"");
        if (fallback is null && !reader.Has(prefix + "tls") && !only13 && names.Count == 0) return null;
        return new(level) { Fingerprints = fingerprints, Names = names, OnlyTls13 = only13, OrDane = hasLogin && !reader.Has(prefix + "tls") };
    }

    /// <summary>A domain in A-labels, <c>.domain</c>, an address, or <c>*</c>, as routes compare them; null when it is none of them.</summary>
    public static string? Pattern(string text, bool nullPath)
    {
        if (text == "*" || text == "<>" && nullPath) return text;
        if (text.Contains('@', StringComparison.Ordinal)) return EmailAddress.TryParse(text, out EmailAddress address) ? address.ToString() : null;
        bool below = text.StartsWith('.');
        return DomainName.TryCreate(below ? text[1..] : text, out DomainName domain) ? (below ? "." : "") + domain.Ascii : null;
    }

    private static (string Name, string? Port) Parted(string text)
    {
        if (text.StartsWith('[') && text.IndexOf(']', StringComparison.Ordinal) is var end and > 0)
        {
            string inside = text[1..end], rest = text[(end + 1)..];
            if (inside.StartsWith("IPv6:", StringComparison.OrdinalIgnoreCase)) inside = inside[5..];
            return rest.Length == 0 ? (inside, null) : rest[0] == ':' ? (inside, rest[1..]) : (text, null);
        }
        return text.Split(':') is [var name, var port] ? (name, port) : (text, null);
    }

    // What looks like an address and is none, such as 192.0.2.256, is no name: no top domain is a number.
    private static string? HostName(string text)
    {
        if (IPAddress.TryParse(text, out _)) return text;
        return DomainName.TryCreate(text, out DomainName name) && !name.IsAddressLiteral && !name.Ascii[(name.Ascii.LastIndexOf('.') + 1)..].All(char.IsAsciiDigit) ? name.Ascii : null;
    }

    private static NextHop.Lmtp? LmtpAt(ConfigReader reader, string host, int port, TlsPolicy? tls)
    {
        if (IPAddress.TryParse(host, out IPAddress? address)) return new(new IPEndPoint(address, port)) { Tls = tls };
        reader.Problem(reader.PlaceOf("host"), $"'host' is \"{host}\"; with LMTP expected an address, such as \"127.0.0.1\", or the path of a 'socket'");
        return null;
    }

    // "550 5.1.1 text", the code of the status alone being enough.
    private static NextHop.Refuse? Refusal(ConfigReader reader, string text)
    {
        string[] words = text.Split(' ', 3);
        bool coded = words.Length == 3 && words[0].Length == 3 && int.TryParse(words[0], out int code) && code is >= 500 and <= 599 && words[1].StartsWith("5.", StringComparison.Ordinal);
        if (coded) return new(new SmtpReply(int.Parse(words[0], CultureInfo.InvariantCulture), words[1], words[2]));
        reader.Problem(reader.PlaceOf("refuse"), $"'refuse' is \"{text}\"; expected a reply such as \"550 5.1.2 No mail for this domain\"");
        return null;
    }

    private static NextHop? Wrong(ConfigReader reader, string text)
    {
        reader.Problem(text);
        return null;
    }
}
