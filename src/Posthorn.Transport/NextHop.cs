using System.Net;
using Posthorn.Core;
using Posthorn.Directory.Sasl;

namespace Posthorn.Transport;

/// <summary>One row of the transport table.</summary>
/// <param name="Recipient">A domain, <c>.domain</c> for all below it, a whole address, or <c>*</c>.</param>
/// <param name="Hop">Where its mail goes.</param>
public sealed record RouteRule(string Recipient, NextHop Hop)
{
    /// <summary>The same for the sender, and <c>&lt;&gt;</c> for the null path; null for every sender.</summary>
    public string? Sender { get; init; }

    /// <summary>Mail for this domain is taken from everybody, though its mailboxes are elsewhere. Never for <c>*</c>.</summary>
    public bool IsAccepted { get; init; }

    public bool Matches(EmailAddress recipient, ReversePath from) => Fits(Recipient, recipient) && Sender switch
    {
        null => true,
        "<>" => from.IsNull,
        { } sender => !from.IsNull && Fits(sender, from.Address),
    };

    /// <summary>Whether strangers may send to this address: only where the domain, or the address, is named in full (DESIGN invariant 5).</summary>
    public bool Accepts(EmailAddress recipient) => IsAccepted && Recipient.Length > 0 && Recipient[0] is not ('*' or '.') && Fits(Recipient, recipient);

    private static bool Fits(string pattern, EmailAddress address)
    {
        if (pattern == "*") return true;
        if (pattern.Contains('@', StringComparison.Ordinal)) return address.ToString().Equals(pattern, StringComparison.OrdinalIgnoreCase);
        string domain = address.Domain.Ascii;
        return pattern.StartsWith('.') ? domain.EndsWith(pattern, StringComparison.OrdinalIgnoreCase) : domain.Equals(pattern, StringComparison.OrdinalIgnoreCase);
    }
}

/// <summary>Where mail goes next.</summary>
public abstract record NextHop
{
    private NextHop() { }

    /// <summary>What is demanded of TLS; null is the general setting, and where there is a login at least that the server proves who it is.</summary>
    public TlsPolicy? Tls { get; init; }

    /// <summary>What tells this hop from others of the same host, for connections that are shared.</summary>
    internal string Variant => (this is Host { Login: { } login } ? $" as {login.User}" : "") + (Tls is null ? "" : $" tls={Tls.Level}");

    /// <summary>By the domain's MX records.</summary>
    public sealed record Mx : NextHop;

    /// <summary>To one host, without MX lookup.</summary>
    public sealed record Host(string Name, int Port) : NextHop
    {
        /// <summary>TLS from the first byte (port 465).</summary>
        public bool ImplicitTls { get; init; }

        /// <summary>The name is a domain, whose MX records say which hosts it is.</summary>
        public bool IsByMx { get; init; }
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
    /// <summary>The mechanisms that may be used, the best first.</summary>
    public IReadOnlyList<string> Mechanisms { get; init; } = SaslClient.Default;

    /// <summary>Never shows the password.</summary>
    public override string ToString() => User;
}
