using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote.Security;

/// <summary>REQUIRETLS and TLS-Required: No on the way out (RFC 8689 section 4.2).</summary>
public sealed class RequireTlsTests : IDisposable
{
    private readonly TestAuthority _authority = new();
    private readonly FakeHttps _https = new();

    [Theory]
    [InlineData("dane", true, "")]
    [InlineData("sts", true, "")]
    [InlineData("signed-mx", true, "")]
    [InlineData("nothing", true, "5.7.10")]
    [InlineData("wrong-name", true, "5.7.10")]
    [InlineData("no-tls", true, "5.7.10")]
    [InlineData("dane", false, "5.7.30")]
    public async Task Only_servers_that_are_known_and_promise_get_it(string proof, bool promises, string status)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Authorities = [_authority.Certificate] } }, _https);
        using X509Certificate2 shown = _authority.Issue(proof == "wrong-name" ? "else.example" : "mx.example.com");
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = proof == "no-tls" ? null : shown, Extensions = promises ? ["PIPELINING", "REQUIRETLS", "DSN"] : ["PIPELINING"] });
        if (proof != "nothing") rig.Dns.Secure.UnionWith(["example.com", "mx.example.com"]);
        if (proof == "dane")
        {
            rig.Dns.Tlsa["_25._tcp.mx.example.com"] = [new(3, 1, 1, SHA256.HashData(shown.PublicKey.ExportSubjectPublicKeyInfo()))];
            rig.Dns.Secure.Add("_25._tcp.mx.example.com");
        }
        if (proof == "sts")
        {
            rig.Dns.Secure.Clear();
            rig.Dns.Texts["_mta-sts.example.com"] = ["v=STSv1; id=1"];
            _https.Policy("example.com", "version: STSv1\nmode: testing\nmx: mx.example.com\nmax_age: 86400\n");
        }
        await rig.SendAsync(Envelope(rig, requires: true));
        await rig.UntilEmptyAsync();
        if (status.Length == 0)
        {
            Assert.Contains("REQUIRETLS", Assert.Single(peer.Messages).From, StringComparison.Ordinal);
            Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
            return;
        }
        Assert.Empty(peer.Messages);
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Contains($"Status: {status}", report, StringComparison.Ordinal);
        // RFC 8689 section 5: no more than the header comes back.
        Assert.DoesNotContain("Text\r\n", report, StringComparison.Ordinal);
        Assert.Contains("text/rfc822-headers", report, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_was_opened_for_others_does_not_serve_it()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = TestCertificate.Shared, Extensions = ["PIPELINING", "REQUIRETLS"] });
        peer.At(".", new PeerAct.Say("451 4.3.0 later"), new PeerAct.Say("250 2.0.0 Ok"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        await rig.SendAsync(Envelope(rig, requires: true));
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(8));
        await rig.UntilEmptyAsync();
        Assert.DoesNotContain(peer.Messages, message => message.From.Contains("REQUIRETLS", StringComparison.Ordinal));
        Assert.Contains("Status: 5.7.10", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tls_required_no_gets_past_what_the_domain_demands()
    {
        await using OutboundRig rig = new(null, _https);
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = TestCertificate.Shared });
        rig.Dns.Tlsa["_25._tcp.mx.example.com"] = [new(3, 1, 1, new byte[32])];
        rig.Dns.Secure.UnionWith(["example.com", "mx.example.com", "_25._tcp.mx.example.com"]);
        await rig.SendAsync(Envelope(rig, requires: false), "From: ann@example.org\nTLS-Required: No\n\nyour certificate is wrong\n");
        await rig.UntilEmptyAsync();
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Contains("TLS-Required: No", OutboundRig.Text(Assert.Single(peer.Messages)), StringComparison.Ordinal);
        // Together with REQUIRETLS the field says nothing (RFC 8689 section 4.1); said twice neither.
        await rig.SendAsync(Envelope(rig, requires: true), "From: ann@example.org\nTLS-Required: No\n\nx\n");
        await rig.SendAsync(Envelope(rig, requires: false), "From: ann@example.org\nTLS-Required: No\nTLS-Required: No\n\nx\n");
        // Who is tried first after the rest of the destination is a matter of chance, and sends the others to rest again.
        await rig.UntilAsync(() =>
        {
            rig.Rig.Time.Advance(TimeSpan.FromMinutes(1));
            return rig.Rig.Queue.Read((entries, schedule) => entries.Count == 2 && schedule.Running == 0 && entries.Values.All(entry => entry.Attempts >= 1));
        }, "two waiting after an attempt each");
        Assert.Single(await rig.UntilMailAsync(rig.Rig.Ann, IsReturn), IsReturn); // others may tell of the delay
        Assert.Single(peer.Messages);

        static bool IsReturn(string mail) => mail.Contains("Status: 5.7.10", StringComparison.Ordinal);
    }

    public void Dispose() => _authority.Dispose();

    private static Envelope Envelope(OutboundRig rig, bool requires)
    {
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), RequiresTls = requires };
        envelope.Recipients.Add(new(EmailAddress.Parse("far@example.com"), DsnNotify.Unspecified, null));
        return envelope;
    }
}
