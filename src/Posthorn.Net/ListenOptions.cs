using System.Net;

namespace Posthorn.Net;

/// <summary>When TLS begins on a listener.</summary>
public enum TlsMode
{
    /// <summary>Never.</summary>
    None,
    /// <summary>When the client asks (STARTTLS).</summary>
    StartTls,
    /// <summary>With the first byte (RFC 8314 section 3).</summary>
    Implicit,
}

/// <summary>One place to listen on.</summary>
/// <param name="Name">The listener's name as in the configuration: <c>smtp</c>, <c>imaps</c>…</param>
/// <param name="EndPoint">An address and port (0 takes a free one), or a Unix socket's path.</param>
/// <param name="Tls">When TLS begins.</param>
public sealed record ListenOptions(string Name, EndPoint EndPoint, TlsMode Tls)
{
    /// <summary>Permissions of a Unix socket's file.</summary>
    public UnixFileMode SocketMode { get; init; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Proxies: what connects from there begins with a PROXY header. From elsewhere nobody may send one.</summary>
    public NetworkSet Proxies { get; init; } = NetworkSet.Empty;

    /// <summary>Clients may take up TLS sessions again. Some break off where they are offered that (Microsoft's outgoing servers in 2024).</summary>
    public bool ResumesTls { get; init; } = true;

    /// <summary>Group of a Unix socket's file, by name; null leaves it.</summary>
    public string? SocketGroup { get; init; }
}

/// <summary>Bounds on connections.</summary>
public sealed record ConnectionLimits
{
    /// <summary>Open connections over all listeners. 20,000 idle clear-text ones cost under 200 MiB.</summary>
    public int Total { get; init; } = 20_000;

    /// <summary>Of them those of mail transfer (port 25), which nobody needs a login for: they may have so many, and nobody else may have these. Null: a quarter.</summary>
    public int? Transfer { get; init; }

    /// <summary>Of them those of one protocol whose clients have not logged in yet. Null: an eighth, and a hundred at least. A login takes a second or two, so that is thousands in a minute; four protocols full of strangers leave users a quarter.</summary>
    public int? BeforeLogin { get; init; }

    /// <summary>Where <see cref="BeforeLogin"/> is reached, whoever has waited longer than this makes room for a new client: only a client that wants nothing takes so long.</summary>
    public TimeSpan LoginGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Open connections from one address (IPv6: one /64). An office behind one address opens five and more for each user.</summary>
    public int PerAddress { get; init; } = 1_000;

    /// <summary>The same from an IPv6 /56, which is what many providers give a household: 256 networks of one owner.</summary>
    public int Per56 { get; init; } = 2_000;

    /// <summary>The same from an IPv6 /48, which anybody can have from a tunnel broker.</summary>
    public int Per48 { get; init; } = 4_000;

    /// <summary>New connections from one address. A mail program opens five at once and a phone some each hour; 600 a minute is a program gone wild.</summary>
    public RateLimit Rate { get; init; } = new(600, TimeSpan.FromMinutes(1));

    /// <summary>Networks from which connections may come as fast as they like.</summary>
    public NetworkSet Exempt { get; init; } = NetworkSet.Empty;

    /// <summary>How long a proxy may take to say for whom it speaks: it does so at once.</summary>
    public TimeSpan ProxyHeader { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a TLS handshake may take.</summary>
    public TimeSpan Handshake { get; init; } = TimeSpan.FromSeconds(30);

    internal int MostOf(ConnectionShare? share) => share is { NeedsLogin: false } ? MostTransfers : Math.Max(1, Total - MostTransfers);

    internal int MostBeforeLogin => BeforeLogin ?? Math.Min(Total, Math.Max(Total / 8, 100));

    private int MostTransfers => Math.Min(Total, Transfer ?? Math.Max(1, Total / 4));
}

/// <summary>What a protocol's sessions are counted to among all connections.</summary>
/// <param name="Protocol">Such as <c>imap</c>.</param>
/// <param name="NeedsLogin">Its clients have to log in; else it is mail transfer, which has a part for itself.</param>
public sealed record ConnectionShare(string Protocol, bool NeedsLogin);
