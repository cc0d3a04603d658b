namespace Posthorn.Pop3;

/// <summary>What a POP3 listener offers and bears. A reload swaps the whole object; open sessions keep theirs.</summary>
public sealed record Pop3Options
{
    /// <summary>Our own name, in the greeting.</summary>
    public required string HostName { get; init; }

    /// <summary>Whether RETR sets <c>\Seen</c>, so that what was fetched does not look new over IMAP. As Dovecot does unless pop3_no_flag_updates is set.</summary>
    public bool MarkSeen { get; init; } = true;

    /// <summary>Octets of a command line without its end. RFC 2449 section 4 asks for 255 with it; long passwords need no more than this.</summary>
    public int MaxLine { get; init; } = 1_024;

    /// <summary>Octets of a response to a challenge: RFC 5034 sets no limit, RFC 4954 asks SMTP for as many.</summary>
    public int MaxAuthLine { get; init; } = 12_288;

    /// <summary>Commands that failed, one after another, before the session is closed: a client that reads no answers has to stop somewhere.</summary>
    public int MaxErrors { get; init; } = 20;

    /// <summary>Failed logins of one session before it is closed.</summary>
    public int MaxFailedLogins { get; init; } = 3;

    /// <summary>Wait after a failed login; doubles with each further one.</summary>
    public TimeSpan FailedLoginDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Sessions of one account at a time. People poll from a few devices; each session holds a view of INBOX.</summary>
    public int MaxSessionsPerAccount { get; init; } = 10;

    /// <summary>Silence after which the connection is closed, without the update: RFC 1939 section 3 asks for ten minutes at least.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a client may take to log in, whatever it sends meanwhile.</summary>
    public TimeSpan LoginTimeout { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>How long a client may take nothing of what is sent to it.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long the handshake after STLS may take.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
