using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Core;

namespace Posthorn.Setup;

/// <summary>Makes a certificate that no authority vouches for: usable at once, to be replaced by a real one.</summary>
internal static class SelfSignedCertificate
{
    /// <summary>Ten years: it is pinned or accepted by hand, and nobody should have to do that twice.</summary>
    private const int Days = 3650;

    /// <summary>Writes an ECDSA P-256 certificate for the host and its key (mode 0600), PEM.</summary>
    public static void Write(string certificatePath, string keyPath, DomainName host, TimeProvider time)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={host}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(host.Ascii);
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new("1.3.6.1.5.5.7.3.1")], critical: false));
        DateTimeOffset now = time.GetUtcNow();
        using X509Certificate2 certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(Days));
        PrivateFile.Write(keyPath, key.ExportPkcs8PrivateKeyPem() + "\n");
        File.WriteAllText(certificatePath, certificate.ExportCertificatePem() + "\n");
    }
}
