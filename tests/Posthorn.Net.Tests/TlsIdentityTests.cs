using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Testing;

namespace Posthorn.Net.Tests;

/// <summary>A certificate is watched while the server runs: its end is told beforehand and when it comes, once each.</summary>
public sealed class TlsIdentityTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(Start);
    private readonly Words _log = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Its_end_is_told_beforehand_and_when_it_comes()
    {
        (string certificate, string key) = Write(Start.AddDays(20));
        using TlsIdentity identity = TlsIdentity.Load(certificate, key, _time, _log);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Empty(_log.Said);
        _time.Advance(TimeSpan.FromDays(7));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.StartsWith($"Warning certificate-ends {certificate}", Assert.Single(_log.Said), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromDays(14));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.StartsWith($"Warning certificate-ended {certificate}", Assert.Single(_log.Said[1..]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_renewal_begins_anew()
    {
        (string certificate, string key) = Write(Start.AddDays(-1));
        using TlsIdentity identity = TlsIdentity.Load(certificate, key, _time, _log);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.StartsWith("Warning certificate-ended", Assert.Single(_log.Said), StringComparison.Ordinal);
        Write(Start.AddDays(-2));
        File.SetLastWriteTimeUtc(certificate, DateTime.UnixEpoch.AddYears(40));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(["Information certificate-reloaded", "Warning certificate-ended"], _log.Said[1..].Select(said => said[..said.IndexOf(" /", StringComparison.Ordinal)]));
    }

    [Theory]
    [InlineData("mail.example.org", true)]
    [InlineData("MAIL.example.org", true)]
    [InlineData("imap.example.net", true)]
    [InlineData("other.example.org", false)]
    [InlineData("a.imap.example.net", false)]
    [InlineData("[192.0.2.1]", false)]
    [InlineData("[IPv6:2001:db8::1]", false)]
    public void It_is_for_the_names_that_it_bears(string host, bool isFor)
    {
        (string certificate, string key) = Write(Start.AddDays(20));
        using TlsIdentity identity = TlsIdentity.Load(certificate, key, _time, _log);
        Assert.Equal(isFor, identity.IsFor(host));
    }

    private (string Certificate, string Key) Write(DateTimeOffset end)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=mail.example.org", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("mail.example.org");
        names.AddDnsName("*.example.net");
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = request.CreateSelfSigned(Start.AddDays(-30), end);
        return (_folder.Write("certificate.pem", certificate.ExportCertificatePem()), _folder.Write("key.pem", key.ExportPkcs8PrivateKeyPem()));
    }

    private sealed class Words : ILogger
    {
        public List<string> Said { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Said.Add($"{logLevel} {formatter(state, exception)}");
    }
}
