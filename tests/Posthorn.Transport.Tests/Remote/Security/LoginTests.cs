using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;
using Posthorn.Trust.Dane;

namespace Posthorn.Transport.Tests.Remote.Security;

/// <summary>Who gets to see a relay's password: a server that has proved who it is, and nobody in between (RFC 4954 section 14).</summary>
public sealed class LoginTests : IDisposable
{
    private const string Records = "_587._tcp.relay.example.net";
    private readonly TestAuthority _authority = new();

    public void Dispose() => _authority.Dispose();

    private OutboundRig Relayed(TlsPolicy? tls = null, string host = "relay.example.net", TlsPolicy? general = null, params string[] mechanisms)
    {
        RelayLogin login = new("user", "secret");
        if (mechanisms.Length > 0) login = login with { Mechanisms = mechanisms };
        OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Relay = new NextHop.Host(host, 587) { Login = login, Tls = tls }, Tls = general ?? OutboundTls.May, Authorities = [_authority.Certificate] } });
        rig.Dns.Hosts["relay.example.net"] = [IPAddress.Parse("203.0.113.9")];
        return rig;
    }

    private static bool Saw(ScriptedPeer peer, string what) => peer.Commands.Any(command => command.StartsWith("AUTH " + what, StringComparison.Ordinal));

    /// <summary>Nothing is said of TLS, which elsewhere means that any certificate will do.</summary>
    [Theory]
    [InlineData("its own", true)]
    [InlineData("another's", false)]
    [InlineData("nobody's", false)]
    public async Task A_certificate_has_to_be_the_relays(string whose, bool arrives)
    {
        using X509Certificate2 own = _authority.Issue("relay.example.net"), others = _authority.Issue("evil.example");
        await using OutboundRig rig = Relayed();
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = whose switch { "its own" => own, "another's" => others, _ => TestCertificate.Shared }, Extensions = ["AUTH PLAIN LOGIN"] });
        await rig.SendAsync("a@example.com");
        if (arrives) await rig.UntilEmptyAsync();
        else await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(arrives, Saw(peer, "PLAIN"));
        if (!arrives) Assert.Equal("4.7.5", Assert.Single(rig.Rig.Queued).LastReply(0)!.Status);
    }

    [Theory]
    [InlineData("match", true)]
    [InlineData("other key", false)]
    [InlineData("unusable", false)]
    [InlineData("not proved", false)]
    public async Task Dane_proves_it_too(string what, bool arrives)
    {
        await using OutboundRig rig = Relayed();
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = TestCertificate.Shared, Extensions = ["AUTH PLAIN"] });
        byte[] key = SHA256.HashData(TestCertificate.Shared.PublicKey.ExportSubjectPublicKeyInfo());
        rig.Dns.Tlsa[Records] = [what switch { "other key" => new(3, 1, 1, new byte[32]), "unusable" => new(1, 1, 1, key), _ => new(3, 1, 1, key) }];
        rig.Dns.Secure.Add("relay.example.net");
        if (what != "not proved") rig.Dns.Secure.Add(Records);
        await rig.SendAsync("a@example.com");
        if (arrives) await rig.UntilEmptyAsync();
        else await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(arrives, Saw(peer, "PLAIN"));
    }

    /// <summary>The administrator wants any certificate to do: then nothing goes out that is worth the password.</summary>
    [Theory]
    [InlineData(OutboundTls.May, "AUTH PLAIN LOGIN", false)]
    [InlineData(OutboundTls.Encrypt, "AUTH PLAIN LOGIN", false)]
    [InlineData(OutboundTls.Dane, "AUTH PLAIN", false)]
    [InlineData(OutboundTls.Encrypt, "AUTH XOAUTH2", false, "XOAUTH2")]
    [InlineData(OutboundTls.Encrypt, "AUTH PLAIN SCRAM-SHA-256", true)]
    [InlineData(OutboundTls.May, "AUTH SCRAM-SHA-1", true)]
    public async Task Without_proof_only_scram(OutboundTls tls, string offer, bool tries, params string[] mechanisms)
    {
        await using OutboundRig rig = Relayed(tls, mechanisms: mechanisms);
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = TestCertificate.Shared, Extensions = [offer] }).At("AUTH", new PeerAct.Say("535 5.7.8 No"));
        await rig.SendAsync("a@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(tries, Saw(peer, "SCRAM"));
        Assert.False(Saw(peer, "PLAIN") || Saw(peer, "LOGIN") || Saw(peer, "XOAUTH2"));
        if (!tries) Assert.Contains("SCRAM alone", Assert.Single(rig.Rig.Queued).LastReply(0)!.Text, StringComparison.Ordinal);
    }

    /// <summary>A general setting that is as strict or stricter counts for the relay as well.</summary>
    [Fact]
    public async Task A_general_fingerprint_is_proof()
    {
        await using OutboundRig rig = Relayed(general: OutboundRig.Known);
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = TestCertificate.Shared, Extensions = ["AUTH PLAIN"] });
        await rig.SendAsync("a@example.com");
        await rig.UntilEmptyAsync();
        Assert.True(Saw(peer, "PLAIN"));
    }

    /// <summary>Between this host and itself nobody stands.</summary>
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task On_this_host_any_certificate_does(string address)
    {
        await using OutboundRig rig = Relayed(host: address);
        ScriptedPeer peer = rig.AddPeer(address, peer: new() { Certificate = TestCertificate.Shared, Extensions = ["AUTH PLAIN"] });
        await rig.SendAsync("a@example.com");
        await rig.UntilEmptyAsync();
        Assert.True(Saw(peer, "PLAIN"));
    }
}
