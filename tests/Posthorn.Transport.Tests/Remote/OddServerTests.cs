using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Remote.Security;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>Servers whose answers must not be taken for more, or less, than they say.</summary>
public sealed class OddServerTests
{
    /// <summary>Only 2xx completes anything (RFC 5321 section 4.2.1).</summary>
    [Theory]
    [InlineData("MAIL")]
    [InlineData("RCPT")]
    [InlineData(".")]
    public async Task An_intermediate_reply_is_no_consent(string point)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com").At(point, new PeerAct.Say("354 Go on"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal("4.5.0", Assert.Single(rig.Rig.Queued).LastReply(0)!.Status);
        Assert.True(peer.ConnectionCount >= 1);
    }

    /// <summary>RFC 8461 section 5, RFC 7672 section 2.2: a man in the middle, or a server under repair, must not turn mail into bounces.</summary>
    [Fact]
    public async Task Starttls_that_is_refused_for_good_keeps_mail_waiting_where_tls_is_demanded()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Tls = new(OutboundTls.Encrypt) } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = TestCertificate.Shared }).At("STARTTLS", new PeerAct.Say("502 5.5.1 Not here"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        SmtpReply last = Assert.Single(rig.Rig.Queued).LastReply(0)!;
        Assert.True(last.IsTransient);
        Assert.Contains("502 5.5.1 Not here", last.Text, StringComparison.Ordinal);
        Assert.Empty(peer.Messages);
    }

    [Fact]
    public async Task A_sender_who_is_put_off_does_not_keep_others_waiting()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["SIZE"] }).At("MAIL", new PeerAct.Say("451 4.7.1 Come again"), new PeerAct.Say("250 2.1.0 Ok"));
        await rig.SendAsync("one@example.com");
        await rig.UntilWaitingAsync(1, 1);
        await rig.SendAsync("two@example.com");
        await rig.UntilAsync(() => peer.Messages.Count == 1 && rig.Rig.Queue.Count == 1, "the second message, with the clock standing still");
        Assert.Single(rig.Rig.Queued);
    }

    [Fact]
    public async Task A_greylisted_message_does_not_leave_by_the_fallback()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Fallback = new NextHop.Host("fallback.example", 25) } });
        rig.Dns.Hosts["fallback.example"] = [IPAddress.Parse("203.0.113.2")];
        rig.AddPeer("203.0.113.1", "example.com").At("MAIL", new PeerAct.Say("451 4.7.1 Come again"));
        ScriptedPeer fallback = rig.AddPeer("203.0.113.2");
        await rig.SendAsync("one@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(0, fallback.ConnectionCount);
    }

    /// <summary>RFC 9422 section 6: MAILMAX is the server's, for each session, within one message too.</summary>
    [Fact]
    public async Task Mailmax_holds_within_one_message()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["LIMITS MAILMAX=2 RCPTMAX=1"] });
        await rig.SendAsync("a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal([1, 1, 2, 2, 3], peer.Messages.Select(message => message.Connection));
    }

    /// <summary>Who puts the message off at MAIL is not asked again at once, however few messages he wants in a session.</summary>
    [Theory]
    [InlineData("MAIL", "LIMITS MAILMAX=1")]
    [InlineData("MAIL", "LIMITS MAILMAX=1", "PIPELINING")]
    [InlineData("RCPT", "LIMITS MAILMAX=1 RCPTMAX=1")]
    public async Task A_server_of_one_message_that_says_later_is_asked_once(string point, params string[] extensions)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = extensions }).At(point, new PeerAct.Say("450 4.7.1 Greylisted"));
        await rig.SendAsync("a@example.com", "b@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(point == "MAIL" ? 1 : 2, peer.ConnectionCount);
        Assert.Equal("450 4.7.1 Greylisted", Assert.Single(rig.Rig.Queued).LastReply(0)!.ToString());
    }

    /// <summary>What a server says to RSET is no word on any mail.</summary>
    [Theory]
    [InlineData("502 5.5.1 Not here")]
    [InlineData("451 4.3.0 Not now")]
    public async Task Who_cannot_clear_a_session_gets_another(string answer)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["LIMITS RCPTMAX=1"] }).At("RSET", new PeerAct.Say(answer)).At("RCPT", new PeerAct.Say("550 5.1.1 Nobody"), new PeerAct.Say("250 2.1.5 Ok"));
        await rig.SendAsync("a@example.com", "b@example.com");
        await rig.UntilEmptyAsync();
        Assert.StartsWith("<b@example.com>", Assert.Single(Assert.Single(peer.Messages).To), StringComparison.Ordinal);
        Assert.Equal(2, peer.ConnectionCount);
        Assert.DoesNotContain("Final-Recipient: rfc822; b@example.com", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    /// <summary>RFC 2033 section 4.2 has this answer for a mailbox that is full: it is about one recipient, and says nothing of too many.</summary>
    [Fact]
    public async Task A_full_mailbox_behind_lmtp_does_not_get_the_message_again_at_once()
    {
        await using OutboundRig rig = new(options => options with
        {
            Outbound = options.Outbound with { Behind = new Dictionary<DomainName, NextHop> { [DomainName.Create("example.org")] = new NextHop.Lmtp(new IPEndPoint(IPAddress.Parse("203.0.113.9"), 24)) } },
        });
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { IsLmtp = true }).At(".", new PeerAct.Say("250 2.0.0 Ok"), new PeerAct.Say("452 is temporarily over quota"));
        rig.Rig.Directory.AddAlias("both@example.org", "ann@example.org", "bob@example.org");
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "far@example.com", "both@example.org"), "From: far@example.com\n\nx\n");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Single(peer.Commands, command => command == "DATA");
    }

    /// <summary>RFC 4954 section 4: the client's "*" ends an exchange.</summary>
    [Fact]
    public async Task A_login_that_never_ends_is_ended()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Relay = new NextHop.Host("relay.example.net", 587) { Login = new("user", "secret") { Mechanisms = ["PLAIN"] }, Tls = OutboundRig.Known } } });
        rig.Dns.Hosts["relay.example.net"] = [IPAddress.Parse("203.0.113.9")];
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = TestCertificate.Shared, Extensions = ["AUTH PLAIN"] });
        peer.At("AUTH", new PeerAct.Say("334 ")).At("*", new PeerAct.Say("334 "));
        await rig.SendAsync("a@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Single(peer.Commands, command => command == "*");
    }

    /// <summary>RFC 6533 section 3: what stands in ORCPT for an address outside ASCII is coded, and of type utf-8.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Orcpt_outside_ascii_is_coded_for_servers_without_smtputf8(bool ours)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["PIPELINING", "DSN"] });
        if (ours)
        {
            rig.Rig.Directory.AddAlias("b\u00fccher@example.org", "far@example.com");
            await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "x@example.net", "b\u00fccher@example.org"), "From: x@example.net\n\nx\n");
        }
        else
        {
            Envelope envelope = rig.Rig.Envelope(rig.Rig.User, "ann@example.org");
            envelope.Recipients.Add(new(EmailAddress.Parse("far@example.com"), DsnNotify.Failure, "utf-8;b\u00fccher@example.net"));
            await rig.SendAsync(envelope);
        }
        await rig.UntilEmptyAsync();
        Assert.Contains($"ORCPT=utf-8;b\\x{{FC}}cher@example.{(ours ? "org" : "net")}", Assert.Single(Assert.Single(peer.Messages).To), StringComparison.Ordinal);
    }

    /// <summary>RFC 3461 section 5.2.2: nobody's wish is lost where two recipients lead to one address.</summary>
    [Theory]
    [InlineData(DsnNotify.Never, DsnNotify.Failure | DsnNotify.Success, "FAILURE,SUCCESS")]
    [InlineData(DsnNotify.Failure, DsnNotify.Never, "FAILURE")]
    [InlineData(DsnNotify.Never, DsnNotify.Never, "NEVER")]
    [InlineData(DsnNotify.Unspecified, DsnNotify.Success, "SUCCESS,FAILURE,DELAY")]
    public async Task Wishes_of_two_recipients_are_joined(DsnNotify one, DsnNotify two, string notify)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["DSN"] });
        rig.Rig.Directory.AddAlias("one@example.org", "far@example.com");
        rig.Rig.Directory.AddAlias("two@example.org", "far@example.com");
        Envelope envelope = rig.Rig.Envelope(TransportRig.Stranger, "x@example.net");
        envelope.Recipients.Add(new(EmailAddress.Parse("one@example.org"), one, null));
        envelope.Recipients.Add(new(EmailAddress.Parse("two@example.org"), two, null));
        await rig.SendAsync(envelope, "From: x@example.net\n\nx\n");
        await rig.UntilEmptyAsync();
        string said = Assert.Single(Assert.Single(peer.Messages).To);
        Assert.Equal(notify.Split(',').Order(), said.Split(' ').Single(word => word.StartsWith("NOTIFY=", StringComparison.Ordinal))["NOTIFY=".Length..].Split(',').Order());
    }

    /// <summary>What a stranger's certificate names is not fetched (Authority Information Access): the server would do his errands, and wait for him.</summary>
    [Fact]
    public async Task A_certificate_makes_this_host_fetch_nothing()
    {
        using TcpListener web = new(IPAddress.Loopback, 0);
        web.Start();
        Task<Socket> asked = web.AcceptSocketAsync(TestContext.Current.CancellationToken).AsTask();
        using TestAuthority stranger = new("Stranger");
        using X509Certificate2 shown = stranger.IssueWithIssuerAt(new Uri($"http://{web.LocalEndpoint}/ca.crt"), "mx.example.com");
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = shown });
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Contains("STARTTLS", peer.Commands);
        Assert.False(asked.IsCompleted);
    }

    /// <summary>A server that sends a header and then nothing holds nobody for longer than patience lasts.</summary>
    [Fact]
    public async Task An_https_answer_that_trickles_is_given_up()
    {
        using TestAuthority authority = new();
        using X509Certificate2 shown = authority.Issue("mta-sts.example.com");
        using TcpListener web = new(IPAddress.Loopback, 0);
        web.Start();
        Task serving = ServeAsync(web, shown);
        FakeDns dns = new();
        dns.Hosts["mta-sts.example.com"] = [IPAddress.Loopback];
        TransportOptions options = new() { Hostname = "mail.example.org", Outbound = new() { Authorities = [authority.Certificate] } };
        using HttpsClient client = new(dns, () => options, TimeProvider.System, TimeSpan.FromMilliseconds(300));
        HttpsAnswer answer = await client.GetAsync(new($"https://mta-sts.example.com:{((IPEndPoint)web.LocalEndpoint).Port}/"), 1000, TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Equal((0, "no answer in time"), (answer.Status, answer.Problem));
        web.Stop();
        await serving;
    }

    private static async Task ServeAsync(TcpListener web, X509Certificate2 shown)
    {
        try
        {
            using TcpClient client = await web.AcceptTcpClientAsync();
            await using SslStream stream = new(client.GetStream());
            await stream.AuthenticateAsServerAsync(shown);
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 500\r\n\r\nversion"u8.ToArray());
            byte[] rest = new byte[4096];
            while (await stream.ReadAsync(rest) > 0) { /* until the client leaves */ }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException) { /* the client left */ }
    }
}
