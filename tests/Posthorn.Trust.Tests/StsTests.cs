using Posthorn.Trust.Sts;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Trust.Tests;

/// <summary>The records and policies of MTA-STS (RFC 8461) and TLSRPT (RFC 8460).</summary>
public sealed class StsTests
{
    [Theory]
    [InlineData("v=STSv1; id=20160831085700Z;", "20160831085700Z")]
    [InlineData("v=STSv1;id=1", "1")]
    [InlineData("v=STSv1; x=y; id=abc", "abc")]
    [InlineData("v=STSv2; id=1", null)]
    [InlineData("v=STSv1; id=a-b", null)]
    [InlineData("v=STSv1", null)]
    [InlineData("v=STSv1; id=123456789012345678901234567890123", null)]
    [InlineData("V=STSv1; id=1", null)]
    public void The_id_of_a_record(string text, string? id)
    {
        Assert.Equal(id, StsRecord.IdOf(["v=spf1 -all", text]));
        // Two records are none.
        if (id is not null) Assert.Null(StsRecord.IdOf([text, "v=STSv1; id=9"]));
    }

    [Fact]
    public void The_example_of_the_rfc()
    {
        StsPolicy policy = StsPolicy.Parse("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n", out _)!;
        Assert.Equal(StsMode.Enforce, policy.Mode);
        Assert.Equal(TimeSpan.FromDays(7), policy.MaxAge);
        Assert.True(policy.Allows("MAIL.example.com"));
        Assert.True(policy.Allows("a.example.net"));
        Assert.False(policy.Allows("example.net"));
        Assert.False(policy.Allows("a.b.example.net"));
        Assert.False(policy.Allows("mail.example.com.evil.example"));
        Assert.Equal(["version: STSv1", "mode: enforce", "mx: mail.example.com", "mx: *.example.net", "mx: backupmx.example.com", "max_age: 604800"], policy.Lines);
    }

    [Theory]
    [InlineData("version: STSv1\nmode: none\nmax_age: 1", "")]
    [InlineData("version: STSv1\nmode: testing\nmx: a.b\nmode: enforce\nfuture: x\nmax_age: 99999999999", "")]
    [InlineData("mode: none\nmax_age: 1", "version is not STSv1")]
    [InlineData("version: STSv1\nmode: on\nmax_age: 1", "mode is not enforce, testing or none")]
    [InlineData("version: STSv1\nmode: enforce\nmax_age: 1", "there is no mx")]
    [InlineData("version: STSv1\nmode: none\nmax_age: -1", "max_age is no number")]
    [InlineData("version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1", "mx is no host name: a b")]
    [InlineData("<html>", "a line is no key and value: <html>")]
    public void Policies_and_what_is_wrong_with_them(string text, string problem)
    {
        StsPolicy? policy = StsPolicy.Parse(text, out string found);
        Assert.Equal(problem, found);
        Assert.Equal(problem.Length == 0, policy is not null);
        if (policy is not null) Assert.True(policy.MaxAge <= TimeSpan.FromSeconds(31_557_600));
        if (policy?.Mx.Count > 0) Assert.Equal(StsMode.Testing, policy.Mode);
    }

    [Theory]
    [InlineData("v=TLSRPTv1;rua=mailto:reports@example.com", "mailto:reports@example.com")]
    [InlineData("v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", "https://reporting.example.com/v1/tlsrpt")]
    [InlineData("v=TLSRPTv1; rua=mailto:a@b.c,https://d.e/f;", "mailto:a@b.c https://d.e/f")]
    [InlineData("v=TLSRPTv1; rua=http://plain.example/", "")]
    [InlineData("v=TLSRPTv2; rua=mailto:a@b.c", "")]
    public void Where_reports_go(string text, string places) => Assert.Equal(places, string.Join(' ', TlsReportRecord.PlacesOf([text, "other"]).Select(place => place.OriginalString)));

    [Fact]
    public void A_report_has_the_form_of_the_rfc()
    {
        PolicySummary summary = new(new(TlsPolicyKind.Sts, "example.com", ["version: STSv1", "mode: testing"], ["*.mail.example.com"])) { Successes = 5326, Failures = 303 };
        summary.Details.Add(new("certificate-expired", "2001:db8:abcd:12::1", "mx1.mail.example.com", "203.0.113.1", "why") { Sessions = 100 });
        TlsReport report = new("Company-X", "sts-reporting@company-x.example", "5065427c-23d3", "example.com", new(2016, 4, 1), [summary, new(new(TlsPolicyKind.NoPolicy, "example.com", [], []))]);
        Assert.Equal("""{"organization-name":"Company-X","date-range":{"start-datetime":"2016-04-01T00:00:00Z","end-datetime":"2016-04-01T23:59:59Z"},"contact-info":"sts-reporting@company-x.example","report-id":"5065427c-23d3","policies":[{"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: testing"],"policy-domain":"example.com","mx-host":["*.mail.example.com"]},"summary":{"total-successful-session-count":5326,"total-failure-session-count":303},"failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"2001:db8:abcd:12::1","receiving-mx-hostname":"mx1.mail.example.com","receiving-ip":"203.0.113.1","failed-session-count":100,"failure-reason-code":"why"}]},{"policy":{"policy-type":"no-policy-found","policy-domain":"example.com"},"summary":{"total-successful-session-count":0,"total-failure-session-count":0}}]}""",
            System.Text.Encoding.UTF8.GetString(report.ToJson()));
        Assert.Equal("mail.sender.example!example.com!1459468800!1459555199!001.json.gz", report.FileName("mail.sender.example"));
    }
}
