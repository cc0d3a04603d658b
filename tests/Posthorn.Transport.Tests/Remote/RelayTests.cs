using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>Relay hosts, logins, TLS policies of a destination, and servers behind this one.</summary>
public sealed class RelayTests
{
    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    [Theory]
    [InlineData("AUTH LOGIN", "", "LOGIN")]
    [InlineData("AUTH=LOGIN", "", "LOGIN")]
    [InlineData("AUTH MBS_BASIC PLAIN", "", "PLAIN")]
    [InlineData("AUTH LOGIN PLAIN XOAUTH2", "XOAUTH2", "XOAUTH2")]
    public async Task Logins(string offer, string mechanism, string used)
    {
        RelayLogin login = new("user", "secret");
        if (mechanism.Length > 0) login = login with { Mechanisms = [mechanism] };
        await using OutboundRig rig = Relayed(new NextHop.Host("relay.example.net", 587) { Login = login, Tls = OutboundRig.Known });
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = TestCertificate.Shared, Extensions = [offer] });
        if (used == "LOGIN") peer.At("AUTH", new PeerAct.Say("334 VXNlcm5hbWU6")).At(Base64("user").ToUpperInvariant(), new PeerAct.Say("334 UGFzc3dvcmQ6")).At(Base64("secret").ToUpperInvariant(), new PeerAct.Say("235 2.7.0 Ok"));
        await rig.SendAsync("a@example.com");
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);
        Assert.Contains(peer.Commands, command => command == used switch
        {
            "LOGIN" => Base64("secret"),
            "PLAIN" => "AUTH PLAIN " + Base64("\0user\0secret"),
            _ => "AUTH XOAUTH2 " + Base64("user=user\u0001auth=Bearer secret\u0001\u0001"),
        });
    }

    /// <summary>A slip in the administrator's relay host is not the recipient's fault: the mail waits, and the words name the host.</summary>
    [Theory]
    [InlineData(false, "The relay relay.example.net, which this server's configuration names, does not exist in the DNS")]
    [InlineData(true, "The relay relay.example.net, which this server's configuration names, has no address in the DNS")]
    public async Task Mail_waits_for_a_relay_host_that_does_not_resolve(bool exists, string words)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Relay = new NextHop.Host("relay.example.net", 587) } });
        if (exists) rig.Dns.Hosts["relay.example.net"] = [];
        await rig.SendAsync("a@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(new SmtpReply(451, "4.3.5", words), Assert.Single(rig.Rig.Queued).LastReply(0));

        // The recipient's own domain is another matter, and a fallback host still gets its turn.
        await using OutboundRig direct = new();
        await direct.SendAsync("a@example.com");
        await direct.UntilAsync(() => !direct.Rig.Queued.Any(entry => entry.Message.Recipients[0].Address.ToString() == "a@example.com"));
        await using OutboundRig backed = new(options => options with { Outbound = options.Outbound with { Relay = new NextHop.Host("relay.example.net", 587), Fallback = new NextHop.Host("203.0.113.9", 25) } });
        ScriptedPeer peer = backed.AddPeer("203.0.113.9");
        await backed.SendAsync("a@example.com");
        await backed.UntilEmptyAsync();
        Assert.Single(peer.Messages);
    }

    [Theory]
    [InlineData("535 5.7.8 no")]
    [InlineData("334 eyJzdGF0dXMiOiI0MDEifQ==")]
    public async Task A_login_that_fails_keeps_the_mail_waiting(string answer)
    {
        await using OutboundRig rig = Relayed(new NextHop.Host("relay.example.net", 587) { Login = new("user", "secret") { Mechanisms = ["XOAUTH2"] }, Tls = OutboundRig.Known });
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = TestCertificate.Shared, Extensions = ["AUTH XOAUTH2"] });
        peer.At("AUTH", new PeerAct.Say(answer)).At("", new PeerAct.Say("535 5.7.8 no"));
        await rig.SendAsync("a@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal("4.7.8", Assert.Single(rig.Rig.Queued).LastReply(0)!.Status);
        Assert.Empty(peer.Messages);
    }

    /// <summary>A server that does not know the password cannot make believe that it does (RFC 5802 section 3).</summary>
    [Theory]
    [InlineData("235 2.7.0 Ok")]
    [InlineData("334 eD0x")]
    public async Task A_server_must_prove_that_it_knows_the_password(string answer)
    {
        await using OutboundRig rig = Relayed(new NextHop.Host("relay.example.net", 587) { Login = new("user", "secret"), Tls = OutboundRig.Known });
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = TestCertificate.Shared, Extensions = ["AUTH SCRAM-SHA-256"] });
        peer.At("AUTH", new PeerAct.Say(answer)).At("*", new PeerAct.Say("501 5.7.0 Cancelled"));
        await rig.SendAsync("a@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Empty(peer.Messages);
    }

    [Theory]
    [InlineData("right", true)]
    [InlineData("key", true)]
    [InlineData("wrong", false)]
    public async Task Fingerprints(string which, bool arrives)
    {
        X509Certificate2 shown = TestCertificate.Shared;
        string fingerprint = Convert.ToHexString(which switch { "right" => SHA256.HashData(shown.RawData), "key" => SHA256.HashData(shown.PublicKey.ExportSubjectPublicKeyInfo()), _ => new byte[32] });
        await using OutboundRig rig = Relayed(new NextHop.Host("relay.example.net", 25) { Tls = new TlsPolicy(OutboundTls.Fingerprint) { Fingerprints = [fingerprint] } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = shown });
        await rig.SendAsync("a@example.com");
        if (arrives) await rig.UntilEmptyAsync();
        else await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(arrives ? 1 : 0, peer.Messages.Count);
    }

    [Theory]
    [InlineData("relay.example.net", "", true)]
    [InlineData("else.example.net", "", false)]
    [InlineData("else.example.net", "else.example.net", true)]
    public async Task Verified_names(string shown, string named, bool arrives)
    {
        using TestAuthority authority = new();
        using X509Certificate2 certificate = authority.Issue(shown);
        TlsPolicy policy = new(OutboundTls.Verify) { Names = named.Length > 0 ? [named] : [], OnlyTls13 = true };
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Relay = new NextHop.Host("relay.example.net", 25) { Tls = policy }, Authorities = [authority.Certificate] } });
        rig.Dns.Hosts["relay.example.net"] = [IPAddress.Parse("203.0.113.9")];
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = certificate });
        await rig.SendAsync("a@example.com");
        if (arrives) await rig.UntilEmptyAsync();
        else await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(arrives ? 1 : 0, peer.Messages.Count);
    }

    [Fact]
    public async Task A_hosted_domain_may_be_kept_by_a_server_behind()
    {
        await using OutboundRig rig = new(options => options with
        {
            Outbound = options.Outbound with { Behind = new Dictionary<DomainName, NextHop> { [DomainName.Create("example.org")] = new NextHop.Lmtp(new IPEndPoint(IPAddress.Parse("203.0.113.9"), 24)) } },
        });
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { IsLmtp = true });
        rig.Rig.Directory.AddAlias("both@example.org", "ann@example.org", "bob@example.org");
        Assert.Equal(550, (await rig.Rig.RcptAsync(TransportRig.Stranger, "nobody@example.org")).Code);
        Assert.True((await rig.Rig.RcptAsync(TransportRig.Stranger, "ann@example.org")).IsPositive);
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "far@example.com", "both@example.org"), "From: far@example.com\n\nx\n");
        await rig.UntilEmptyAsync();
        Assert.Equal(["<ann@example.org>", "<bob@example.org>"], Assert.Single(peer.Messages).To.Select(to => to.Split(' ')[0].Trim()).Order());
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    [Fact]
    public async Task A_named_domain_may_be_taken_from_everybody_and_no_other()
    {
        NextHop hop = new NextHop.Host("inner.example.net", 25);
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Routes = [new("backup.example", hop) { IsAccepted = true }, new("*", hop) { IsAccepted = true }, new(".example", hop) { IsAccepted = true }] } });
        Assert.True((await rig.Rig.RcptAsync(TransportRig.Stranger, "x@backup.example")).IsPositive);
        Assert.Equal(554, (await rig.Rig.RcptAsync(TransportRig.Stranger, "x@other.example")).Code);
        Assert.Equal(554, (await rig.Rig.RcptAsync(TransportRig.Lmtp, "x@backup.example")).Code);
    }

    /// <summary>RFC 9422: what a server asks for is kept to.</summary>
    [Fact]
    public async Task Limits_of_a_server_are_kept()
    {
        await using OutboundRig rig = Relayed(new NextHop.Host("relay.example.net", 25));
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Extensions = ["LIMITS MAILMAX=3 RCPTMAX=2 RCPTDOMAINMAX=1"] });
        await rig.SendAsync("a@example.com", "b@example.net", "c@example.com", "d@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal(["<a@example.com> <c@example.com>", "<b@example.net>", "<d@example.com>"], peer.Messages.Select(message => string.Join(' ', message.To.Select(to => to.Split(' ')[0].Trim()))));
        Assert.Equal(1, peer.ConnectionCount);
        await rig.SendAsync("e@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal(2, peer.ConnectionCount);
    }

    [Theory]
    [InlineData("", "quoted-printable", "=E9")]
    [InlineData("DKIM-Signature: v=1\n", "", "")]
    public async Task Eight_bits_are_recoded_unless_somebody_signed_them(string signature, string encoding, string text)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["SIZE"] });
        await rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "far@example.com"), $"From: ann@example.org\nMIME-Version: 1.0\n{signature}Content-Transfer-Encoding: 8bit\n\nso that most of it is ASCII, but for the \u00e9\n");
        await rig.UntilEmptyAsync();
        if (signature.Length > 0)
        {
            Assert.Empty(peer.Messages);
            Assert.Contains("Status: 5.6.1", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
            return;
        }
        string content = OutboundRig.Text(Assert.Single(peer.Messages));
        Assert.Contains($"Content-Transfer-Encoding: {encoding}\r\n", content, StringComparison.Ordinal);
        Assert.EndsWith($"for the {text}\r\n", content, StringComparison.Ordinal);
        Assert.DoesNotContain("BODY=", peer.Messages[0].From, StringComparison.Ordinal);
        Assert.EndsWith($"SIZE={peer.Messages[0].Content.Length}", peer.Messages[0].From, StringComparison.Ordinal);
    }

    /// <summary>RFC 5321 section 4.5.3.1.6: no server need take a line of more than 998 octets; a signature counts for more.</summary>
    [Theory]
    [InlineData(998, "", false)]
    [InlineData(999, "", true)]
    [InlineData(20_000, "", true)]
    [InlineData(20_000, "DKIM-Signature: v=1\n", false)]
    public async Task Long_lines_are_recoded_unless_somebody_signed_them(int length, string signature, bool recoded)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["SIZE", "8BITMIME"] });
        string line = new('x', length), text = $"From: ann@example.org\nMIME-Version: 1.0\n{signature}Content-Type: text/plain\n\nshort\n{line}\nend\n";
        await rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "far@example.com"), text);
        await rig.UntilEmptyAsync();
        byte[] content = Assert.Single(peer.Messages).Content;
        Assert.Equal(recoded, Encoding.Latin1.GetString(content).Contains("Content-Transfer-Encoding: quoted-printable\r\n", StringComparison.Ordinal));
        if (recoded) Assert.All(Encoding.Latin1.GetString(content).Split("\r\n"), one => Assert.InRange(one.Length, 0, 998));
        MimeKit.MimeMessage read = MimeKit.MimeMessage.Load(new MemoryStream(content));
        Assert.Equal($"short\r\n{line}\r\nend\r\n", ((MimeKit.TextPart)read.Body!).Text.ReplaceLineEndings("\r\n"));
    }

    /// <summary>A mailbox bears any line: what comes for it stays as it was.</summary>
    [Fact]
    public async Task Long_lines_for_mailboxes_stay()
    {
        await using OutboundRig rig = new();
        string line = new('x', 5000);
        await rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "bob@example.org"), $"From: ann@example.org\n\n{line}\n");
        Assert.EndsWith($"\r\n\r\n{line}\r\n", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob)), StringComparison.Ordinal);
    }

    /// <summary>RFC 4865: it waits, is listed with its time, is not hurried, and then goes to all alike.</summary>
    [Fact]
    public async Task A_message_of_the_future_waits_for_its_time()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        DateTimeOffset release = rig.Rig.Time.GetUtcNow().AddDays(10);
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), ReleaseAt = release };
        foreach (string to in (string[])["far@example.com", "bob@example.org"]) envelope.Recipients.Add(new(EmailAddress.Parse(to), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope);
        Transport.Queue.QueueControl control = new(rig.Rig.Queue, rig.Rig.Time);
        Assert.Equal(release, Assert.Single(control.List(new())).NextAttempt);
        Assert.Equal(0, control.Retry(new()));
        rig.Rig.Time.Advance(TimeSpan.FromDays(9.9));
        await rig.UntilWaitingAsync(1, 0);
        Assert.Empty(peer.Messages);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Bob));
        rig.Rig.Time.Advance(TimeSpan.FromDays(0.2));
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann)); // neither a warning nor a bounce
    }

    [Fact]
    public async Task A_sender_may_keep_only_so_many_for_later()
    {
        await using OutboundRig rig = new(options => options with { Queue = options.Queue with { MaxFuturePerSender = 1 } });
        Envelope Later() => new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), ReleaseAt = rig.Rig.Time.GetUtcNow().AddDays(1), Recipients = { new(EmailAddress.Parse("bob@example.org"), DsnNotify.Unspecified, null) } };
        Assert.True((await rig.Rig.Transport.AdmitSenderAsync(Later(), default)).IsPositive);
        await rig.SendAsync(Later());
        Assert.Equal("5.7.16", (await rig.Rig.Transport.AdmitSenderAsync(Later(), default)).Status);
    }

    /// <summary>Binary mail for a mailbox is readable there; mail that goes on stays as it is (RFC 3030).</summary>
    [Fact]
    public async Task Binary_parts_for_mailboxes_become_base64()
    {
        await using OutboundRig rig = new();
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), Body = BodyType.BinaryMime, Recipients = { new(EmailAddress.Parse("bob@example.org"), DsnNotify.Unspecified, null) } };
        await rig.SendAsync(envelope, "From: ann@example.org\nMIME-Version: 1.0\nContent-Type: image/gif\nContent-Transfer-Encoding: binary\n\n\0\u00ff\r");
        string mail = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Contains("Content-Transfer-Encoding: base64\r\n\r\nAP8N", mail, StringComparison.Ordinal);
    }

    private static OutboundRig Relayed(NextHop relay)
    {
        OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Relay = relay } });
        rig.Dns.Hosts["relay.example.net"] = [IPAddress.Parse("203.0.113.9")];
        return rig;
    }
}
