using System.Text;
using Microsoft.Extensions.Logging;
using Posthorn.Directory;
using Posthorn.Net;
using Posthorn.Smtp.Session;
using Posthorn.Transport;

namespace Posthorn.Smtp;

/// <summary>One listener, as SMTP sees it.</summary>
/// <param name="Name">As in the configuration: <c>smtp</c>, <c>submission</c>, <c>lmtp</c>…</param>
/// <param name="Role">What it is for.</param>
/// <param name="Tls">When TLS begins.</param>
public sealed record SmtpListener(string Name, ListenerRole Role, TlsMode Tls);

/// <summary>What sessions work with.</summary>
/// <param name="Transport">Where mail goes.</param>
/// <param name="Directory">Who may log in; null where nobody does.</param>
/// <param name="Tls">The certificate; null offers no STARTTLS.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">The log.</param>
public sealed record SmtpServices(IMailTransport Transport, IDirectory? Directory, TlsIdentity? Tls, TimeProvider Time, ILogger Log)
{
    /// <summary>What addresses have done so far; null counts nothing.</summary>
    public SmtpRates? Rates { get; init; }
}

/// <summary>The server's side of SMTP (RFC 5321), message submission (RFC 6409) and LMTP (RFC 2033) for one listener.</summary>
public sealed class SmtpServer(SmtpListener listener, SmtpOptions options, SmtpServices services) : IConnectionHandler
{
    private volatile SmtpOptions _options = options;

    public SmtpListener Listener { get; } = listener;
    public SmtpServices Services { get; } = services;

    /// <summary>For new sessions; those that are open keep what they have.</summary>
    public SmtpOptions Options
    {
        get => _options;
        set => _options = value;
    }

    public ReadOnlyMemory<byte> BusyReply =>
        Encoding.ASCII.GetBytes($"421 4.3.2 {Options.Hostname} Too many connections, try again later\r\n");

    /// <summary>Mail from others has its part, clients that must log in theirs. LMTP is a server of ours that hands over.</summary>
    public ConnectionShare? Share { get; } = listener.Role switch
    {
        ListenerRole.Mx => new("smtp", NeedsLogin: false),
        ListenerRole.Submission => new("submission", NeedsLogin: true),
        _ => null,
    };

    public Task ServeAsync(Connection connection, CancellationToken cancel) => new SmtpSession(this, connection).RunAsync(cancel);
}
