using System.Net;
using Posthorn.Core;
using Posthorn.Directory;

namespace Posthorn.Transport.Accept;

/// <summary>
/// Whose mail is ours: the hosted domains, and our own addresses as literals (RFC 5321 section 4.1.3), which stand for the default domain.
/// So do the duty addresses of our own name, from which reports come and of which others ask (RFC 3464 section 2, RFC 3461 section 9.3).
/// </summary>
internal sealed class LocalDomains(IDirectory directory, TransportOptions options, DateTimeOffset now)
{
    /// <summary>The address as the directory knows it.</summary>
    public static EmailAddress Normalise(EmailAddress address, IDirectory directory, TransportOptions options)
    {
        bool stands = address.Domain.IsAddressLiteral ? IsOwn(address.Domain, options)
            : address.Domain.Ascii.Equals(options.Hostname, StringComparison.OrdinalIgnoreCase) && DutyAddresses.Contains(address.LocalPart) && !directory.IsLocalDomain(address.Domain);
        return stands && EmailAddress.TryCreate(address.LocalPart, directory.DefaultDomain, out EmailAddress named) ? named : address;
    }

    /// <summary>Whom mail for this address goes to; an address that we made for a sender leads back to that sender.</summary>
    public Resolution Resolve(EmailAddress address)
    {
        EmailAddress normal = Normalise(address, directory, options);
        if (options.SenderRewriting is not { } rewriting || new SenderRewriting(rewriting) is not { } scheme || !scheme.IsOurs(normal)) return directory.Resolve(normal);
        if (!scheme.TryReverse(normal, now, out EmailAddress original)) return new Resolution.Unknown();
        return directory.IsLocalDomain(original.Domain) ? directory.Resolve(original) : new Resolution.Recipients([new Target.Remote(original)]);
    }

    private static bool IsOwn(DomainName literal, TransportOptions options)
    {
        ReadOnlySpan<char> inner = literal.Ascii.AsSpan(1, literal.Ascii.Length - 2);
        if (inner.StartsWith("IPv6:", StringComparison.OrdinalIgnoreCase)) inner = inner[5..];
        if (!IPAddress.TryParse(inner, out IPAddress? address)) return false;
        foreach (IPEndPoint endPoint in options.OwnEndPoints)
            if (endPoint.Address.Equals(address)) return true;
        return false;
    }
}
