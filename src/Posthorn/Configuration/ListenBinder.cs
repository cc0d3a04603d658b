using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Posthorn.Net;

namespace Posthorn.Configuration;

/// <summary><c>[listen]</c>: which protocols on which addresses.</summary>
internal static class ListenBinder
{
    /// <summary>Every listener there is, with the point where TLS begins.</summary>
    public static IReadOnlyDictionary<string, TlsMode> Known { get; } = new Dictionary<string, TlsMode>
    {
        ["smtp"] = TlsMode.StartTls,
        ["submission"] = TlsMode.StartTls,
        ["submissions"] = TlsMode.Implicit,
        ["lmtp"] = TlsMode.None,
        ["imap"] = TlsMode.StartTls,
        ["imaps"] = TlsMode.Implicit,
        ["managesieve"] = TlsMode.StartTls,
        ["pop3"] = TlsMode.StartTls,
        ["pop3s"] = TlsMode.Implicit,
        [DovecotAuth] = TlsMode.None,
    };

    /// <summary>The listener for programs on this machine that check logins here.</summary>
    public const string DovecotAuth = "dovecot-auth";

    public static IReadOnlyList<ListenEntry> Read(ConfigReader reader)
    {
        List<ListenEntry> entries = [];
        foreach ((string name, TlsMode tls) in Known)
            foreach (ConfigValue value in reader.Values(name))
                if (Entry(reader, name, tls, value) is { } entry) entries.Add(entry);
        return entries;
    }

    /// <summary>What no single entry shows: two in one place, TLS without a certificate, nothing at all.</summary>
    public static void Check(ConfigReader root, IReadOnlyList<ListenEntry> entries, bool hasCertificate)
    {
        if (entries.Count == 0) root.Warning(root.PlaceOf("listen"), "[listen] names nothing: the server would take no connections; for example smtp = [\":25\"]");
        HashSet<string> seen = [];
        foreach (ListenEntry entry in entries)
        {
            string place = entry.Options.EndPoint.ToString() ?? "";
            bool free = entry.Options.EndPoint is IPEndPoint { Port: 0 };
            if (!free && !seen.Add(place)) root.Problem(entry.Place, $"'listen.{entry.Options.Name}' uses {place}, which another listener uses already");
            if (entry.Options.Tls == TlsMode.Implicit && !hasCertificate)
                root.Problem(entry.Place, $"'listen.{entry.Options.Name}' needs TLS: set 'certificate' and 'key' in [tls]");
            else if (!hasCertificate && entry.Options is { Tls: TlsMode.StartTls, Name: not "smtp", EndPoint: IPEndPoint from } && !IPAddress.IsLoopback(from.Address))
                root.Warning(entry.Place, $"'listen.{entry.Options.Name}' has no TLS, so nobody can log in from elsewhere: set 'certificate' and 'key' in [tls]");
        }
    }

    private static ListenEntry? Entry(ConfigReader reader, string name, TlsMode tls, ConfigValue value)
    {
        switch (value)
        {
            // Its clients say themselves who logs in from where, and whether it was by TLS: only programs that the socket's mode admits may.
            case ConfigValue.Text when name == DovecotAuth:
                reader.Problem(value.Place, $"'listen.{name}' is a Unix socket only; expected {{ unix = \"/var/spool/postfix/private/auth\", mode = \"0660\", group = \"postfix\" }}");
                return null;
            case ConfigValue.Text text:
                if (TryEndPoint(text.Value) is { } endPoint) return new(new(name, endPoint, tls), value.Place);
                reader.Problem(value.Place, $"'listen.{name}' has \"{text.Value}\"; expected \":PORT\" or \"ADDRESS:PORT\", such as \":25\", \"192.0.2.1:25\" or \"[2001:db8::1]:25\"");
                return null;
            case ConfigValue.Table table when table.Items.ContainsKey("address"):
                return Address(reader, name, tls, table);
            case ConfigValue.Table table:
                return Unix(reader, name, tls, table);
            default:
                reader.Problem(value.Place, $"'listen.{name}' has {value.Kind}; expected \":PORT\", \"ADDRESS:PORT\", {{ unix = \"/path\" }} or {{ address = \":PORT\", proxy = [\"NETWORK\"] }}");
                return null;
        }
    }

