using System.Net;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>The client against servers that are slow, broken, poor or hostile.</summary>
public sealed class ClientTests
{
    private static readonly string[] Points = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."];

    public static TheoryData<string, PeerAct> Faults()
    {
        TheoryData<string, PeerAct> data = [];
        foreach (string point in Points)
        {
            data.Add(point, new PeerAct.Close());
            data.Add(point, new PeerAct.SayAndClose("421 4.3.2 Going down"));
            data.Add(point, new PeerAct.Say("451 4.3.0 Not now"));
            data.Add(point, new PeerAct.SendRaw("nonsense\r\n"u8.ToArray()));
            data.Add(point, new PeerAct.SendRaw("250-a\r\n451 b\r\n"u8.ToArray()));
            data.Add(point, new PeerAct.SendRaw(System.Text.Encoding.ASCII.GetBytes("250 " + new string('x', 10_000) + "\r\n")));
            data.Add(point, new PeerAct.SendRaw(System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("250-x\r\n", 200)))));
            data.Add(point, new PeerAct.SendRaw("25\r\n"u8.ToArray()));
            data.Add(point, new PeerAct.SendRaw(new byte[] { 0, 255, 13, 10 }));
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Whatever_a_server_does_the_mail_waits_and_arrives_in_the_end(string point, PeerAct act)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        PeerAct good = point switch
        {
            "CONNECT" => new PeerAct.Say("220 hi"),
            "EHLO" => new PeerAct.Say("250-peer\n250 PIPELINING"),
            "DATA" => new PeerAct.Say("354 Go"),
            _ => new PeerAct.Say("250 2.0.0 Ok"),
        };
        // HELO follows a refused EHLO; here it must not save the day.
        peer.At("HELO", new PeerAct.Close());
        peer.At(point, act, good);
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.DoesNotContain(peer.Messages, message => message.Content.Length > 0 && point != ".");
        Assert.True(Assert.Single(rig.Rig.Queued).LastReply(0)!.IsTransient);
        if (point is "DATA") return; // the scripted server waits for no data after its 354: only the deferral counts here
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(7));
        await rig.UntilEmptyAsync();
        Assert.Contains("Text\r\n.dot\r\n..\r\n", OutboundRig.Text(peer.Messages[^1]), StringComparison.Ordinal);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    [Theory]
    [InlineData("CONNECT", 5)]
    [InlineData("EHLO", 5)]
    [InlineData("RCPT", 5)]
    [InlineData("DATA", 5)]
    [InlineData(".", 10)]
    public async Task A_server_that_hangs_is_given_up(string point, int minutes)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com").At(point, new PeerAct.Hang());
        await rig.SendAsync("far@example.com");
        await rig.UntilAsync(() => point == "CONNECT" ? peer.ConnectionCount > 0 : point == "." ? peer.Commands.Any(command => command.StartsWith("DATA", StringComparison.Ordinal)) : peer.Commands.Count > 0, "the conversation");
        await rig.UntilAsync(() =>
        {
            if (rig.Rig.Queued[0].Attempts > 0) return true;
            rig.Rig.Time.Advance(TimeSpan.FromMinutes(minutes) / 10);
            return false;
        }, "the end of patience");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Contains("did not answer in time", Assert.Single(rig.Rig.Queued).LastReply(0)!.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("CONNECT")]
    [InlineData("EHLO")]
    [InlineData("MAIL")]
    public async Task The_next_host_takes_over(string point)
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1").At(point, new PeerAct.SayAndClose("421 4.3.2 Busy"));
        ScriptedPeer second = rig.AddPeer("203.0.113.2");
        rig.AddMx("example.com", (20, "b.example.com", "203.0.113.2"), (10, "a.example.com", "203.0.113.1"));
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal(["203.0.113.1", "203.0.113.2"], rig.Dialled);
        Assert.Single(second.Messages);
    }

    [Fact]
    public async Task The_next_address_takes_over_and_few_are_tried()
    {
        await using OutboundRig rig = new();
        rig.Dns.Mx["example.com"] = [new(10, "mx.example.com")];
        rig.Dns.Hosts["mx.example.com"] = [.. Enumerable.Range(1, 8).Select(i => IPAddress.Parse($"203.0.113.{i}")), IPAddress.Parse("2001:db8::25")];
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(5, rig.Dialled.Count);
        Assert.Equal("2001:db8::25", rig.Dialled[0]);
    }

    /// <summary>RFC 5321 section 5.1: one dead family does not use up the attempts.</summary>
    [Theory]
    [InlineData(AddressPreference.PreferIPv6, "2001:db8::")]
    [InlineData(AddressPreference.PreferIPv4, "203.0.113.1")]
    public async Task Each_family_has_its_turn(AddressPreference preference, string first)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Addresses = preference } });
        rig.Dns.Mx["example.com"] = [new(10, "mx.example.com")];
        rig.Dns.Hosts["mx.example.com"] = [.. Enumerable.Range(1, 8).Select(i => IPAddress.Parse($"2001:db8::{i}")), IPAddress.Parse("203.0.113.1")];
        ScriptedPeer peer = rig.AddPeer("203.0.113.1");
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);
        Assert.StartsWith(first, rig.Dialled[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_family_to_which_there_is_no_way_costs_no_attempts_and_is_left_alone_for_a_while()
    {
        await using OutboundRig rig = new() { NoWayTo = System.Net.Sockets.AddressFamily.InterNetworkV6 };
        rig.Dns.Mx["example.com"] = [new(10, "mx.example.com")];
        rig.Dns.Hosts["mx.example.com"] = [.. Enumerable.Range(1, 8).SelectMany(i => (IPAddress[])[IPAddress.Parse($"2001:db8::{i}"), IPAddress.Parse($"203.0.113.{i}")])];
        rig.AddMx("example.net", (10, "six.example.net", "2001:db8::25"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.StartsWith("2001:", rig.Dialled[0], StringComparison.Ordinal);
        Assert.Equal(5, rig.Dialled.Skip(1).Count(address => address.StartsWith("203.", StringComparison.Ordinal)));
        Assert.Equal(6, rig.Dialled.Count);
        await rig.SendAsync("far@example.net");
        await rig.UntilWaitingAsync(2, 1);
        Assert.Equal(6, rig.Dialled.Count);
        Assert.Contains("no way to addresses of its kind", rig.Rig.Queued[1].LastReply(0)!.Text, StringComparison.Ordinal);
        rig.NoWayTo = System.Net.Sockets.AddressFamily.Unspecified;
        ScriptedPeer six = rig.AddPeer("2001:db8::25");
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(7));
        await rig.UntilAsync(() => six.Messages.Count == 1, "the message by IPv6");
    }

    [Fact]
    public async Task A_server_without_ehlo_and_pipelining_is_served_too()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com").At("EHLO", new PeerAct.Say("500 what?"));
        await rig.SendAsync("far@example.com", "two@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal("<ann@example.org>", Assert.Single(peer.Messages).From.Trim());
        Assert.Contains("HELO mail.example.org", peer.Commands);
    }

    [Fact]
    public async Task Tls_is_used_where_offered_whatever_the_certificate()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Certificate = TestCertificate.Shared });
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Contains("STARTTLS", peer.Commands);
        Assert.Equal(2, peer.Commands.Count(command => command.StartsWith("EHLO", StringComparison.Ordinal)));
        Assert.Single(peer.Messages);
    }

    [Theory]
    [InlineData(OutboundTls.May, true)]
    [InlineData(OutboundTls.Encrypt, false)]
    public async Task A_failed_handshake_falls_back_only_where_the_policy_allows(OutboundTls tls, bool arrives)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Tls = tls } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["PIPELINING", "STARTTLS"] });
        peer.At("STARTTLS", new PeerAct.SayAndClose("220 Go"));
        await rig.SendAsync("far@example.com");
        if (arrives) await rig.UntilEmptyAsync();
        else await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(arrives ? 1 : 0, peer.Messages.Count);
    }

    [Theory]
    [InlineData(OutboundTls.Encrypt)]
    [InlineData(OutboundTls.Verify)]
    public async Task Clear_text_never_goes_where_tls_is_demanded(OutboundTls tls)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Tls = tls } });
        ScriptedPeer plain = rig.AddPeer("203.0.113.1", "example.com");
        ScriptedPeer unknown = rig.AddPeer("203.0.113.2", "example.net", new() { Certificate = TestCertificate.Shared });
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal("4.7.4", Assert.Single(rig.Rig.Queued).LastReply(0)!.Status);
        Assert.DoesNotContain(plain.Commands, command => command.StartsWith("MAIL", StringComparison.Ordinal));
        await rig.SendAsync("far@example.net");
        if (tls == OutboundTls.Encrypt) await rig.UntilWaitingAsync(1, 1);
        else await rig.UntilWaitingAsync(2, 1);
        Assert.Equal(tls == OutboundTls.Encrypt ? 1 : 0, unknown.Messages.Count);
    }

    /// <summary>RFC 5321 section 4.5.3.1.10: 552 at RCPT is a relic of RFC 821, unless its status says what is really full.</summary>
    [Theory]
    [InlineData("552 Too many recipients", true)]
    [InlineData("552 5.5.3 Too many recipients", true)]
    [InlineData("552 5.2.2 Mailbox full", false)]
    [InlineData("552 5.3.4 Too big for it", false)]
    public async Task Too_many_recipients_by_an_old_code(string answer, bool arrives)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        peer.At("RCPT", new PeerAct.Say("250 2.1.5 Ok"), new PeerAct.Say(answer), new PeerAct.Say("250 2.1.5 Ok"));
        await rig.SendAsync("a@example.com", "b@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal(arrives ? 2 : 1, peer.Messages.Count);
        Assert.Equal(arrives ? 0 : 1, (await rig.Rig.MailAsync(rig.Rig.Ann)).Count);
    }

    /// <summary>With nobody taken there are not too many.</summary>
    [Fact]
    public async Task An_old_code_for_all_is_final()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com").At("RCPT", new PeerAct.Say("552 No"));
        await rig.SendAsync("a@example.com", "b@example.com");
        await rig.UntilEmptyAsync();
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    [Fact]
    public async Task Some_recipients_may_be_refused_and_too_many_have_their_turn()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        peer.At("RCPT", new PeerAct.Say("250 2.1.5 Ok"), new PeerAct.Say("550 5.1.1 No"), new PeerAct.Say("452 4.5.3 Too many"), new PeerAct.Say("250 2.1.5 Ok"));
        await rig.SendAsync("a@example.com", "b@example.com", "c@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal(2, peer.Messages.Count);
        Assert.StartsWith("<c@example.com>", Assert.Single(peer.Messages[1].To).Trim(), StringComparison.Ordinal);
        Assert.Equal(1, peer.ConnectionCount);
        Assert.Contains("<b@example.com>", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Transactions_and_connections_have_their_limits()
    {
        await using OutboundRig rig = new(options => options with { Queue = options.Queue with { MaxRecipientsPerTransaction = 2 }, Outbound = options.Outbound with { MaxTransactions = 3 } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        await rig.SendAsync([.. Enumerable.Range(0, 9).Select(i => $"u{i}@example.com")]);
        await rig.UntilEmptyAsync();
        Assert.Equal([2, 2, 2, 2, 1], peer.Messages.Select(message => message.To.Count));
        Assert.Equal(1, peer.ConnectionCount); // one delivery is never torn apart
        await rig.SendAsync("a@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal(2, peer.ConnectionCount);
    }

    [Fact]
    public async Task Size_is_looked_at_before_anything_is_sent()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["SIZE 100"] });
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.DoesNotContain(peer.Commands, command => command.StartsWith("MAIL", StringComparison.Ordinal));
        Assert.Contains("Status: 5.3.4", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(EightBitPolicy.SendAsIs, true, "")]
    [InlineData(EightBitPolicy.Refuse, false, "5.6.1")]
    public async Task Eight_bits_for_a_seven_bit_server(EightBitPolicy policy, bool arrives, string status)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { EightBit = policy } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = [] });
        await rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "far@example.com"), "From: ann@example.org\n\n\u00e9\n");
        await rig.UntilEmptyAsync();
        Assert.Equal(arrives ? 1 : 0, peer.Messages.Count);
        if (status.Length > 0) Assert.Contains($"Status: {status}", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    /// <summary>RFC 6531 sections 3.2 and 3.5: an address, or a header of which the client said so. A raw header without a word is older than that.</summary>
    [Theory]
    [InlineData("far@example.com", false, "\u00e9", "")]
    [InlineData("far@example.com", true, "e", "")]
    [InlineData("far@example.com", true, "\u00e9", "5.6.9")]
    [InlineData("b\u00fccher@example.com", true, "e", "5.6.7")]
    public async Task What_needs_smtputf8(string to, bool said, string subject, string status)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["8BITMIME", "PIPELINING"] });
        ScriptedPeer able = rig.AddPeer("203.0.113.2", "example.net", new() { Extensions = ["8BITMIME", "SMTPUTF8"] });
        foreach (string address in (string[])[to, to.Replace(".com", ".net", StringComparison.Ordinal)])
        {
            Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), SmtpUtf8 = said };
            envelope.Recipients.Add(new(EmailAddress.Parse(address), DsnNotify.Unspecified, null));
            await rig.SendAsync(envelope, $"From: ann@example.org\nSubject: {subject}\n\nx\n");
        }
        await rig.UntilEmptyAsync();
        Assert.Equal(status.Length > 0, Assert.Single(able.Messages).From.Contains(" SMTPUTF8", StringComparison.Ordinal));
        if (status.Length == 0) Assert.DoesNotContain("SMTPUTF8", Assert.Single(peer.Messages).From, StringComparison.Ordinal);
        else Assert.Contains($"Status: {status}", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_relay_host_gets_everything_after_login_under_tls()
    {
        NextHop.Host relay = new("relay.example.net", 587) { Login = new("user", "secret"), Tls = OutboundRig.Known };
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Relay = relay } });
        rig.Dns.Hosts["relay.example.net"] = [IPAddress.Parse("203.0.113.9")];
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Certificate = TestCertificate.Shared, Extensions = ["PIPELINING", "AUTH PLAIN LOGIN"] });
        peer.At("AUTH", new PeerAct.Say("235 2.7.0 Welcome"));
        await rig.SendAsync("a@example.com", "b@example.net");
        await rig.UntilEmptyAsync();
        Assert.Equal(2, Assert.Single(peer.Messages).To.Count);
        Assert.Contains("AUTH PLAIN AHVzZXIAc2VjcmV0", peer.Commands);
        // RFC 4954 section 5: whose message it is we do not say.
        Assert.EndsWith(" AUTH=<>", Assert.Single(peer.Commands, command => command.StartsWith("MAIL", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", relay.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_password_never_goes_out_in_clear_text()
    {
        NextHop.Host relay = new("relay.example.net", 587) { Login = new("user", "secret") };
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Relay = relay } });
        rig.Dns.Hosts["relay.example.net"] = [IPAddress.Parse("203.0.113.9")];
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { Extensions = ["AUTH PLAIN LOGIN"] });
        await rig.SendAsync("a@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.DoesNotContain(peer.Commands, command => command.StartsWith("AUTH", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Lmtp_has_a_reply_for_each_recipient()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Routes = [new("example.com", new NextHop.Lmtp(new IPEndPoint(IPAddress.Parse("203.0.113.9"), 24)))] } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { IsLmtp = true });
        peer.At(".", new PeerAct.Say("250 2.1.5 Ok"), new PeerAct.Say("550 5.2.1 Closed"));
        await rig.SendAsync("a@example.com", "b@example.com");
        await rig.UntilEmptyAsync();
        Assert.Contains("LHLO mail.example.org", peer.Commands);
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Contains("<b@example.com>", report, StringComparison.Ordinal);
        Assert.DoesNotContain("<a@example.com>", report, StringComparison.Ordinal);
    }

    /// <summary>RFC 2033 section 4.3: BDAT LAST too.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Lmtp_has_a_reply_for_each_recipient_of_a_chunked_message(bool pipelining)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Routes = [new("example.com", new NextHop.Lmtp(new IPEndPoint(IPAddress.Parse("203.0.113.9"), 24)))] } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.9", peer: new() { IsLmtp = true, Extensions = pipelining ? ["CHUNKING", "BINARYMIME", "PIPELINING"] : ["CHUNKING", "BINARYMIME"] });
        peer.At(".", new PeerAct.Say("250 2.1.5 Ok"), new PeerAct.Say("550 5.2.1 Closed"), new PeerAct.Say("452 4.2.2 Full"), new PeerAct.Say("250 2.1.5 Ok"));
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), Body = BodyType.BinaryMime };
        foreach (string name in (string[])["a", "b", "c"]) envelope.Recipients.Add(new(EmailAddress.Parse($"{name}@example.com"), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope, "From: ann@example.org\nMIME-Version: 1.0\nContent-Type: image/gif\nContent-Transfer-Encoding: binary\n\n.\n" + (char)0);
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal("452 4.2.2 Full", Assert.Single(rig.Rig.Queued).LastReply(2)!.ToString());
        Assert.Contains("Final-Recipient: rfc822; b@example.com\r\n", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(7));
        await rig.UntilEmptyAsync();
        Assert.StartsWith("<c@example.com>", Assert.Single(peer.Messages[^1].To).Trim(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nullmx.example", "5.1.10")]
    [InlineData("nowhere.example", "5.1.2")]
    [InlineData("loops.example", "5.4.6")]
    [InlineData("self.example", "5.4.6")]
    [InlineData("[192.0.2.1]", "")]
    [InlineData("hostless.example", "5.4.4")]
    public async Task Where_no_mail_can_go(string domain, string status)
    {
        await using OutboundRig rig = new();
        rig.Dns.Mx["nullmx.example"] = [new(0, ".")];
        rig.AddMx("loops.example", (10, "here.example", "192.0.2.1"), (20, "other.example", "203.0.113.5"));
        rig.AddPeer("203.0.113.6", "self.example", new() { Name = "mail.example.org" });
        rig.Dns.Mx["hostless.example"] = [new(10, "missing.example")];
        await rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "ann@example.org", status.Length > 0 ? $"far@{domain}" : $"bob@{domain}"));
        await rig.UntilEmptyAsync();
        if (status.Length > 0) Assert.Contains($"Status: {status}", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
        else Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        // The domain exists, and so may the address: it is its administrator's slip.
        if (domain == "hostless.example") Assert.Contains("missing.example, which the MX record of hostless.example names, does not exist", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)).ReplaceLineEndings(" ").Replace("  ", " ", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.DoesNotContain("203.0.113.5", rig.Dialled);
    }

    /// <summary>What waits for our own address, or for a duty at our own name, is for our own mailboxes.</summary>
    [Theory]
    [InlineData("bob@[192.0.2.1]")]
    [InlineData("postmaster@mail.example.org")]
    public async Task Mail_for_our_own_places_that_waited_stays_here(string to)
    {
        await using OutboundRig rig = new();
        rig.Rig.Directory.AddAlias("postmaster@example.org", "bob@example.org");
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), ReleaseAt = rig.Rig.Time.GetUtcNow().AddHours(1) };
        envelope.Recipients.Add(new(EmailAddress.Parse(to), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope);
        await rig.UntilWaitingAsync(1, 0);
        rig.Rig.Time.Advance(TimeSpan.FromHours(2));
        await rig.UntilEmptyAsync();
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    [Fact]
    public async Task Dns_trouble_is_no_reason_to_bounce_and_a_domain_may_be_its_own_host()
    {
        await using OutboundRig rig = new();
        rig.Dns.Broken.Add("example.com");
        rig.Dns.Hosts["direct.example"] = [IPAddress.Parse("203.0.113.3")];
        ScriptedPeer direct = rig.AddPeer("203.0.113.3");
        ScriptedPeer literal = rig.AddPeer("203.0.113.4");
        await rig.SendAsync("far@example.com", "far@direct.example", "far@[203.0.113.4]");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Single(direct.Messages);
        Assert.Single(literal.Messages);
        Assert.Equal("4.4.3", Assert.Single(rig.Rig.Queued).LastReply(0)!.Status);
    }

    [Theory]
    [InlineData("521 5.3.2 No mail here")]
    [InlineData("554 5.7.1 Go away")]
    public async Task A_host_that_takes_no_mail_from_us_ends_it_when_there_is_no_other(string greeting)
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com").At("CONNECT", new PeerAct.SayAndClose(greeting));
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Contains(greeting, Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    /// <summary>RFC 7504 section 4: 521 speaks for the host alone, and the next one may have the mail; 556 for the domain.</summary>
    [Fact]
    public async Task Another_host_may_take_what_one_says_it_never_takes()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1").At("CONNECT", new PeerAct.SayAndClose("521 5.3.2 No mail here"));
        ScriptedPeer second = rig.AddPeer("203.0.113.2");
        rig.AddMx("example.com", (10, "a.example.com", "203.0.113.1"), (20, "b.example.com", "203.0.113.2"));
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Single(second.Messages);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    [Fact]
    public async Task A_domain_that_takes_no_mail_is_asked_once()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1").At("RCPT", new PeerAct.Say("556 5.1.10 Recipient address has null MX"));
        ScriptedPeer second = rig.AddPeer("203.0.113.2");
        rig.AddMx("example.com", (10, "a.example.com", "203.0.113.1"), (20, "b.example.com", "203.0.113.2"));
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Empty(second.Messages);
        Assert.Contains("Diagnostic-Code: smtp; 556 5.1.10 Recipient address has null MX", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Equal_hosts_share_the_load()
    {
        await using OutboundRig rig = new();
        rig.AddMx("example.com", (10, "a.example.com", "203.0.113.1"), (10, "b.example.com", "203.0.113.2"), (5, "c.example.com", "203.0.113.3"));
        MailRouter router = new(rig.Dns, rig.Rig.Directory, () => rig.Rig.Options);
        HashSet<string> orders = [];
        for (int i = 0; i < 60; i++) orders.Add(string.Join(' ', Assert.IsType<Route.Hosts>(await router.FindAsync(EmailAddress.Parse("x@example.com"), ReversePath.Null, default)).Names));
        Assert.Equal(["c.example.com a.example.com b.example.com", "c.example.com b.example.com a.example.com"], orders.Order());
    }

    [Theory]
    [InlineData("ann@example.org", "a.example.com", "relay-a")]
    [InlineData("ann@example.org", "example.com", "relay-b")]
    [InlineData("x@example.net", "example.com", "relay-b")]
    [InlineData("ann@example.org", "other.example", "relay-c")]
    [InlineData("x@example.net", "other.example", "")]
    [InlineData("", "other.example", "")]
    public async Task Routes_are_told_by_recipient_and_sender(string from, string domain, string relay)
    {
        RouteRule[] rules = [new(".example.com", new NextHop.Host("relay-a", 25)), new("example.com", new NextHop.Host("relay-b", 25)), new("*", new NextHop.Host("relay-c", 587)) { Sender = "example.org" }];
        TransportOptions options = new() { Hostname = "mail.example.org", Outbound = new() { Routes = rules } };
        MailRouter router = new(new FakeDns(), new FakeDirectory(), () => options);
        ReversePath sender = from.Length == 0 ? ReversePath.Null : ReversePath.Of(EmailAddress.Parse(from));
        NextHop hop = await router.HopOfAsync(EmailAddress.Parse($"x@{domain}"), sender, TestContext.Current.CancellationToken);
        Assert.Equal(relay, hop is NextHop.Host host ? host.Name : "");
    }

    [Fact]
    public async Task A_fallback_relay_takes_what_no_host_could_be_reached_for()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Fallback = new("relay.example.net", 25) } });
        rig.Dns.Hosts["relay.example.net"] = [IPAddress.Parse("203.0.113.9")];
        ScriptedPeer relay = rig.AddPeer("203.0.113.9");
        rig.AddMx("dead.example", (10, "mx.dead.example", "203.0.113.1"));
        rig.Dns.Broken.Add("broken.example");
        rig.AddPeer("203.0.113.2", "refusing.example").At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        await rig.SendAsync("a@dead.example", "b@broken.example", "c@refusing.example");
        await rig.UntilEmptyAsync();
        Assert.Equal(["<a@dead.example>", "<b@broken.example>"], relay.Messages.SelectMany(message => message.To).Select(to => to.Split(' ')[0].Trim()).Order());
        Assert.Contains("<c@refusing.example>", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    // A stranger's MX must not lead us to this host, where we are a trusted client.
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.5")]
    [InlineData("127.255.255.254")]
    [InlineData("0.0.0.0")]
    [InlineData("0.0.0.7")]
    [InlineData("::1")]
    [InlineData("::")]
    [InlineData("::ffff:127.0.0.5")]
    [InlineData("::ffff:0.0.0.0")]
    [InlineData("::ffff:192.0.2.1")]
    public async Task An_MX_that_is_this_host_is_not_dialled(string address)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer(address, "evil.example");
        await rig.SendAsync("far@evil.example");
        await rig.UntilEmptyAsync();
        Assert.Contains("Status: 5.4.6", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
        Assert.Empty(rig.Dialled);
        Assert.Empty(peer.Messages);
    }

    // Whatever name we give elsewhere, our own server greets with the host's.
    [Theory]
    [InlineData("mail.example.org")]
    [InlineData("out.example.org")]
    public async Task A_server_that_greets_with_a_name_of_ours_is_ours(string greets)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Helo = "out.example.org" } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.6", "self.example", new() { Name = greets });
        await rig.SendAsync("far@self.example");
        await rig.UntilEmptyAsync();
        Assert.Contains("Status: 5.4.6", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
        Assert.Empty(peer.Messages);
    }

    [Fact]
    public void A_listener_on_all_addresses_stands_for_each_of_them()
    {
        IReadOnlyList<IPEndPoint> own = OwnAddresses.Expand([new(IPAddress.IPv6Any, 25), new(IPAddress.Parse("192.0.2.1"), 26)]);
        Assert.Contains(new IPEndPoint(IPAddress.Loopback, 25), own);
        Assert.Contains(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 26), own);
        Assert.DoesNotContain(own, place => place.Address.Equals(IPAddress.IPv6Any));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, false)]
    public async Task Binary_content_goes_octet_for_octet_where_that_is_offered(bool offered, bool pipelining)
    {
        await using OutboundRig rig = new();
        List<string> extensions = offered ? ["CHUNKING", "BINARYMIME", "SIZE"] : ["8BITMIME"];
        if (pipelining) extensions.Add("PIPELINING");
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = extensions });
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), Body = BodyType.BinaryMime };
        envelope.Recipients.Add(new(EmailAddress.Parse("far@example.com"), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope, "From: ann@example.org\nMIME-Version: 1.0\nContent-Type: image/gif\nContent-Transfer-Encoding: binary\n\n.\n" + (char)0 + (char)255);
        await rig.UntilEmptyAsync();
        if (offered) Assert.EndsWith("\r\n\r\n.\r\n" + (char)0 + (char)255, OutboundRig.Text(Assert.Single(peer.Messages)), StringComparison.Ordinal);
        else Assert.EndsWith("Content-Transfer-Encoding: base64\r\n\r\nLg0KAP8=\r\n", OutboundRig.Text(Assert.Single(peer.Messages)), StringComparison.Ordinal);
    }

    /// <summary>Nothing faked but the directory and the mailboxes: DNS by UDP, TCP, TLS, the system's clock.</summary>
    [Fact]
    public async Task The_whole_way_over_real_sockets()
    {
        await using ScriptedPeer peer = new() { Certificate = TestCertificate.Shared };
        int port = peer.Listen().Port;
        await using DnsServer server = new();
        server.Mx("example.com", 10, "mx.example.com").Address("mx.example.com", "127.0.0.1");
        TransportOptions options = new() { Hostname = "mail.example.org", Outbound = new() { Port = port } };
        using TransportRig rig = new(options);
        await using Transport.Queue.QueueRunner runner = new(rig.Transport, new MailDns([server.EndPoint]), new SocketConnector(), null, null);
        runner.Start();
        string body = string.Concat(Enumerable.Repeat("A line of a message that takes several records of TLS.\n", 5000));
        Assert.True((await rig.SendAsync(rig.Envelope(rig.User, "ann@example.org", "far@example.com"), "From: ann@example.org\n\n" + body)).Overall.IsPositive);
        for (int i = 0; i < 500 && rig.Queue.Count > 0; i++) await Task.WhenAny(rig.Queue.News, Task.Delay(20));
        Assert.Equal(0, rig.Queue.Count);
        Assert.Contains("STARTTLS", peer.Commands);
        Assert.EndsWith("\r\n\r\n" + body.ReplaceLineEndings("\r\n"), OutboundRig.Text(Assert.Single(peer.Messages)), StringComparison.Ordinal);
    }
}
