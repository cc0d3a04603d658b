using Microsoft.Extensions.Logging;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Net;
using Posthorn.Pop3.Session;
using Posthorn.Store;

namespace Posthorn.Pop3;

/// <summary>What POP3 needs of the rest of the server.</summary>
/// <param name="Stores">The mail.</param>
/// <param name="Directory">The accounts.</param>
/// <param name="Tls">The certificate; null offers no STLS.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">Where events go.</param>
public sealed record Pop3Services(IMailStores Stores, IDirectory Directory, TlsIdentity? Tls, TimeProvider Time, ILogger Log);

/// <summary>Serves POP3 (RFC 1939 with RFC 2449, 2595, 5034 and 6856) on connections that listeners accept. The maildrop is the account's INBOX.</summary>
public sealed class Pop3Server(Pop3Options options, Pop3Services services) : IConnectionHandler
{
    private volatile Pop3Options _options = options;

    public ReadOnlyMemory<byte> BusyReply { get; } = "-ERR [SYS/TEMP] Too many connections, try again later\r\n"u8.ToArray();

    public ConnectionShare? Share { get; } = new("pop3", NeedsLogin: true);

    /// <summary>The options; new ones hold for new sessions.</summary>
    public Pop3Options Options { get => _options; set => _options = value; }

    internal Pop3Services Services { get; } = services;

    public async Task ServeAsync(Connection connection, CancellationToken cancel)
    {
        await using Pop3Session session = new(this, connection, _options);
        await session.RunAsync(cancel);
    }

    /// <summary>The sessions of each account.</summary>
    internal SessionCounts<MailAccount> Sessions { get; } = new();
}
