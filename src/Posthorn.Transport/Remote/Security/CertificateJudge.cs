using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Trust.Certificates;
using Posthorn.Trust.Dane;

namespace Posthorn.Transport.Remote.Security;

/// <summary>Judges the certificate of one handshake by what is demanded, and remembers what was wrong.</summary>
internal sealed class CertificateJudge(TlsDemand demand, X509Certificate2Collection authorities, TimeProvider time)
{
    /// <summary>What was wrong with the certificate, whether or not that ended the handshake.</summary>
    public CertificateFault? Fault { get; private set; }

    public SslClientAuthenticationOptions Options() => new()
    {
        TargetHost = demand.ServerName,
        EnabledSslProtocols = demand.OnlyTls13 ? SslProtocols.Tls13 : SslProtocols.Tls12 | SslProtocols.Tls13,
        RemoteCertificateValidationCallback = Accepts,
        CertificateChainPolicy = ChainPolicies.WithoutDownloads(),
        // A session that is taken up again shows no chain; where the chain counts every handshake is a whole one.
        AllowTlsResume = !demand.IsVerified && !demand.IsTesting,
    };

    private bool Accepts(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (!demand.IsVerified && !demand.IsTesting) return true; // nothing to verify against (RFC 7435): a wrong certificate still beats clear text
        Fault = certificate is X509Certificate2 leaf ? Judge(leaf, chain, errors) : new(CertificateFaultKind.ValidationFailure, "the server showed no certificate");
        return Fault is null || !demand.IsVerified;
    }

    private CertificateFault? Judge(X509Certificate2 leaf, X509Chain? chain, SslPolicyErrors errors) => demand.Level switch
    {
        OutboundTls.Dane => DaneCheck.Verify(demand.Records, leaf, [.. (chain?.ChainPolicy.ExtraStore ?? []).Union(chain?.ChainElements.Select(element => element.Certificate) ?? [])], demand.Names, time.GetUtcNow()),
        OutboundTls.Fingerprint => CertificateCheck.HasFingerprint(leaf, demand.Fingerprints) ? null : new(CertificateFaultKind.NotTrusted, "the certificate has none of the known fingerprints"),
        _ => CertificateCheck.Verify(leaf, chain, errors, demand.Names, authorities),
    };
}
