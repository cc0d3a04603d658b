using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Testing;
using Posthorn.Trust.Certificates;
using Posthorn.Trust.Dane;

namespace Posthorn.Trust.Tests;

/// <summary>RFC 7671 and RFC 7672 section 3, record by record.</summary>
public sealed class DaneCheckTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 3, 4, 0, 0, 0, TimeSpan.Zero);
    private readonly TestAuthority _authority = new(), _other = new("Another");

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    public void The_servers_own_certificate_or_key_is_met_whatever_its_name_and_date(byte selector, byte matching)
    {
        using X509Certificate2 leaf = _authority.Issue(Now.AddYears(-1), "elsewhere.example");
        Assert.Null(DaneCheck.Verify([Record(3, selector, matching, leaf)], leaf, [], ["mx.example.com"], Now));
        using X509Certificate2 another = _authority.Issue("mx.example.com");
        Assert.NotNull(DaneCheck.Verify([Record(3, selector, matching, leaf)], another, [], ["mx.example.com"], Now));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    public void An_anchor_is_met_by_what_it_has_issued_for_the_name(byte selector, byte matching)
    {
        TlsaRecord record = Record(2, selector, matching, _authority.Certificate);
        using X509Certificate2 leaf = _authority.Issue("mx.example.com"), misnamed = _authority.Issue("mx.example.net"), expired = _authority.Issue(Now.AddDays(-1), "mx.example.com"), foreign = _other.Issue("mx.example.com");
        Assert.Null(DaneCheck.Verify([record], leaf, [_authority.Certificate], ["mx.example.com", "example.com"], Now));
        Assert.Equal(CertificateFaultKind.HostMismatch, DaneCheck.Verify([record], misnamed, [_authority.Certificate], ["mx.example.com"], Now)!.Kind);
        Assert.Equal(CertificateFaultKind.Expired, DaneCheck.Verify([record], expired, [_authority.Certificate], ["mx.example.com"], Now)!.Kind);
        Assert.Equal(CertificateFaultKind.NotTrusted, DaneCheck.Verify([record], foreign, [_authority.Certificate, _other.Certificate], ["mx.example.com"], Now)!.Kind);
        // A record with the whole certificate stands in for one that the server does not send; a digest cannot.
        Assert.Equal(matching == 0, DaneCheck.Verify([record], leaf, [], ["mx.example.com"], Now) is null);
    }

    /// <summary>The path ends at the certificate that the record names (RFC 6698 section 2.1.1, usage 2).</summary>
    [Fact]
    public void What_stands_above_an_anchor_says_nothing()
    {
        using TestAuthority root = new("Old root", end: Now.AddYears(-1)), between = new("Intermediate", root);
        using X509Certificate2 leaf = between.Issue("mx.example.com"), old = between.Issue(Now.AddDays(-1), "mx.example.com");
        Assert.Null(DaneCheck.Verify([Record(2, 0, 1, between.Certificate)], leaf, [between.Certificate], ["mx.example.com"], Now));
        Assert.Null(DaneCheck.Verify([Record(2, 0, 1, between.Certificate)], leaf, [between.Certificate, root.Certificate], ["mx.example.com"], Now));
        Assert.Equal(CertificateFaultKind.Expired, DaneCheck.Verify([Record(2, 0, 1, between.Certificate)], old, [between.Certificate, root.Certificate], ["mx.example.com"], Now)!.Kind);
        Assert.Equal(CertificateFaultKind.Expired, DaneCheck.Verify([Record(2, 0, 1, root.Certificate)], leaf, [between.Certificate, root.Certificate], ["mx.example.com"], Now)!.Kind);
    }

    [Fact]
    public void A_forged_issuer_does_not_make_an_anchor()
    {
        using TestAuthority liar = new("Test authority"); // the same name, another key
        using X509Certificate2 leaf = liar.Issue("mx.example.com");
        Assert.NotNull(DaneCheck.Verify([Record(2, 0, 1, _authority.Certificate)], leaf, [_authority.Certificate, liar.Certificate], ["mx.example.com"], Now));
    }

    [Theory]
    [InlineData(0, 0, 1, 32, false)]
    [InlineData(1, 1, 1, 32, false)]
    [InlineData(3, 1, 1, 31, false)]
    [InlineData(3, 2, 1, 32, false)]
    [InlineData(3, 1, 3, 32, false)]
    [InlineData(2, 0, 2, 64, true)]
    [InlineData(3, 1, 0, 0, false)]
    public void What_smtp_can_use(byte usage, byte selector, byte matching, int length, bool usable) =>
        Assert.Equal(usable, new TlsaRecord(usage, selector, matching, new byte[length]).IsUsable);

    [Fact]
    public void The_strongest_digest_counts()
    {
        using X509Certificate2 leaf = _authority.Issue("mx.example.com");
        TlsaRecord wrong = new(3, 1, 2, new byte[64]);
        Assert.NotNull(DaneCheck.Verify([Record(3, 1, 1, leaf), wrong], leaf, [], [], Now));
        Assert.Equal("3 1 1 " + Convert.ToHexString(SHA256.HashData(leaf.PublicKey.ExportSubjectPublicKeyInfo())), Record(3, 1, 1, leaf).ToString());
    }

    public void Dispose()
    {
        _authority.Dispose();
        _other.Dispose();
    }

    private static TlsaRecord Record(byte usage, byte selector, byte matching, X509Certificate2 certificate)
    {
        byte[] data = selector == 0 ? certificate.RawData : certificate.PublicKey.ExportSubjectPublicKeyInfo();
        return new(usage, selector, matching, matching switch { 1 => SHA256.HashData(data), 2 => SHA512.HashData(data), _ => data });
    }
}
