using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Trust.Certificates;

namespace Posthorn.Trust.Dane;

/// <summary>Compares what a server showed with what its domain says in TLSA records (RFC 7671 section 5, RFC 7672 section 3).</summary>
public static class DaneCheck
{
    private const X509ChainStatusFlags Untrusted = X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain;

    /// <summary>Null when a record is met; else what is wrong.</summary>
    /// <param name="records">The records, of which those that are of no use to SMTP count for nothing.</param>
    /// <param name="leaf">The server's certificate.</param>
    /// <param name="sent">What it sent beside it.</param>
    /// <param name="names">The names under which it may be known, for usage 2 (RFC 7672 section 3.2.2).</param>
    /// <param name="now">The time.</param>
    public static CertificateFault? Verify(IReadOnlyList<TlsaRecord> records, X509Certificate2 leaf, IReadOnlyList<X509Certificate2> sent, IReadOnlyList<string> names, DateTimeOffset now)
    {
        List<TlsaRecord> usable = Strongest(records);
        // RFC 7672 section 3.1.1: with usage 3 neither name nor date counts, only the key.
        if (usable.Exists(record => record.Usage == TlsaRecord.EndEntity && Matches(record, leaf))) return null;
        List<TlsaRecord> anchors = usable.FindAll(record => record.Usage == TlsaRecord.TrustAnchor);
        if (anchors.Count == 0) return new(CertificateFaultKind.ValidationFailure, "the certificate is none of those that the domain's TLSA records name");
        return VerifyAnchors(anchors, leaf, sent, names, now);
    }

    private static CertificateFault? VerifyAnchors(List<TlsaRecord> anchors, X509Certificate2 leaf, IReadOnlyList<X509Certificate2> sent, IReadOnlyList<string> names, DateTimeOffset now)
    {
        List<X509Certificate2> extra = [.. sent];
        // A record may hold the whole certificate, which the server then need not send.
        foreach (TlsaRecord record in anchors)
            if (record is { Selector: 0, MatchingType: 0 } && TryLoad(record.Data) is { } whole) extra.Add(whole);
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = now.UtcDateTime;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1"));
        // Who signed whom is what counts; whether the end of the path is trusted the TLSA record says, and not the system.
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
        chain.ChainPolicy.ExtraStore.AddRange(extra.ToArray());
        chain.Build(leaf);
        int anchor = leaf.SubjectName.RawData.AsSpan().SequenceEqual(leaf.IssuerName.RawData) ? 0 : 1;
        while (anchor < chain.ChainElements.Count && !anchors.Exists(record => Matches(record, chain.ChainElements[anchor].Certificate))) anchor++;
        if (anchor >= chain.ChainElements.Count) return new(CertificateFaultKind.NotTrusted, "the certificate does not lead to one that the domain's TLSA records name");
        // The path ends at the anchor (RFC 6698 section 2.1.1): what the server sends above it says nothing.
        List<X509ChainStatus> faults = [.. chain.ChainElements.Take(anchor + 1).SelectMany(element => element.ChainElementStatus).Where(status => (status.Status & ~Untrusted) != 0)];
        if (faults.Count > 0) return CertificateCheck.FaultOf(faults);
        return names.Any(name => leaf.MatchesHostname(name, allowWildcards: true, allowCommonName: false)) ? null
            : new(CertificateFaultKind.HostMismatch, $"the certificate is not for {string.Join(" or ", names)}");
    }

    // RFC 7671 section 9: of several digests of one kind only the strongest counts.
    private static List<TlsaRecord> Strongest(IReadOnlyList<TlsaRecord> records)
    {
        List<TlsaRecord> usable = [.. records.Where(record => record.IsUsable)];
        usable.RemoveAll(weak => weak.MatchingType == 1 && usable.Exists(strong => strong.MatchingType == 2 && strong.Usage == weak.Usage && strong.Selector == weak.Selector));
        return usable;
    }

    private static bool Matches(TlsaRecord record, X509Certificate2 certificate)
    {
        ReadOnlySpan<byte> selected = record.Selector == 0 ? certificate.RawData : certificate.PublicKey.ExportSubjectPublicKeyInfo();
        ReadOnlySpan<byte> found = record.MatchingType switch { 0 => selected, 1 => SHA256.HashData(selected), _ => SHA512.HashData(selected) };
        return found.SequenceEqual(record.Data.Span);
    }

    private static X509Certificate2? TryLoad(ReadOnlyMemory<byte> der)
    {
        try { return X509CertificateLoader.LoadCertificate(der.Span); }
        catch (CryptographicException) { return null; }
    }
}
