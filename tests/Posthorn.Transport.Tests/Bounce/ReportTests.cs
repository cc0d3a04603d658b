using System.Text;
using MimeKit;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Bounce;

/// <summary>What stands in a report (RFC 3461 sections 6.2 and 6.3, RFC 3464 section 2, RFC 6522, RFC 6533).</summary>
public sealed class ReportTests
{
    private sealed record Sent(DsnReturn Return = DsnReturn.Unspecified, BodyType Body = BodyType.SevenBit, bool SmtpUtf8 = false, string? Original = null, string To = "far@example.com");

    // Ann's message is refused; her report.
    private static async Task<string> ReportAsync(Sent sent, string text, string answer = "550 5.1.1 No", params string[] extensions)
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["PIPELINING", .. extensions] }).At("RCPT", new PeerAct.Say(answer));
        Envelope envelope = new()
        {
            Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), Return = sent.Return, Body = sent.Body, SmtpUtf8 = sent.SmtpUtf8,
        };
        envelope.Recipients.Add(new(EmailAddress.Parse(sent.To), DsnNotify.Unspecified, sent.Original));
        await rig.SendAsync(envelope, text);
        await rig.UntilEmptyAsync();
        return Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann))));
    }

    private static string Part(string report, string type)
    {
        int start = report.IndexOf($"Content-Type: {type}", StringComparison.Ordinal);
        Assert.True(start >= 0, $"no part {type} in\n{report}");
        return report[start..report.IndexOf("\r\n--=", start, StringComparison.Ordinal)];
    }

    [Theory]
    [InlineData(DsnReturn.Unspecified, 10, "message/rfc822")]
    [InlineData(DsnReturn.Full, 10, "message/rfc822")]
    [InlineData(DsnReturn.Headers, 10, "text/rfc822-headers")]
    [InlineData(DsnReturn.Full, 2000, "text/rfc822-headers")]
    public async Task What_comes_back(DsnReturn wanted, int lines, string type)
    {
        string body = string.Concat(Enumerable.Repeat("0123456789012345678901234567890123456789\n", lines));
        string report = await ReportAsync(new(wanted), $"From: ann@example.org\nSubject: hi\n\n{body}");
        string part = Part(report, type);
        Assert.Contains("Subject: hi\r\n", part, StringComparison.Ordinal);
        Assert.Equal(type == "message/rfc822", part.Contains("0123456789\r\n", StringComparison.Ordinal));
    }

    /// <summary>RFC 6522 section 3: no way back is known to bear binary content.</summary>
    [Fact]
    public async Task Of_a_binary_message_the_header_comes_back() =>
        Part(await ReportAsync(new(DsnReturn.Full, BodyType.BinaryMime), "From: ann@example.org\nMIME-Version: 1.0\nContent-Type: image/gif\nContent-Transfer-Encoding: binary\n\n\0\u0001", "550 5.1.1 No", "CHUNKING", "BINARYMIME"), "text/rfc822-headers");

    /// <summary>RFC 3464 section 2.1: message/delivery-status is 7-bit, whatever the server's words; people are shown them as they were.</summary>
    [Fact]
    public async Task What_programs_read_is_ascii()
    {
        string report = await ReportAsync(new(), "From: ann@example.org\n\nx\n", "550 5.1.1 Unbekannter Empf\u00e4nger");
        string status = Part(report, "message/delivery-status");
        Assert.Contains("Content-Transfer-Encoding: 7bit\r\n", status, StringComparison.Ordinal);
        Assert.Contains("Diagnostic-Code: smtp; 550 5.1.1 Unbekannter Empf?nger\r\n", status, StringComparison.Ordinal);
        Assert.Contains("Empf\u00e4nger", Part(report, "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_report_in_ascii_calls_itself_so() => Assert.DoesNotContain("8bit", await ReportAsync(new(), "From: ann@example.org\n\nx\n"), StringComparison.Ordinal);

    /// <summary>RFC 6533 section 3: an address of the type utf-8 is decoded where UTF-8 may stand, and stays coded where it may not.</summary>
    [Theory]
    [InlineData("far@example.com", "utf-8;b\\x{FC}cher@example.com", "message/delivery-status", "Original-Recipient: utf-8; b\\x{FC}cher@example.com\r\n")]
    [InlineData("b\u00fccher@example.com", "utf-8;b\\x{FC}cher+2B@example.com", "message/global-delivery-status", "Original-Recipient: utf-8; b\u00fccher+2B@example.com\r\n")]
    [InlineData("far@example.com", "utf-8;b\u00fccher@example.com", "message/global-delivery-status", "Original-Recipient: utf-8; b\u00fccher@example.com\r\n")]
    [InlineData("far@example.com", "rfc822;x+2By+20z@example.com", "message/delivery-status", "Original-Recipient: rfc822; x+y z@example.com\r\n")]
    public async Task Original_recipients(string to, string original, string type, string field) =>
        Assert.Contains(field, Part(await ReportAsync(new(SmtpUtf8: true, Original: original, To: to), "From: ann@example.org\n\nx\n"), type), StringComparison.Ordinal);

    /// <summary>RFC 3464 section 2.3.6: when time has run out, what the server said last stands as its words, and what we say as ours.</summary>
    [Fact]
    public async Task When_time_runs_out_nobody_is_made_to_say_what_it_did_not()
    {
        await using OutboundRig rig = new(options => options with { Queue = options.Queue with { Lifetime = TimeSpan.FromMinutes(1), DelayWarning = null } });
        rig.AddPeer("203.0.113.1", "example.com").At("RCPT", new PeerAct.Say("451 4.3.2 Come back later"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(10));
        await rig.UntilEmptyAsync();
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), status = Part(report, "message/delivery-status");
        Assert.Contains("Status: 5.4.7\r\nRemote-MTA: dns; mx.example.com\r\nDiagnostic-Code: smtp; 451 4.3.2 Come back later\r\n", status, StringComparison.Ordinal);
        Assert.DoesNotContain("Will-Retry-Until", status, StringComparison.Ordinal);
        Assert.Contains("    550 5.4.7 The message could not be delivered for too long; the last answer\r\n    was: 451 4.3.2 Come back later\r\n", report, StringComparison.Ordinal);
        Assert.DoesNotContain("said: 550", report, StringComparison.Ordinal);
    }

    /// <summary>What we made of a server's capabilities, or of its silence, is not put into its mouth.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nobody_is_made_to_say_what_we_say(bool hangsUp)
    {
        await using OutboundRig rig = new(options => options with { Queue = options.Queue with { Lifetime = TimeSpan.FromMinutes(1), DelayWarning = null } });
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["8BITMIME"] });
        if (hangsUp) peer.At("MAIL", new PeerAct.Close());
        await rig.SendAsync(hangsUp ? "far@example.com" : "b\u00fccher@example.com");
        if (hangsUp)
        {
            await rig.UntilWaitingAsync(1, 1);
            rig.Rig.Time.Advance(TimeSpan.FromMinutes(10));
        }
        await rig.UntilEmptyAsync();
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Contains("Diagnostic-Code: x-posthorn; mx.example.com ", report, StringComparison.Ordinal);
        Assert.DoesNotContain("Remote-MTA", report, StringComparison.Ordinal);
        Assert.DoesNotContain(" said: ", report, StringComparison.Ordinal);
    }

    /// <summary>RFC 3461 section 6.3 (d): ORCPT that nobody gave goes along, and is not told as the sender's; not even after a restart.</summary>
    [Fact]
    public async Task An_original_recipient_that_is_our_own_word()
    {
        await using OutboundRig rig = new();
        rig.Rig.Directory.AddAlias("one@example.org", "far@example.com");
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com").At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        await rig.SendAsync("one@example.org");
        await rig.UntilEmptyAsync();
        Assert.Contains("RCPT TO:<far@example.com> ORCPT=rfc822;one@example.org", peer.Commands);
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.DoesNotContain("Original-Recipient", report, StringComparison.Ordinal);
        Assert.Contains("<far@example.com> (for one@example.org)\r\n", report, StringComparison.Ordinal);
    }

    /// <summary>RFC 3461 section 9.3: a domain, or an address as a literal. Where a server behind this one listens is nobody's business.</summary>
    [Theory]
    [InlineData("mx.example.com", "mx.example.com")]
    [InlineData("203.0.113.9", "[203.0.113.9]")]
    [InlineData("[203.0.113.9]", "[203.0.113.9]")]
    [InlineData("2001:db8::9", "[IPv6:2001:db8::9]")]
    [InlineData("203.0.113.9:24", null)]
    [InlineData("[::1]:24", null)]
    [InlineData("/run/dovecot/lmtp", null)]
    [InlineData("Unspecified/dovecot.internal:24", null)]
    [InlineData("", null)]
    public void How_other_servers_are_named(string host, string? name) => Assert.Equal(name, Posthorn.Transport.Bounce.MtaName.Of(host));

    [Fact]
    public async Task A_server_behind_this_one_is_not_named()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Routes = [new("example.com", new NextHop.Lmtp(new System.Net.IPEndPoint(System.Net.IPAddress.Parse("203.0.113.9"), 24)))] } });
        rig.AddPeer("203.0.113.9", peer: new() { IsLmtp = true }).At(".", new PeerAct.Say("550 5.2.1 Closed"));
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.DoesNotContain("203.0.113.9", report, StringComparison.Ordinal);
        Assert.Contains("    The next mail server said: 550 5.2.1 Closed\r\n", report, StringComparison.Ordinal);
        Assert.Contains("Diagnostic-Code: smtp; 550 5.2.1 Closed\r\n", report, StringComparison.Ordinal);
    }

    /// <summary>RFC 4865 section 5.1: as the sender's program said it.</summary>
    [Theory]
    [InlineData(3600, "for;3600")]
    [InlineData(null, "until;2026-03-04T06:06:07Z")]
    public async Task A_message_of_the_future(int? seconds, string field)
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com").At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        Envelope envelope = new()
        {
            Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), ReleaseAt = rig.Rig.Time.GetUtcNow().AddHours(1), HoldFor = seconds,
        };
        envelope.Recipients.Add(new(EmailAddress.Parse("far@example.com"), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope, "From: ann@example.org\n\nx\n");
        await rig.UntilWaitingAsync(1, 0);
        rig.Rig.Time.Advance(TimeSpan.FromHours(2));
        await rig.UntilEmptyAsync();
        Assert.Contains($"Future-Release-Request: {field}\r\n", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_fields_of_the_message()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["DSN"] }).At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        Envelope envelope = new()
        {
            Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), EnvelopeId = "a b+c", By = new(rig.Rig.Time.GetUtcNow().AddHours(1), false, false),
        };
        envelope.Recipients.Add(new(EmailAddress.Parse("far@example.com"), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope, "From: ann@example.org\n\nx\n");
        await rig.UntilEmptyAsync();
        string status = Part(Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), "message/delivery-status");
        Assert.Equal($$"""
            Content-Type: message/delivery-status
            Content-Transfer-Encoding: 7bit

            Original-Envelope-Id: a b+c
            Reporting-MTA: dns; mail.example.org
            Arrival-Date: Wed, 4 Mar 2026 05:06:07 +0000
            Deliver-By-Date: Wed, 4 Mar 2026 06:06:07 +0000
            X-Posthorn-Queue-ID: {{envelope.Id}}

            Final-Recipient: rfc822; far@example.com
            Action: failed
            Status: 5.1.1
            Remote-MTA: dns; mx.example.com
            Diagnostic-Code: smtp; 550 5.1.1 No
            Last-Attempt-Date: Wed, 4 Mar 2026 07:06:07 +0200

            """.ReplaceLineEndings("\r\n"), status);
    }

    /// <summary>A signature within what comes back is no signature of the report: it may be recoded for a server that takes 7 bits.</summary>
    [Fact]
    public async Task A_report_on_a_signed_message_reaches_a_server_without_8bitmime()
    {
        await using OutboundRig rig = new();
        rig.Rig.Directory.AddAlias("one@example.org", "far@example.com");
        rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["8BITMIME"] }).At("RCPT", new PeerAct.Say("550 5.1.1 Nicht f\u00fcr uns"));
        ScriptedPeer origin = rig.AddPeer("203.0.113.2", "example.net", new() { Extensions = ["SIZE"] });
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "eve@example.net", "one@example.org"), "DKIM-Signature: v=1; d=example.net; b=x\nFrom: eve@example.net\n\nplain\n");
        await rig.UntilEmptyAsync();
        MimeMessage report = MimeMessage.Load(new MemoryStream(Assert.Single(origin.Messages).Content));
        Assert.Contains("Nicht f\u00fcr uns", ((TextPart)((Multipart)report.Body!)[0]).Text, StringComparison.Ordinal);
        Assert.All(origin.Messages[0].Content, octet => Assert.True(octet < 0x80));
    }

    /// <summary>RFC 5322 section 2.1.1: no line over 998 octets, whatever a server says; RFC 3461 section 9.2: line by line as it was said.</summary>
    [Fact]
    public async Task A_chatty_server()
    {
        string line = string.Join(' ', Enumerable.Repeat("words", 60)), word = new('w', 3000);
        string report = await ReportAsync(new(), "From: ann@example.org\n\nx\n", $"550-5.7.1 First\n550-5.7.1 {line}\n550 5.7.1 {word}");
        Assert.All(report.Split("\r\n"), one => Assert.True(Encoding.UTF8.GetByteCount(one) <= 998, one));
        Assert.Contains("Diagnostic-Code: smtp; 550-5.7.1 First\r\n 550-5.7.1 words words", Part(report, "message/delivery-status"), StringComparison.Ordinal);
        MultipartReport body = Assert.IsType<MultipartReport>(MimeMessage.Load(new MemoryStream(Encoding.Latin1.GetBytes(report))).Body);
        Assert.Equal("failed", Assert.IsType<MessageDeliveryStatus>(body[1]).StatusGroups[1]["Action"]);
    }

    /// <summary>A long line of what comes back is none for a server that need not take it (RFC 5321 section 4.5.3.1.6).</summary>
    [Fact]
    public async Task A_report_with_a_long_line_in_what_comes_back_is_recoded_on_its_way()
    {
        await using OutboundRig rig = new();
        rig.Rig.Directory.AddAlias("one@example.org", "far@example.com");
        rig.AddPeer("203.0.113.1", "example.com").At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        ScriptedPeer origin = rig.AddPeer("203.0.113.2", "example.net", new() { Extensions = ["8BITMIME"] });
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "eve@example.net", "one@example.org"), $"From: eve@example.net\n\n{new string('x', 3000)}\n");
        await rig.UntilEmptyAsync();
        Assert.All(OutboundRig.Text(Assert.Single(origin.Messages)).Split("\r\n"), one => Assert.True(one.Length <= 998, one));
    }
}
