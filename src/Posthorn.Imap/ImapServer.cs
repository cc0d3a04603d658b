using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Imap.Session;
using Posthorn.Net;
using Posthorn.Store;

namespace Posthorn.Imap;

/// <summary>What IMAP needs of the rest of the server.</summary>
/// <param name="Stores">The mail.</param>
/// <param name="Directory">The accounts.</param>
/// <param name="Tls">The certificate; null offers no STARTTLS.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">Where events go.</param>
public sealed record ImapServices(IMailStores Stores, IDirectory Directory, TlsIdentity? Tls, TimeProvider Time, ILogger Log)
{
    /// <summary>Changes what accounts may use; null where that cannot be done from here.</summary>
    public IAccountLimits? Limits { get; init; }
}

/// <summary>Serves IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051) on connections that listeners accept.</summary>
public sealed class ImapServer : IConnectionHandler, IDisposable
{
    private volatile ImapOptions _options;

    public ImapServer(ImapOptions options, ImapServices services)
    {
        _options = options;
        Services = services;
        Heartbeat = new(services.Time, options.KeepAlive);
    }

    public ReadOnlyMemory<byte> BusyReply { get; } = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n"u8.ToArray();

    public ConnectionShare? Share { get; } = new("imap", NeedsLogin: true);

    /// <summary>The options; new ones hold for new sessions.</summary>
    public ImapOptions Options { get => _options; set => _options = value; }

    internal ImapServices Services { get; }

    internal Heartbeat Heartbeat { get; }

    public async Task ServeAsync(Connection connection, CancellationToken cancel)
    {
        await using ImapSession session = new(this, connection, _options);
        await session.RunAsync(cancel);
    }

    public void Dispose() => Heartbeat.Dispose();

    /// <summary>The sessions of each account.</summary>
    internal SessionCounts<MailAccount> Sessions { get; } = new();
}
