namespace Posthorn.Trust.Dane;

/// <summary>What a domain says in the DNS about the certificate of one of its servers (RFC 6698 section 2).</summary>
/// <param name="Usage">2: a certificate that the server's leads to (DANE-TA); 3: the server's own (DANE-EE). Others say nothing to SMTP.</param>
/// <param name="Selector">0: the whole certificate; 1: its public key.</param>
/// <param name="MatchingType">0: all octets; 1: their SHA-256; 2: their SHA-512.</param>
/// <param name="Data">What must be met.</param>
public sealed record TlsaRecord(byte Usage, byte Selector, byte MatchingType, ReadOnlyMemory<byte> Data)
{
    public const byte TrustAnchor = 2, EndEntity = 3;

    /// <summary>It can be used by SMTP (RFC 7672 section 3.1): a known kind, and data that can be met.</summary>
    public bool IsUsable => Usage is TrustAnchor or EndEntity && Selector is 0 or 1 && MatchingType switch
    {
        0 => Data.Length > 0,
        1 => Data.Length == 32,
        2 => Data.Length == 64,
        _ => false,
    };

    /// <summary>As zone files and reports write it (RFC 6698 section 2.2).</summary>
    public override string ToString() => $"{Usage} {Selector} {MatchingType} {Convert.ToHexString(Data.Span)}";
}
