using System.Net;
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

/// <summary>What is demanded of TLS on the way out.</summary>
public enum OutboundTls
{
    /// <summary>Never.</summary>
    None,
    /// <summary>When offered, unverified; clear text when the handshake fails (RFC 7435).</summary>
    May,
    /// <summary>Always, unverified.</summary>
    Encrypt,
    /// <summary>Always, with a certificate that the system trusts for the name of the host.</summary>
    Verify,
}

/// <summary>What happens to 8-bit content for a server without 8BITMIME (RFC 6152 section 3).</summary>
public enum EightBitPolicy
{
    /// <summary>It goes out as it is: no server that matters today cuts the eighth bit.</summary>
    SendAsIs,
    /// <summary>It comes back with 5.6.1: we never re-encode what others may have signed.</summary>
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
    public OutboundTls Tls { get; init; } = OutboundTls.May;
    public EightBitPolicy EightBit { get; init; } = EightBitPolicy.SendAsIs;

    /// <summary>Where mail for others goes when no rule says otherwise; null is by MX.</summary>
    public NextHop? Relay { get; init; }

    /// <summary>Where mail goes for which no host could be reached; null leaves it waiting.</summary>
    public NextHop.Host? Fallback { get; init; }

    /// <summary>Rules by recipient and sender domain, first match wins.</summary>
    public IReadOnlyList<RouteRule> Routes { get; init; } = [];

    /// <summary>Addresses tried in one attempt. 5 as in Postfix: a provider's list of thirty would take hours of timeouts.</summary>
    public int MaxAddresses { get; init; } = 5;

    /// <summary>Transactions in one connection.</summary>
    public int MaxTransactions { get; init; } = 100;

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

/// <summary>One row of the transport table.</summary>
/// <param name="Domain">A domain, <c>.domain</c> for all below it, or <c>*</c>.</param>
/// <param name="Hop">Where its mail goes.</param>
public sealed record RouteRule(string Domain, NextHop Hop)
{
    /// <summary>The same for the sender's domain; null for every sender, the null path too.</summary>
    public string? SenderDomain { get; init; }

    public bool Matches(DomainName domain, ReversePath from)
    {
        if (SenderDomain is not null && (from.IsNull || !Fits(SenderDomain, from.Address.Domain))) return false;
        return Fits(Domain, domain);
    }

    private static bool Fits(string pattern, DomainName domain)
    {
        if (pattern == "*") return true;
        if (pattern.StartsWith('.')) return domain.Ascii.EndsWith(pattern, StringComparison.OrdinalIgnoreCase);
        return domain.Ascii.Equals(pattern, StringComparison.OrdinalIgnoreCase);
    }
}

/// <summary>Where mail goes next.</summary>
public abstract record NextHop
{
    private NextHop() { }

    /// <summary>What is demanded of TLS; null is the general setting.</summary>
    public OutboundTls? Tls { get; init; }

    /// <summary>By the domain's MX records.</summary>
    public sealed record Mx : NextHop;

    /// <summary>To one host, without MX lookup.</summary>
    public sealed record Host(string Name, int Port) : NextHop
    {
        /// <summary>TLS from the first byte (port 465).</summary>
        public bool ImplicitTls { get; init; }
        public RelayLogin? Login { get; init; }
    }

    /// <summary>By LMTP to a Unix socket, or to a host and port.</summary>
    public sealed record Lmtp(EndPoint EndPoint) : NextHop;

    /// <summary>Refused with a reply.</summary>
    public sealed record Refuse(SmtpReply Reply) : NextHop;
}

/// <summary>How we log in at a relay host.</summary>
public sealed record RelayLogin(string User, string Password)
{
    /// <summary>Never shows the password.</summary>
    public override string ToString() => User;
}
