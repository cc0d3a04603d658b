using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Posthorn.Testing;

/// <summary>Self-signed certificates for tests.</summary>
public static class TestCertificate
{
    private static readonly Lazy<X509Certificate2> Common = new(() => Create("mx.example.org"));

    /// <summary>One for <c>mx.example.org</c> and <c>localhost</c>, made once.</summary>
    public static X509Certificate2 Shared => Common.Value;

    /// <summary>A new one for a name, <c>localhost</c> and 127.0.0.1.</summary>
    public static X509Certificate2 Create(string name)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(name);
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        // A wide span that needs no clock.
        DateTimeOffset from = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
        using X509Certificate2 made = request.CreateSelfSigned(from, from.AddYears(100));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>Writes certificate and key as PEM files into a folder; their paths.</summary>
    public static (string Certificate, string Key) WritePem(X509Certificate2 certificate, string folder)
    {
        string cert = Path.Combine(folder, "cert.pem"), key = Path.Combine(folder, "key.pem");
        File.WriteAllText(cert, certificate.ExportCertificatePem());
        using ECDsa? ec = certificate.GetECDsaPrivateKey();
        File.WriteAllText(key, ec!.ExportPkcs8PrivateKeyPem());
        return (cert, key);
    }
}
