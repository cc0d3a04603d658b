using System.Net;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Trust.Dane;
using Posthorn.Trust.Sts;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Transport.Remote.Security;

/// <summary>A host to which mail could go, and what is known of the way to it.</summary>
/// <param name="Domain">The recipients' domain.</param>
/// <param name="Host">The host.</param>
/// <param name="Port">The port of which TLSA records speak.</param>
/// <param name="Hop">By which rule it is the host.</param>
/// <param name="IsSecure">That it is the host is proved by DNSSEC, or said by the administrator.</param>
internal sealed record TlsQuestion(DomainName Domain, MailHost Host, int Port, NextHop Hop, bool IsSecure);

/// <summary>Says what a connection must have: what the administrator demands, what the domain asks for by DANE (RFC 7672) or MTA-STS (RFC 8461), what the message asks for (RFC 8689).</summary>
/// <remarks>DANE goes before MTA-STS, which must never weaken it (RFC 8461 section 2).</remarks>
internal sealed class TlsPolicyFinder(IMailDns dns, StsPolicies? sts, Func<TransportOptions> options)
{
    /// <summary>The demand, or why the host is not to be used.</summary>
    public async ValueTask<(TlsDemand? Demand, SmtpReply? Fault)> FindAsync(TlsQuestion question, TlsWish wish, CancellationToken cancel)
    {
        OutboundOptions outbound = options().Outbound;
        TlsPolicy set = PolicyOf(question, outbound);
        string name = question.Host.Name.Trim('[', ']');
        TlsDemand plain = new(set.Level is OutboundTls.Dane ? OutboundTls.May : set.Level)
        {
            ServerName = name, Names = set.Names.Count > 0 ? set.Names : [name], Fingerprints = set.Fingerprints, OnlyTls13 = set.OnlyTls13,
            Policy = Countable(question) ? new(TlsPolicyKind.NoPolicy, question.Domain.Ascii, [], []) : null,
        };
        if (question.Hop is NextHop.Lmtp || set.Level == OutboundTls.None && wish != TlsWish.Required) return (plain with { Policy = null }, null);
        bool asks = (set.Level is OutboundTls.May or OutboundTls.Encrypt || set.OrDane) && outbound.Dane || set.Level is OutboundTls.Dane or OutboundTls.DaneOnly;
        // Who gets a password proves who he is, whatever the message's own wish (RFC 8689 section 3 is about the message).
        bool listens = wish != TlsWish.Optional || question.Hop is NextHop.Host { Login: not null };
        if (asks)
        {
            (TlsDemand? dane, SmtpReply? fault) = await FindDaneAsync(question, plain, set, cancel);
            if (listens && fault is not null) return (dane, fault);
            if (listens && dane is not null && (!set.OrDane || dane.IsVerified) && (wish != TlsWish.Required || dane.IsVerified)) return (dane with { MustPromise = wish == TlsWish.Required }, null);
            if (listens && set.Level == OutboundTls.DaneOnly) return (null, new(450, "4.7.5", $"DANE is demanded, and {name} has no TLSA records that are proved by DNSSEC"));
        }
        if (set.Level == OutboundTls.DaneOnly) plain = plain with { Level = OutboundTls.Encrypt };
        StsFinding found = question.Hop is NextHop.Mx && outbound.Sts && sts is not null && !question.Domain.IsAddressLiteral && plain.Level is OutboundTls.May or OutboundTls.Encrypt
            ? await sts.FindAsync(question.Domain, cancel) : StsFinding.None;
        if (wish == TlsWish.Required) return Strict(question, plain, found);
        if (!listens) return (plain, null);
        return WithSts(question, plain, found);
    }

    /// <summary>On this host nobody stands in between.</summary>
    public static bool IsHere(EndPoint place) => place is UnixDomainSocketEndPoint || place is IPEndPoint { Address: var address } && OwnAddresses.IsThisHost(address);

    // RFC 4954 section 14: who is to get a password proves who he is, unless the administrator says otherwise.
    private static TlsPolicy PolicyOf(TlsQuestion question, OutboundOptions outbound)
    {
        TlsPolicy general = question.Hop is NextHop.Lmtp ? OutboundTls.None : outbound.Tls;
        if (question.Hop is not NextHop.Host { Login: not null }) return question.Hop.Tls ?? general;
        bool isHere = question.Host.EndPoints.Count > 0 && question.Host.EndPoints.All(IsHere);
        return question.Hop.Tls switch
        {
            { OrDane: true, Names.Count: 0 } own when isHere => general with { OnlyTls13 = own.OnlyTls13 },
            { } own => own,
            null when isHere || general.Level is OutboundTls.Verify or OutboundTls.Fingerprint or OutboundTls.DaneOnly => general,
            null => new(OutboundTls.Verify) { OrDane = true, OnlyTls13 = general.OnlyTls13 },
        };
    }

