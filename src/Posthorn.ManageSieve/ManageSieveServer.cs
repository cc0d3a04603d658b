using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.ManageSieve.Session;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Store.Scripts;

namespace Posthorn.ManageSieve;

/// <summary>What ManageSieve needs of the rest of the server.</summary>
/// <param name="Scripts">The accounts' scripts.</param>
/// <param name="Stores">The mail, for the names of mailboxes: the checker warns of those that are missing.</param>
/// <param name="Directory">The accounts.</param>
/// <param name="Tls">The certificate; null offers no STARTTLS.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">Where events go.</param>
public sealed record ManageSieveServices(IScriptStore Scripts, IMailStores Stores, IDirectory Directory, TlsIdentity? Tls, TimeProvider Time, ILogger Log);

/// <summary>Serves ManageSieve (RFC 5804) on connections that listeners accept.</summary>
public sealed class ManageSieveServer(ManageSieveOptions options, ManageSieveServices services) : IConnectionHandler
{
    private volatile ManageSieveOptions _options = options;

    public ReadOnlyMemory<byte> BusyReply { get; } = "BYE (TRYLATER) \"Too many connections, try again later\"\r\n"u8.ToArray();

    public ConnectionShare? Share { get; } = new("managesieve", NeedsLogin: true);

    /// <summary>The options; new ones hold for new sessions.</summary>
    public ManageSieveOptions Options { get => _options; set => _options = value; }

    internal ManageSieveServices Services { get; } = services;

    public async Task ServeAsync(Connection connection, CancellationToken cancel)
    {
        using ManageSieveSession session = new(this, connection, _options);
        await session.RunAsync(cancel);
    }

    /// <summary>The sessions of each account.</summary>
    internal SessionCounts<MailAccount> Sessions { get; } = new();
}
