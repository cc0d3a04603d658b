using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Posthorn.Testing;

/// <summary>A certificate authority of a test's own, with what it issues.</summary>
public sealed class TestAuthority : IDisposable
{
    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private byte _serial = 1;

    /// <param name="name">Its name.</param>
    /// <param name="parent">Who vouches for it; null for itself.</param>
    /// <param name="end">When its certificate ends; far away when not given.</param>
    public TestAuthority(string name = "Test authority", TestAuthority? parent = null, DateTimeOffset? end = null)
    {
        CertificateRequest request = new($"CN={name}", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        Certificate = parent is null ? request.CreateSelfSigned(From, end ?? From.AddYears(100)) : request.Create(parent.Certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(parent._key), From, end ?? From.AddYears(99), [9, 9, 9, ++parent._serial]);
        if (parent is not null) Certificate = Certificate.CopyWithPrivateKey(_key);
    }

    public X509Certificate2 Certificate { get; }

    /// <summary>A server's certificate for these names.</summary>
    public X509Certificate2 Issue(params string[] names) => Issue(From.AddYears(99), names);

    /// <summary>One that says where its issuer's own certificate can be fetched.</summary>
    public X509Certificate2 IssueWithIssuerAt(Uri place, params string[] names) => Issue(From.AddYears(99), names, place);

    /// <summary>One that ends at a time.</summary>
    public X509Certificate2 Issue(DateTimeOffset end, params string[] names) => Issue(end, names, null);

    private X509Certificate2 Issue(DateTimeOffset end, string[] names, Uri? issuerAt)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={names[0]}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder alternatives = new();
        foreach (string name in names) alternatives.AddDnsName(name);
        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Certificate, true, false));
        if (issuerAt is not null) request.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension(null, [issuerAt.AbsoluteUri]));
        using X509Certificate2 bare = request.Create(Certificate, From, end, [1, 2, 3, ++_serial]);
        using X509Certificate2 made = bare.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }

    public void Dispose() => _key.Dispose();
}
