using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Posthorn.Trust.Certificates;

/// <summary>Checks a server's certificate by the authorities that the system trusts, and further ones that the administrator names (RFC 8461 section 4.2).</summary>
public static class CertificateCheck
{
    /// <summary>Null when it is good for one of the names.</summary>
    /// <param name="leaf">The server's certificate.</param>
    /// <param name="chain">The path that the system found, with what the server sent in its extra store.</param>
    /// <param name="errors">What the system says of it.</param>
    /// <param name="names">The names that count; a certificate names them in its subject alternative names.</param>
    /// <param name="authorities">Trusted beside the system's.</param>
    public static CertificateFault? Verify(X509Certificate2 leaf, X509Chain? chain, SslPolicyErrors errors, IReadOnlyList<string> names, X509Certificate2Collection authorities)
    {
        if (chain is null) return new(CertificateFaultKind.ValidationFailure, "the server showed no certificate");
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors) && !LeadsTo(leaf, chain, authorities)) return FaultOf(chain.ChainStatus);
        if (names.Any(name => leaf.MatchesHostname(name, allowWildcards: true, allowCommonName: false))) return null;
        return new(CertificateFaultKind.HostMismatch, $"the certificate is not for {string.Join(" or ", names)}, but for {NamesOf(leaf)}");
    }

    /// <summary>True when the SHA-256 of the certificate, or of its public key, is among these.</summary>
    public static bool HasFingerprint(X509Certificate2 certificate, IReadOnlyList<string> fingerprints)
    {
        string whole = Convert.ToHexString(SHA256.HashData(certificate.RawData)), key = Convert.ToHexString(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
        return fingerprints.Any(fingerprint => Plain(fingerprint) is { } plain && (plain == whole || plain == key));
    }

    /// <summary>A fingerprint as 64 digits of upper case, however it was written; null when it is none.</summary>
    public static string? Plain(string fingerprint)
    {
        string digits = fingerprint.Replace(":", "", StringComparison.Ordinal).ToUpperInvariant();
        return digits.Length == 64 && digits.All(char.IsAsciiHexDigit) ? digits : null;
    }

    internal static CertificateFault FaultOf(IReadOnlyList<X509ChainStatus> status)
    {
        X509ChainStatus worst = status.FirstOrDefault(one => one.Status != X509ChainStatusFlags.NoError);
        CertificateFaultKind kind = worst.Status switch
        {
            X509ChainStatusFlags.NotTimeValid => CertificateFaultKind.Expired,
            X509ChainStatusFlags.UntrustedRoot or X509ChainStatusFlags.PartialChain or X509ChainStatusFlags.NotSignatureValid or X509ChainStatusFlags.HasNotPermittedNameConstraint => CertificateFaultKind.NotTrusted,
            _ => CertificateFaultKind.ValidationFailure,
        };
        string text = string.IsNullOrEmpty(worst.StatusInformation) ? worst.Status.ToString() : worst.StatusInformation.Trim();
        return new(kind, $"the certificate is not valid: {text}");
    }

    private static bool LeadsTo(X509Certificate2 leaf, X509Chain seen, X509Certificate2Collection authorities)
    {
        if (authorities.Count == 0) return false;
        using X509Chain own = new();
        own.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        own.ChainPolicy.CustomTrustStore.AddRange(authorities);
        own.ChainPolicy.ExtraStore.AddRange(seen.ChainPolicy.ExtraStore);
        own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        own.ChainPolicy.DisableCertificateDownloads = true;
        own.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1"));
        return own.Build(leaf);
    }

    private static string NamesOf(X509Certificate2 certificate)
    {
        string[] names = [.. certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(extension => extension.EnumerateDnsNames()).Take(5)];
        return names.Length > 0 ? string.Join(", ", names) : "no name of the DNS";
    }
}
