using System.Net;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Core;

namespace Posthorn.Transport;

/// <summary>Which addresses are tried.</summary>
public enum AddressPreference
{
    /// <summary>IPv6 first, then IPv4.</summary>
    PreferIPv6,
    /// <summary>IPv4 first, then IPv6: receivers check IPv6 senders harder.</summary>
    PreferIPv4,
    OnlyIPv4,
    OnlyIPv6,
}

/// <summary>What happens to 8-bit content for a server without 8BITMIME (RFC 6152 section 3).</summary>
public enum EightBitPolicy
{
    /// <summary>It is recoded, unless somebody has signed it: then it comes back with 5.6.1, since recoding would make the signature void.</summary>
    Convert,
    /// <summary>It goes out as it is: no server that matters today cuts the eighth bit.</summary>
    SendAsIs,
    /// <summary>It comes back with 5.6.1.</summary>
    Refuse,
}

/// <summary>How mail leaves.</summary>
public sealed record OutboundOptions
{
    /// <summary>The port of mail servers; another one only for tests and tunnels.</summary>
    public int Port { get; init; } = 25;

    /// <summary>The name in EHLO; null is the hostname.</summary>
    public string? Helo { get; init; }

    /// <summary>The own addresses from which to connect; null lets the system choose.</summary>
    public IPAddress? BindIPv4 { get; init; }
    public IPAddress? BindIPv6 { get; init; }

    public AddressPreference Addresses { get; init; } = AddressPreference.PreferIPv6;
    public TlsPolicy Tls { get; init; } = OutboundTls.May;

    /// <summary>Ask domains by DANE how their servers are known (RFC 7672); only answers of a validating resolver on this host count.</summary>
    public bool Dane { get; init; } = true;

    /// <summary>Ask domains by MTA-STS how their servers are known (RFC 8461).</summary>
    public bool Sts { get; init; } = true;

    /// <summary>The port where domains publish MTA-STS policies; another one only for tests and tunnels.</summary>
    public int PolicyPort { get; init; } = 443;

    /// <summary>Count TLS sessions and tell domains that ask for it how they went (RFC 8460).</summary>
    public bool TlsReports { get; init; } = true;

    /// <summary>Authorities that are trusted beside the system's.</summary>
    public X509Certificate2Collection Authorities { get; init; } = [];
    public EightBitPolicy EightBit { get; init; } = EightBitPolicy.Convert;

    /// <summary>Where mail for others goes when no rule says otherwise; null is by MX.</summary>
    public NextHop? Relay { get; init; }

    /// <summary>Who hears of mail that can be neither delivered nor returned; null for nobody but the log.</summary>
    public DoubleBounceOptions? DoubleBounces { get; init; } = new();

    /// <summary>Where mail goes for which no host could be reached; null leaves it waiting.</summary>
    public NextHop.Host? Fallback { get; init; }

    /// <summary>Rules by recipient and sender domain, first match wins.</summary>
    public IReadOnlyList<RouteRule> Routes { get; init; } = [];

    /// <summary>Tables in Postfix's transport(5) format, asked after the rules.</summary>
    public IReadOnlyList<string> TransportTables { get; init; } = [];

    /// <summary>Hosted domains whose mailboxes are kept by a server behind this one, to which their mail goes when aliases have been followed.</summary>
    public IReadOnlyDictionary<DomainName, NextHop> Behind { get; init; } = new Dictionary<DomainName, NextHop>();

    /// <summary>Addresses tried in one attempt. 5 as in Postfix: a provider's list of thirty would take hours of timeouts.</summary>
    public int MaxAddresses { get; init; } = 5;

    /// <summary>Servers of a domain asked in one attempt, where one after the other puts the mail off. 2 as in Postfix: a server that is out of order is passed by, and who greylists is not asked over and over.</summary>
    public int MaxServers { get; init; } = 2;

    /// <summary>Transactions in one connection.</summary>
    public int MaxTransactions { get; init; } = 100;

    /// <summary>How long a connection is kept that has nothing to do, for more mail to the same destination. 2 s as in Postfix: a busy destination need not be greeted for each message, and no server minds the wait.</summary>
    public TimeSpan KeepIdle { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>At the end of the server, how long messages of which the content has begun may wait for their answer; broken off they would go out twice. 30 s: servers that scan mail before they answer take 5 to 30, and all of a stop has to stay below the 90 s that systemd allows.</summary>
    public TimeSpan StopGrace { get; init; } = TimeSpan.FromSeconds(30);

    public SmtpTimeouts Timeouts { get; init; } = new();
}

/// <summary>How long the other side may take (RFC 5321 section 4.5.3.2).</summary>
public sealed record SmtpTimeouts
{
    /// <summary>30 s as in Postfix: a host that drops packets should not hold a slot for the system's two minutes.</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(30);
    public TimeSpan Greeting { get; init; } = TimeSpan.FromMinutes(5);
    public TimeSpan Handshake { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET.</summary>
    public TimeSpan Command { get; init; } = TimeSpan.FromMinutes(5);
    public TimeSpan DataStart { get; init; } = TimeSpan.FromMinutes(2);
    public TimeSpan DataBlock { get; init; } = TimeSpan.FromMinutes(3);
    public TimeSpan DataEnd { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Nothing depends on the reply to QUIT.</summary>
    public TimeSpan Quit { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>What becomes of bounces that bounce, and of other mail with the null path that cannot be delivered.</summary>
public sealed record DoubleBounceOptions
{
    /// <summary>Who is told; null is the postmaster of the default domain.</summary>
    public EmailAddress? To { get; init; }

    /// <summary>Times an hour that somebody is told; the next word says how many more there were. 10: one that matters is seen among them, and a flood of forged bounces fills no mailbox.</summary>
    public int PerHour { get; init; } = 10;
}
