namespace Posthorn.Transport;

/// <summary>What is demanded of TLS on the way out.</summary>
public enum OutboundTls
{
    /// <summary>Never.</summary>
    None,
    /// <summary>When offered, unverified; clear text when the handshake fails (RFC 7435). A domain that asks for more by DANE or MTA-STS gets it.</summary>
    May,
    /// <summary>Always, unverified. DANE and MTA-STS count here too.</summary>
    Encrypt,
    /// <summary>Always, with a certificate from a trusted authority for the name of the host.</summary>
    Verify,
    /// <summary>Always, with a certificate or key of which the fingerprint is known.</summary>
    Fingerprint,
    /// <summary>As <see cref="May"/>, and by DANE whatever the general setting says.</summary>
    Dane,
    /// <summary>Always, by DANE; without TLSA records mail waits.</summary>
    DaneOnly,
}

/// <summary>What is demanded of TLS for a destination.</summary>
public sealed record TlsPolicy(OutboundTls Level)
{
    /// <summary>SHA-256 of certificates or public keys, 64 hexadecimal digits each.</summary>
    public IReadOnlyList<string> Fingerprints { get; init; } = [];

    /// <summary>The names of which one must stand in the certificate; empty is the host's own.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>Where DANE says how the server is known, that counts instead.</summary>
    public bool OrDane { get; init; }

    /// <summary>TLS 1.2 is not enough.</summary>
    public bool OnlyTls13 { get; init; }

    public static implicit operator TlsPolicy(OutboundTls level) => FromOutboundTls(level);

    public static TlsPolicy FromOutboundTls(OutboundTls level) => new(level);
}