    private static bool Countable(TlsQuestion question) => question.Hop is NextHop.Mx && !question.Domain.IsAddressLiteral;

    private static (TlsDemand?, SmtpReply?) WithSts(TlsQuestion question, TlsDemand plain, StsFinding found)
    {
        plain = plain with { PolicyTrouble = found.Trouble };
        if (found.Policy is not { Mode: not StsMode.None } policy) return (plain, null);
        AppliedPolicy applied = new(TlsPolicyKind.Sts, question.Domain.Ascii, policy.Lines, policy.Mx);
        bool allowed = policy.Allows(question.Host.Name);
        TlsTrouble? notNamed = allowed ? null : new(TlsResult.ValidationFailure, $"the policy does not name {question.Host.Name}");
        if (policy.Mode == StsMode.Testing) return (plain with { IsTesting = true, Policy = applied, PolicyTrouble = found.Trouble ?? notNamed }, null);
        TlsDemand demand = plain with { Level = OutboundTls.Verify, Names = [question.Host.Name], Policy = applied };
        return allowed ? (demand, null) : (demand with { PolicyTrouble = notNamed }, new(450, "4.7.5", $"{question.Domain.Ascii} says by MTA-STS that {question.Host.Name} is none of its servers"));
    }

    // RFC 8689 section 4.2.1: the host is known for sure, and its certificate is good for it.
    private static (TlsDemand?, SmtpReply?) Strict(TlsQuestion question, TlsDemand plain, StsFinding found)
    {
        TlsDemand strict = plain with { MustPromise = true, Level = plain.Level == OutboundTls.Fingerprint ? OutboundTls.Fingerprint : OutboundTls.Verify };
        bool known = question.IsSecure || found.Policy is { Mode: not StsMode.None } policy && policy.Allows(question.Host.Name);
        return known ? (strict, null) : (null, new(550, "5.7.10", $"The message demands TLS, and that {question.Host.Name} is a server of {question.Domain.Ascii} is proved neither by DNSSEC nor by MTA-STS"));
    }

    // RFC 7672 section 2.2.2. Null when DANE says nothing of the host.
    private async ValueTask<(TlsDemand?, SmtpReply?)> FindDaneAsync(TlsQuestion question, TlsDemand plain, TlsPolicy set, CancellationToken cancel)
    {
        MailHost host = question.Host;
        if (!dns.CanValidate || !question.IsSecure || IPAddress.TryParse(plain.ServerName, out _) || question.Domain.IsAddressLiteral && question.Hop is NextHop.Mx) return (null, null);
        List<string> bases = [];
        if (host.IsSecure) bases = host.CanonicalName is { } canonical ? [canonical, host.Name] : [host.Name];
        else if (host.CanonicalName is not null && await dns.IsSecureAliasAsync(host.Name, cancel)) bases = [host.Name];
        foreach (string name in bases)
        {
            TlsaAnswer answer = await dns.FindTlsaAsync($"_{question.Port}._tcp.{name}", cancel);
            if (answer.Status == DnsStatus.Failed)
            {
                // Bogus or no answer: an attacker may be hiding the records, so that the mail waits.
                return (Dane(OutboundTls.Encrypt, question, plain, name, []) with { PolicyTrouble = new(TlsResult.DnssecInvalid, "the TLSA records could not be had") },
                    new(450, "4.7.5", $"The TLSA records of {name} could not be looked up, or contradict their signature"));
            }
            if (answer.Status != DnsStatus.Found || !answer.IsSecure) continue;
            bool usable = answer.Records.Any(record => record.IsUsable);
            if (!usable && set.Level == OutboundTls.DaneOnly) return (null, new(450, "4.7.5", $"DANE is demanded, and no TLSA record of {name} can be used"));
            TlsDemand demand = Dane(usable ? OutboundTls.Dane : OutboundTls.Encrypt, question, plain, name, answer.Records);
            return (usable ? demand : demand with { PolicyTrouble = new(TlsResult.TlsaInvalid, "no TLSA record can be used") }, null);
        }
        return (null, null);
    }

    private static TlsDemand Dane(OutboundTls level, TlsQuestion question, TlsDemand plain, string tlsaBase, IReadOnlyList<TlsaRecord> records) => plain with
    {
        Level = level,
        ServerName = tlsaBase,
        // RFC 7672 section 3.2.2: the TLSA base domain, and the next-hop domain before and after aliases.
        Names = question.Hop is NextHop.Mx ? [.. new[] { tlsaBase, question.Host.Name, question.Domain.Ascii }.Distinct(StringComparer.OrdinalIgnoreCase)] : [.. new[] { tlsaBase, question.Host.Name }.Distinct(StringComparer.OrdinalIgnoreCase)],
        Records = records,
        Policy = plain.Policy is null ? null : new(TlsPolicyKind.Tlsa, question.Domain.Ascii, [.. records.Select(record => record.ToString())], [question.Host.Name]),
    };
}