    // A place with more to say: proxies that say for whom they speak, clients that must not take up TLS sessions.
    private static ListenEntry? Address(ConfigReader reader, string name, TlsMode tls, ConfigValue.Table table)
    {
        IPEndPoint? endPoint = null;
        List<IPNetwork> proxies = [];
        bool resumes = true;
        foreach ((string key, (ConfigPlace place, ConfigValue value)) in table.Items)
        {
            switch (key, value)
            {
                case ("address", ConfigValue.Text text) when TryEndPoint(text.Value) is { } found: endPoint = found; break;
                case ("proxy", ConfigValue.Text text): proxies.AddRange(Proxies(reader, name, [text])); break;
                case ("proxy", ConfigValue.List list): proxies.AddRange(Proxies(reader, name, list.Items)); break;
                case ("tls-resume", ConfigValue.Switch flag): resumes = flag.Value; break;
                case ("tls-resume", _): reader.Problem(place, $"'listen.{name}.{key}' is {value.Kind}; expected true or false"); break;
                case ("address" or "proxy", _): reader.Problem(place, $"'listen.{name}.{key}' is {value.Kind}; expected {(key == "address" ? "\":PORT\" or \"ADDRESS:PORT\"" : "networks, such as [\"10.0.0.0/8\"]")}"); break;
                default: reader.Problem(place, $"unknown key 'listen.{name}.{key}'; known beside 'address': proxy, tls-resume"); break;
            }
        }
        return endPoint is null ? null : new(new(name, endPoint, tls) { Proxies = new(proxies), ResumesTls = resumes }, table.Place);
    }

    private static IEnumerable<IPNetwork> Proxies(ConfigReader reader, string name, IEnumerable<ConfigValue> values)
    {
        foreach (ConfigValue value in values)
        {
            if (value is ConfigValue.Text text && NetworkOf(text.Value) is { } network)
            {
                if (network.PrefixLength == 0) reader.Problem(value.Place, $"'listen.{name}.proxy' names {network}: everybody could claim any address; name the proxies");
                yield return network;
            }
            else reader.Problem(value.Place, $"'listen.{name}.proxy' has {value.Kind}; expected a network or an address, such as \"10.0.0.5\"");
        }
    }

    private static IPNetwork? NetworkOf(string text)
    {
        if (IPNetwork.TryParse(text, out IPNetwork network)) return network;
        return IPAddress.TryParse(text, out IPAddress? address) ? new(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128) : null;
    }

    private static ListenEntry? Unix(ConfigReader reader, string name, TlsMode tls, ConfigValue.Table table)
    {
        string? path = null, group = null;
        UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        foreach ((string key, (ConfigPlace place, ConfigValue value)) in table.Items)
        {
            switch (key, value)
            {
                case ("unix", ConfigValue.Text text): path = text.Value; break;
                case ("group", ConfigValue.Text text): group = text.Value; break;
                case ("mode", ConfigValue.Text text) when TryMode(text.Value) is { } found: mode = found; break;
                default:
                    string? near = Spelling.Nearest(key, ["unix", "mode", "group"]);
                    reader.Problem(place, near == key ? $"'listen.{name}.{key}' is {value.Kind}; expected a text{(key == "mode" ? " of octal digits such as \"0660\"" : "")}"
                        : $"unknown key 'listen.{name}.{key}'; known here: group, mode, unix; or address, proxy, tls-resume");
                    break;
            }
        }
        if (path is null)
        {
            reader.Problem(table.Place, $"'listen.{name}' has a table without 'unix'; expected {{ unix = \"/run/posthorn/{name}\", mode = \"0660\" }}");
            return null;
        }
        // The kernel keeps a socket's path in 108 bytes.
        if (!Path.IsPathRooted(path) || System.Text.Encoding.UTF8.GetByteCount(path) > 100)
        {
            reader.Problem(table.Place, $"'listen.{name}.unix' is \"{path}\"; expected an absolute path of at most 100 bytes");
            return null;
        }
        return new(new(name, new UnixDomainSocketEndPoint(path), tls) { SocketMode = mode, SocketGroup = group }, table.Place);
    }

    private static IPEndPoint? TryEndPoint(string text)
    {
        int colon = text.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port)) return null;
        string host = text[..colon];
        if (host.Length == 0) return new(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, port);
        if (host == "localhost") return new(IPAddress.Loopback, port);
        if (host is ['[', .., ']']) host = host[1..^1];
        else if (host.Contains(':', StringComparison.Ordinal)) return null;
        return IPAddress.TryParse(host, out IPAddress? address) ? new(address, port) : null;
    }

    private static UnixFileMode? TryMode(string octal)
    {
        int mode = 0;
        if (octal.Length is < 3 or > 4) return null;
        foreach (char c in octal)
        {
            if (c is < '0' or > '7') return null;
            mode = mode * 8 + (c - '0');
        }
        return mode <= 0x1FF ? (UnixFileMode)mode : null;
    }
}
