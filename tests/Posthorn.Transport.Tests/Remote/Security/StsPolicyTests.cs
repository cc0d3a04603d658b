using System.IO.Compression;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Remote.Security;
using Posthorn.Transport.Tests.Fakes;
using Posthorn.Trust.Dane;
using Posthorn.Trust.Sts;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Transport.Tests.Remote.Security;

/// <summary>MTA-STS (RFC 8461) and reports (RFC 8460) on the way out.</summary>
public sealed class StsPolicyTests : IDisposable
{
    private const string Enforce = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 604800\r\n";
    private readonly TestAuthority _authority = new();
    private readonly FakeHttps _https = new();

    private OutboundRig Rig() => new(options => options with { Outbound = options.Outbound with { Authorities = [_authority.Certificate] } }, _https);

    [Theory]
    [InlineData("enforce", "mx.example.com", "mx.example.com", true, true, "")]
    [InlineData("enforce", "mx.example.com", "else.example.com", true, false, "certificate-host-mismatch")]
    [InlineData("enforce", "other.example.com", "mx.example.com", true, false, "validation-failure")]
    [InlineData("enforce", "*.example.com", "mx.example.com", false, false, "starttls-not-supported")]
    [InlineData("testing", "mx.example.com", "else.example.com", true, true, "certificate-host-mismatch")]
    [InlineData("testing", "other.example.com", "mx.example.com", true, true, "validation-failure")]
    [InlineData("testing", "mx.example.com", "mx.example.com", false, true, "starttls-not-supported")]
    [InlineData("none", "mx.example.com", "else.example.com", true, true, "")]
    public async Task What_policies_demand(string mode, string pattern, string name, bool tls, bool arrives, string failure)
    {
        await using OutboundRig rig = Rig();
        using X509Certificate2 shown = _authority.Issue(name);
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = tls ? shown : null });
        rig.Dns.Texts["_mta-sts.example.com"] = ["v=STSv1; id=1"];
        _https.Policy("example.com", $"version: STSv1\nmode: {mode}\nmx: {pattern}\nmax_age: 86400\n");
        await rig.SendAsync("far@example.com");
        if (arrives) await rig.UntilEmptyAsync();
        else await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(arrives ? 1 : 0, peer.Messages.Count);
        PolicySummary counted = Assert.Single(rig.Tally.Of(new(2026, 3, 4), "example.com"));
        Assert.Equal(mode == "none" ? TlsPolicyKind.NoPolicy : TlsPolicyKind.Sts, counted.Policy.Kind);
        Assert.Equal(failure, counted.Details.Count == 0 ? "" : Assert.Single(counted.Details).ResultType);
        Assert.Equal(failure.Length == 0 ? 1 : 0, counted.Successes);
    }

    [Fact]
    public async Task An_unknown_authority_is_not_trusted_and_an_expired_certificate_neither()
    {
        await using OutboundRig rig = Rig();
        using TestAuthority stranger = new("Stranger");
        using X509Certificate2 foreign = stranger.Issue("mx.example.com"), old = _authority.Issue(new DateTimeOffset(2021, 1, 1, 0, 0, 0, TimeSpan.Zero), "mx.example.net");
        rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = foreign });
        rig.AddPeer("203.0.113.2", "example.net", new() { Certificate = old });
        foreach (string domain in (string[])["example.com", "example.net"])
        {
            rig.Dns.Texts[$"_mta-sts.{domain}"] = ["v=STSv1; id=1"];
            _https.Policy(domain, $"version: STSv1\nmode: enforce\nmx: mx.{domain}\nmax_age: 86400\n");
        }
        await rig.SendAsync("far@example.com");
        await rig.SendAsync("far@example.net");
        await rig.UntilWaitingAsync(2, 1);
        Assert.Equal("certificate-not-trusted", Assert.Single(Assert.Single(rig.Tally.Of(new(2026, 3, 4), "example.com")).Details).ResultType);
        Assert.Equal("certificate-expired", Assert.Single(Assert.Single(rig.Tally.Of(new(2026, 3, 4), "example.net")).Details).ResultType);
    }

    [Fact]
    public async Task Dane_goes_before_mta_sts()
    {
        await using OutboundRig rig = Rig();
        using X509Certificate2 shown = _authority.Issue("mx.example.com");
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = shown });
        rig.Dns.Texts["_mta-sts.example.com"] = ["v=STSv1; id=1"];
        _https.Policy("example.com", Enforce);
        rig.Dns.Tlsa["_25._tcp.mx.example.com"] = [new(3, 1, 1, new byte[32])];
        rig.Dns.Secure.UnionWith(["example.com", "mx.example.com", "_25._tcp.mx.example.com"]);
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Empty(peer.Messages);
        rig.Dns.Tlsa["_25._tcp.mx.example.com"] = [new(3, 0, 1, SHA256.HashData(shown.RawData))];
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(8));
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);
    }

    [Fact]
    public async Task A_policy_is_kept_on_disk_refreshed_and_outlives_its_record_and_web_server()
    {
        using TemporaryFolder folder = new();
        FakeDns dns = new() { Texts = { ["_mta-sts.example.com"] = ["v=STSv1; id=1"] } };
        Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new(new(2026, 3, 4, 0, 0, 0, TimeSpan.Zero));
        StsPolicies Fresh() => new(dns, _https, () => new() { Hostname = "mail.example.org" }, folder.Path, time, NullLogger.Instance);
        DomainName domain = DomainName.Create("example.com");

        // Before there is a policy: the failure is told, and no more asked for five minutes.
        StsPolicies policies = Fresh();
        Assert.Equal(TlsResult.StsPolicyFetchError, (await policies.FindAsync(domain, default)).Trouble!.ResultType);
        await policies.FindAsync(domain, default);
        Assert.Single(_https.Asked);
        time.Advance(TimeSpan.FromMinutes(6));
        _https.Policy("example.com", Enforce);
        Assert.Equal(StsMode.Enforce, (await policies.FindAsync(domain, default)).Policy!.Mode);
        await policies.FindAsync(domain, default);
        Assert.Equal(2, _https.Asked.Count);

        // Another process, without record and web server: what is on disk counts, and says that it is not refreshed.
        dns.Texts.Clear();
        _https.Documents.Clear();
        policies = Fresh();
        Assert.Equal(StsMode.Enforce, (await policies.FindAsync(domain, default)).Policy!.Mode);
        Assert.Equal(2, _https.Asked.Count);
        dns.Texts["_mta-sts.example.com"] = ["v=STSv1; id=1"];
        time.Advance(TimeSpan.FromDays(2));
        await policies.RefreshAsync(default);
        Assert.Equal(3, _https.Asked.Count);
        StsFinding stale = await policies.FindAsync(domain, default);
        Assert.Equal((StsMode.Enforce, TlsResult.StsPolicyFetchError), (stale.Policy!.Mode, stale.Trouble!.ResultType));

        // A new id brings the new policy at once; a bad one leaves the old; at the end of its time it is gone.
        time.Advance(TimeSpan.FromMinutes(6));
        dns.Texts["_mta-sts.example.com"] = ["v=STSv1; id=2"];
        _https.Policy("example.com", Enforce.Replace("enforce", "testing", StringComparison.Ordinal));
        Assert.Equal(StsMode.Testing, (await policies.FindAsync(domain, default)).Policy!.Mode);
        dns.Texts["_mta-sts.example.com"] = ["v=STSv1; id=3"];
        _https.Policy("example.com", "<html>");
        StsFinding bad = await policies.FindAsync(domain, default);
        Assert.Equal((StsMode.Testing, TlsResult.StsPolicyInvalid), (bad.Policy!.Mode, bad.Trouble!.ResultType));
        time.Advance(TimeSpan.FromDays(8));
        Assert.Null((await policies.FindAsync(domain, default)).Policy);
    }

    /// <summary>A folder where a file should be is refused as a file of somebody else's is; a number that no calendar has is damage. Mail goes on with what the web server says.</summary>
    [Fact]
    public async Task What_lies_on_disk_and_cannot_be_used_keeps_no_mail_back()
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "sts");
        FakeDns dns = new();
        Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new(new(2026, 3, 4, 0, 0, 0, TimeSpan.Zero));
        StsPolicies policies = new(dns, _https, () => new() { Hostname = "mail.example.org" }, path, time, NullLogger.Instance);
        System.IO.Directory.CreateDirectory(Path.Combine(path, "unread.example"));
        System.IO.Directory.CreateDirectory(Path.Combine(path, "unwritten.example.tmp"));
        File.WriteAllText(Path.Combine(path, "damaged.example"), $"1 {long.MaxValue}\n{Enforce}");
        foreach (string domain in (string[])["unread.example", "unwritten.example", "damaged.example"])
        {
            dns.Texts[$"_mta-sts.{domain}"] = ["v=STSv1; id=1"];
            _https.Policy(domain, Enforce);
            Assert.Equal(StsMode.Enforce, (await policies.FindAsync(DomainName.Create(domain), default)).Policy!.Mode);
        }
        time.Advance(TimeSpan.FromDays(2));
        await policies.RefreshAsync(default);
    }

    [Fact]
    public async Task Reports_go_by_mail_and_https_once_a_day_and_survive_a_restart()
    {
        await using OutboundRig rig = Rig();
        using X509Certificate2 shown = _authority.Issue("mx.example.com");
        rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = shown });
        rig.AddPeer("203.0.113.2", "example.net");
        ScriptedPeer desk = rig.AddPeer("203.0.113.3", "reports.example");
        rig.Dns.Texts["_smtp._tls.example.com"] = ["v=TLSRPTv1; rua=mailto:tls@reports.example"];
        rig.Dns.Texts["_smtp._tls.example.net"] = ["v=TLSRPTv1; rua=https://reports.example/in"];
        await rig.SendAsync("far@example.com");
        await rig.SendAsync("far@example.net");
        await rig.UntilEmptyAsync();
        TlsReporter reporter = new(rig.Rig.Transport, rig.Tally, rig.Dns, _https);
        await reporter.SendDueAsync(default);
        Assert.Empty(desk.Messages);
        rig.Rig.Time.Advance(TimeSpan.FromHours(24));
        await reporter.SendDueAsync(default);
        await rig.UntilEmptyAsync();
        await reporter.SendDueAsync(default);
        await rig.UntilEmptyAsync();

        string mail = OutboundRig.Text(Assert.Single(desk.Messages));
        Assert.Equal("<>", desk.Messages[0].From.Split(' ')[0].Trim());
        Assert.Contains("TLS-Report-Domain: example.com\r\nTLS-Report-Submitter: mail.example.org\r\nTLS-Required: No\r\n", mail, StringComparison.Ordinal);
        MimeKit.Multipart parts = (MimeKit.Multipart)MimeKit.MimeMessage.Load(new MemoryStream(desk.Messages[0].Content)).Body!;
        Assert.Equal("tlsrpt", parts.ContentType.Parameters["report-type"]);
        Assert.Equal("application/tlsrpt+gzip", parts[1].ContentType.MimeType);
        using MemoryStream packed = new();
        ((MimeKit.MimePart)parts[1]).Content!.DecodeTo(packed);
        Assert.Contains("\"policy-type\":\"no-policy-found\",\"policy-domain\":\"example.com\"},\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}", Unpacked(packed.ToArray()), StringComparison.Ordinal);
        (string uri, byte[] content, string type) = Assert.Single(_https.Posted);
        Assert.Equal(("https://reports.example/in", "application/tlsrpt+gzip"), (uri, type));
        Assert.Contains("starttls-not-supported", Unpacked(content), StringComparison.Ordinal);
        // The report itself is not counted.
        Assert.Empty(rig.Tally.Of(new(2026, 3, 5), "reports.example"));
    }

    [Fact]
    public void Counts_survive_a_restart()
    {
        using TemporaryFolder folder = new();
        Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new(new(2026, 3, 4, 0, 0, 0, TimeSpan.Zero));
        TlsTally tally = new(folder.Path, time, NullLogger.Instance);
        AppliedPolicy policy = new(TlsPolicyKind.Sts, "example.com", ["version: STSv1"], ["mx.example.com"]);
        tally.Count(new(policy, null, "192.0.2.1", "mx.example.com", "203.0.113.1"));
        for (int i = 0; i < 3; i++) tally.Count(new(policy, new("certificate-expired", "x"), "192.0.2.1", "mx.example.com", "203.0.113.1"));
        tally.Save();
        TlsTally again = new(folder.Path, time, NullLogger.Instance);
        again.Load();
        PolicySummary summary = Assert.Single(again.Of(new(2026, 3, 4), "example.com"));
        Assert.Equal((1, 3, 3), (summary.Successes, summary.Failures, Assert.Single(summary.Details).Sessions));
        for (int i = 0; i < 30_000; i++) again.Count(new(policy with { Domain = $"d{i}.example" }, null, "", "", ""));
        time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(20_000, again.Before(new(2026, 3, 5)).Count);
    }

    public void Dispose() => _authority.Dispose();

    private static string Unpacked(byte[] packed)
    {
        using GZipStream gzip = new(new MemoryStream(packed), CompressionMode.Decompress);
        using StreamReader reader = new(gzip, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
