using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;
using Posthorn.Trust.Dane;
using Posthorn.Trust.TlsReporting;

namespace Posthorn.Transport.Tests.Remote.Security;

/// <summary>DANE on the way out (RFC 7672), with servers of a self-signed certificate.</summary>
public sealed class DaneTests : IDisposable
{
    private const string Records = "_25._tcp.mx.example.com";
    private readonly TestAuthority _authority = new();

    [Theory]
    [InlineData("match", true, "tlsa")]
    [InlineData("other-key", false, "tlsa")]
    [InlineData("unusable", true, "tlsa")]
    [InlineData("bogus", false, "tlsa")]
    [InlineData("insecure-records", true, "no-policy-found")]
    [InlineData("insecure-mx", true, "no-policy-found")]
    [InlineData("insecure-address", true, "no-policy-found")]
    [InlineData("far-resolver", true, "no-policy-found")]
    [InlineData("switched-off", true, "no-policy-found")]
    public async Task Servers_and_what_is_said_of_them(string what, bool arrives, string policy)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Dane = what != "switched-off" } });
        using X509Certificate2 shown = _authority.Issue("whatever.example"), known = _authority.Issue("mx.example.com");
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = shown });
        Secure(rig, Records, what switch
        {
            "match" => Key(shown),
            "unusable" => new(1, 1, 1, new byte[32]),
            _ => Key(known),
        });
        switch (what)
        {
            case "bogus": rig.Dns.Broken.Add(Records); break;
            case "insecure-records": rig.Dns.Secure.Remove(Records); break;
            case "insecure-mx": rig.Dns.Secure.Remove("example.com"); break;
            case "insecure-address": rig.Dns.Secure.Remove("mx.example.com"); break;
            case "far-resolver": rig.Dns.CanValidate = false; break;
        }
        await rig.SendAsync("far@example.com");
        if (arrives) await rig.UntilEmptyAsync();
        else await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(arrives ? 1 : 0, peer.Messages.Count);
        if (!arrives) Assert.Equal("4.7.5", Assert.Single(rig.Rig.Queued).LastReply(0)!.Status);
        PolicySummary counted = Assert.Single(rig.Tally.Of(new(2026, 3, 4), "example.com"));
        Assert.Equal(policy, counted.Policy.Kind switch { TlsPolicyKind.Tlsa => "tlsa", TlsPolicyKind.Sts => "sts", _ => "no-policy-found" });
        Assert.Equal((arrives && what != "unusable" ? 1 : 0, arrives && what != "unusable" ? 0 : 1), (counted.Successes, counted.Failures));
    }

    [Fact]
    public async Task Clear_text_never_goes_where_there_are_records_even_unusable_ones()
    {
        await using OutboundRig rig = new();
        ScriptedPeer plain = rig.AddPeer("203.0.113.1", "example.com");
        ScriptedPeer broken = rig.AddPeer("203.0.113.2", "example.net", new() { Extensions = ["STARTTLS"] }).At("STARTTLS", new PeerAct.SayAndClose("220 Go"));
        Secure(rig, Records, new(0, 0, 1, new byte[32]));
        Secure(rig, "_25._tcp.mx.example.net", new(3, 1, 1, new byte[32]), "example.net");
        await rig.SendAsync("far@example.com");
        await rig.SendAsync("far@example.net");
        await rig.UntilWaitingAsync(2, 1);
        Assert.DoesNotContain(plain.Commands, command => command.StartsWith("MAIL", StringComparison.Ordinal));
        Assert.DoesNotContain(broken.Commands, command => command.StartsWith("MAIL", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_anchor_and_the_next_host_when_the_first_does_not_match()
    {
        await using OutboundRig rig = new();
        using TestAuthority below = new("An authority below", _authority);
        using X509Certificate2 bad = below.Issue("else.example"), good = below.Issue("b.example.com");
        ScriptedPeer first = rig.AddPeer("203.0.113.1", peer: new() { Certificate = bad, Issuers = [below.Certificate] });
        ScriptedPeer second = rig.AddPeer("203.0.113.2", peer: new() { Certificate = good, Issuers = [below.Certificate] });
        rig.AddMx("example.com", (10, "a.example.com", "203.0.113.1"), (20, "b.example.com", "203.0.113.2"));
        TlsaRecord anchor = new(2, 0, 1, SHA256.HashData(below.Certificate.RawData));
        foreach (string host in (string[])["a.example.com", "b.example.com"])
        {
            rig.Dns.Tlsa[$"_25._tcp.{host}"] = [anchor];
            rig.Dns.Secure.UnionWith([host, $"_25._tcp.{host}"]);
        }
        rig.Dns.Secure.Add("example.com");
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Empty(first.Messages);
        Assert.Single(second.Messages);
        Assert.Equal(["203.0.113.1", "203.0.113.2"], rig.Dialled);
    }

    /// <summary>RFC 7672 section 2.2.2: records at what the name leads to count first, then those at the name itself.</summary>
    [Theory]
    [InlineData(true, false, true)]
    [InlineData(false, true, true)]
    [InlineData(true, true, true)]
    public async Task Aliases(bool atTarget, bool atName, bool arrives)
    {
        await using OutboundRig rig = new();
        using X509Certificate2 shown = _authority.Issue("x.example");
        rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = shown });
        rig.Dns.Aliases["mx.example.com"] = "real.example.net";
        rig.Dns.Hosts["real.example.net"] = rig.Dns.Hosts["mx.example.com"];
        rig.Dns.Secure.UnionWith(["example.com", "real.example.net"]);
        if (atTarget) Add("_25._tcp.real.example.net", Key(shown));
        // Behind records at the target those at the name say nothing.
        if (atName) Add(Records, atTarget ? new(3, 1, 1, new byte[32]) : Key(shown));
        void Add(string name, TlsaRecord record)
        {
            rig.Dns.Tlsa[name] = [record];
            rig.Dns.Secure.Add(name);
        }
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        PolicySummary counted = Assert.Single(rig.Tally.Of(new(2026, 3, 4), "example.com"));
        Assert.Equal(arrives ? TlsPolicyKind.Tlsa : TlsPolicyKind.NoPolicy, counted.Policy.Kind);
        Assert.Equal(1, counted.Successes);
    }

    [Fact]
    public async Task Dane_alone_may_be_demanded()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Routes = [new("example.com", new NextHop.Mx { Tls = OutboundTls.DaneOnly })] } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = TestCertificate.Shared });
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Contains("DANE is demanded", Assert.Single(rig.Rig.Queued).LastReply(0)!.Text, StringComparison.Ordinal);
        Secure(rig, Records, Key(TestCertificate.Shared));
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(8));
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);
    }

    public void Dispose() => _authority.Dispose();

    private static TlsaRecord Key(X509Certificate2 certificate) => new(3, 1, 1, SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));

    private static void Secure(OutboundRig rig, string name, TlsaRecord record, string domain = "example.com")
    {
        rig.Dns.Tlsa[name] = [record];
        rig.Dns.Secure.UnionWith([domain, $"mx.{domain}", name]);
    }
}
