using System.Net;
using Posthorn.Core;
using Posthorn.Net;

namespace Posthorn.Smtp;

/// <summary>What one kind of SMTP, submission or LMTP listener offers and bears. A reload swaps the whole object; open sessions keep theirs.</summary>
public sealed record SmtpOptions
{
    /// <summary>Our own name, in the greeting and in EHLO.</summary>
    public required DomainName Hostname { get; init; }

    /// <summary>Completes bare local parts on submission and from trusted networks, and <c>&lt;postmaster&gt;</c> everywhere.</summary>
    public required DomainName DefaultDomain { get; init; }

    /// <summary>Networks whose clients may relay without login and log in without TLS.</summary>
    public IReadOnlyList<IPNetwork> TrustedNetworks { get; init; } = [];

    /// <summary>Offer AUTH on port 25 too. Off: other servers never log in, only guessers do.</summary>
    public bool AuthOnMx { get; init; }

    /// <summary>Announce <c>AUTH=…</c> too, for old Microsoft clients that know nothing else. Off: it only lengthens EHLO for the rest.</summary>
    public bool BrokenAuthLine { get; init; }

    /// <summary>Take BODY=BINARYMIME (RFC 3030); what a next hop or a mailbox does not bear is recoded.</summary>
    public bool BinaryMime { get; init; } = true;

    /// <summary>Take REQUIRETLS (RFC 8689) where the session has TLS.</summary>
    public bool RequireTls { get; init; } = true;

    /// <summary>How far ahead users may ask for a message to be sent (RFC 4865); zero turns it off. 30 days: longer than a holiday.</summary>
    public TimeSpan FutureRelease { get; init; } = TimeSpan.FromDays(30);

    /// <summary>The shortest time that a sender may set for a message to arrive or come back (RFC 2852), announced unless it is zero; null turns DELIVERBY off. Zero: mail for mailboxes here is there before the reply.</summary>
    public TimeSpan? ShortestDeliverBy { get; init; } = TimeSpan.Zero;

    /// <summary>Announce LIMITS (RFC 9422), so that clients split large recipient lists themselves.</summary>
    public bool AnnounceLimits { get; init; } = true;

    /// <summary>On port 25 a refused sender is told at RCPT, so that the log shows the recipient and odd clients do not loop at MAIL.</summary>
    public bool DelaySenderRefusal { get; init; } = true;

    /// <summary>Recipients of one transaction; more get 452. RFC 5321 section 4.5.3.1.8 asks for 100 at least; Postfix takes 1,000.</summary>
    public int MaxRecipients { get; init; } = 1_000;

    /// <summary>Refused recipients of one session before it is closed: address harvesters try thousands, an old mailing list some dozens. Not for LMTP.</summary>
    public int MaxRefusedRecipients { get; init; } = 100;

    /// <summary>Transactions of one session. The largest senders reuse a connection for hundreds.</summary>
    public int MaxTransactions { get; init; } = 10_000;

    /// <summary>Errors since the last accepted message before the session is closed. As Postfix's smtpd_hard_error_limit.</summary>
    public int MaxErrors { get; init; } = 20;

    /// <summary>NOOP, RSET, VRFY, EHLO and the like since the last accepted message; each one more counts as an error. As Postfix's smtpd_junk_command_limit.</summary>
    public int MaxIdleCommands { get; init; } = 100;

    /// <summary>Octets of a command line. RFC 5321 says 512; MAIL and RCPT with all extensions come to some 2,000.</summary>
    public int MaxCommandLine { get; init; } = 4_096;

    /// <summary>Octets of AUTH and its responses: RFC 4954 section 4 asks for 12,288, for Kerberos tickets.</summary>
    public int MaxAuthLine { get; init; } = 12_288;

    /// <summary>Octets of a text line in a message. RFC 5321 says 998; real mail has lines of tens of thousands, which are kept as they are.</summary>
    public int MaxTextLine { get; init; } = 64 * 1024;

    /// <summary>Failed logins of one session before it is closed.</summary>
    public int MaxAuthAttempts { get; init; } = 3;

    /// <summary>Wait after a failed login: slows guessing on one connection to a few tries in ten seconds.</summary>
    public TimeSpan AuthFailureDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Networks whose servers may speak for their clients (XCLIENT).</summary>
    public IReadOnlyList<IPNetwork> XClientNetworks { get; init; } = [];

    /// <summary>Networks whose filters may say from whom they had the mail (XFORWARD).</summary>
    public IReadOnlyList<IPNetwork> XForwardNetworks { get; init; } = [];

    /// <summary>On port 25, send away who goes on where it has to wait for a reply (RFC 2920 section 3.1), as Postfix 3.9 does: only spam programs do, and it keeps two servers from seeing two conversations.</summary>
    public bool ForbidEarlyTalk { get; init; } = true;

    /// <summary>Refusals since the last accepted message after which each further one is held back for <see cref="Tarpit"/>. As Postfix's smtpd_soft_error_limit.</summary>
    public int TarpitAfter { get; init; } = 10;

    /// <summary>How long a refusal is held back then; zero not at all. 1 s as Postfix's smtpd_error_sleep_time: guessing addresses becomes slow, mistyping one does not.</summary>
    public TimeSpan Tarpit { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Messages of one address. None: a mailing list's server sends thousands within a minute.</summary>
    public RateLimit MessageRate { get; init; }

    /// <summary>Recipients of one address, taken or not. None, for the same reason.</summary>
    public RateLimit RecipientRate { get; init; }

    /// <summary>Commands of one address that were refused for good, over all its sessions; then it is sent away. 200 in ten minutes: an old mailing list comes to some dozens.</summary>
    public RateLimit ErrorRate { get; init; } = new(200, TimeSpan.FromMinutes(10));

    /// <summary>Wait for a whole command line (RFC 5321 section 4.5.3.2.7).</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Wait for the next block of a message (RFC 5321 section 4.5.3.2.5 gives the client three minutes).</summary>
    public TimeSpan DataTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Octets a second that a message must average once <see cref="DataTimeout"/> is used up. A 2,400 baud modem does 240.</summary>
    public int MinDataRate { get; init; } = 200;

    /// <summary>Wait for a client that does not read its replies.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long the TLS handshake after STARTTLS may take.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the greeting is held back on port 25 to see who talks first. Zero: not at all, since honest clients would wait too.</summary>
    public TimeSpan GreetingDelay { get; init; } = TimeSpan.Zero;
}
