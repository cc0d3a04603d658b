using System.Net;
using MimeKit;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>The whole way out: accepted, queued, taken to a server, and what the sender hears of it.</summary>
public sealed class OutboundTests
{
    [Fact]
    public async Task Mail_for_others_reaches_their_server_byte_for_byte()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        Envelope envelope = rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "far@example.com");
        await rig.SendAsync(envelope);
        await rig.UntilEmptyAsync();
        PeerMessage message = Assert.Single(peer.Messages);
        Assert.StartsWith("<ann@example.org> SIZE=", message.From.Trim(), StringComparison.Ordinal);
        Assert.StartsWith("<far@example.com>", Assert.Single(message.To).Trim(), StringComparison.Ordinal);
        Assert.Equal(
            $"""
            Received: from localhost
            	by mail.example.org (Posthorn) with ESMTPA id {envelope.Id}
            	for <far@example.com>;
            	Wed, 4 Mar 2026 07:06:07 +0200
            From: ann@example.org
            Date: x
            Message-ID: <1@x>
            Subject: hi

            Text
            .dot
            ..

            """.ReplaceLineEndings("\r\n"), OutboundRig.Text(message));
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    [Fact]
    public async Task Recipients_of_one_domain_share_a_transaction_and_messages_a_connection()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        peer.At("CONNECT", new PeerAct.Say("220 hi"));
        for (int i = 0; i < 5; i++) await rig.SendAsync($"a{i}@example.com", $"b{i}@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal(5, peer.Messages.Count);
        Assert.All(peer.Messages, message => Assert.Equal(2, message.To.Count));
        Assert.True(peer.ConnectionCount < 5, $"{peer.ConnectionCount} connections");
    }

    [Fact]
    public async Task A_temporary_refusal_is_tried_again_later()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        peer.At("RCPT", new PeerAct.Say("450 4.2.0 Greylisted"), new PeerAct.Say("250 2.1.5 Ok"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Empty(peer.Messages);
        QueueEntry entry = Assert.Single(rig.Rig.Queued);
        Assert.Equal("450 4.2.0 Greylisted", entry.LastReply(0)!.ToString());
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(1, rig.Rig.Queue.Count);
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(4));
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);
    }

    [Fact]
    public async Task A_refusal_comes_back_to_the_sender_as_a_report_that_programs_read()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        peer.At("RCPT", new PeerAct.Say("550-5.1.1 No such user\n550 5.1.1 really"), new PeerAct.Say("250 2.1.5 Ok"));
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), EnvelopeId = "id 1" };
        envelope.Recipients.Add(new(EmailAddress.Parse("nobody@example.com"), DsnNotify.Failure, "rfc822;orig+2B@x"));
        envelope.Recipients.Add(new(EmailAddress.Parse("good@example.com"), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope);
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);

        string raw = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.StartsWith("Return-Path: <>\r\n", raw, StringComparison.Ordinal);
        MimeMessage report = MimeMessage.Load(new MemoryStream(System.Text.Encoding.Latin1.GetBytes(raw)));
        Assert.Equal("MAILER-DAEMON@mail.example.org", report.From.Mailboxes.Single().Address);
        Assert.Equal("ann@example.org", report.To.Mailboxes.Single().Address);
        Assert.Equal("auto-replied", report.Headers["Auto-Submitted"]);
        MultipartReport body = Assert.IsType<MultipartReport>(report.Body);
        Assert.Equal("delivery-status", body.ReportType);
        Assert.Equal(3, body.Count);
        Assert.Contains("550 5.1.1 No such user really", ((TextPart)body[0]).Text, StringComparison.Ordinal);
        Assert.Contains("Check the spelling", ((TextPart)body[0]).Text, StringComparison.Ordinal);
        MessageDeliveryStatus status = Assert.IsType<MessageDeliveryStatus>(body[1]);
        Assert.Equal(2, status.StatusGroups.Count);
        Assert.Equal("dns; mail.example.org", status.StatusGroups[0]["Reporting-MTA"]);
        Assert.Equal("id 1", status.StatusGroups[0]["Original-Envelope-Id"]);
        Assert.Equal("rfc822; orig+@x", status.StatusGroups[1]["Original-Recipient"]);
        Assert.Equal("rfc822; nobody@example.com", status.StatusGroups[1]["Final-Recipient"]);
        Assert.Equal("failed", status.StatusGroups[1]["Action"]);
        Assert.Equal("5.1.1", status.StatusGroups[1]["Status"]);
        Assert.Equal("dns; mx.example.com", status.StatusGroups[1]["Remote-MTA"]);
        Assert.Contains("Diagnostic-Code: smtp; 550-5.1.1 No such user\r\n 550 5.1.1 really\r\n", raw, StringComparison.Ordinal);
        MessagePart returned = Assert.IsType<MessagePart>(body[2]);
        Assert.Equal("hi", returned.Message?.Subject);
    }

    [Theory]
    [InlineData(DsnNotify.Never, "ann@example.org")]
    [InlineData(DsnNotify.Success, "ann@example.org")]
    [InlineData(DsnNotify.Unspecified, "")]
    public async Task No_report_where_none_is_wanted(DsnNotify notify, string from)
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com").At("MAIL", new PeerAct.Say("550 5.7.1 No"));
        Envelope envelope = rig.Rig.Envelope(rig.Rig.User, from);
        envelope.Recipients.Add(new(EmailAddress.Parse("far@example.com"), notify, null));
        await rig.SendAsync(envelope);
        await rig.UntilEmptyAsync();
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Single(rig.Rig.Journal.Steps);
    }

    [Fact]
    public async Task A_bounce_of_mail_from_elsewhere_goes_back_there_and_dies_there()
    {
        await using OutboundRig rig = new();
        rig.Rig.Directory.AddAlias("forward@example.org", "far@example.com");
        rig.AddPeer("203.0.113.1", "example.com").At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        ScriptedPeer origin = rig.AddPeer("203.0.113.2", "example.net");
        origin.At(".", new PeerAct.Say("554 5.7.1 We do not want your bounces"));
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "eve@example.net", "forward@example.org"), "From: eve@example.net\n\nx\n");
        await rig.UntilEmptyAsync();
        Assert.Single(origin.Commands, command => command.StartsWith("MAIL FROM:<>", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Those_refused_after_data_beside_others_get_a_bounce_or_wait()
    {
        await using OutboundRig rig = new();
        MailAccount full = rig.Rig.Directory.AddAccount("full@example.org");
        MailAccount down = rig.Rig.Directory.AddAccount("down@example.org");
        bool isDown = true;
        rig.Rig.Stores.Refuses = delivery =>
            delivery.Account == full ? new(RefusalKind.OverQuota, "full") : delivery.Account == down && isDown ? new(RefusalKind.Unavailable, "down") : null;
        await rig.SendAsync("bob@example.org", "full@example.org", "down@example.org");
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Contains("Status: 5.2.2", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
        await rig.UntilWaitingAsync(1, 1);
        isDown = false;
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(7));
        await rig.UntilEmptyAsync();
        Assert.Contains("Delivered-To: down@example.org", Assert.Single(await rig.Rig.MailAsync(down)), StringComparison.Ordinal);
    }

    /// <summary>From the queue too: whoever cannot have it now gets it later, once, by whichever way leads there.</summary>
    [Theory]
    [InlineData("all@example.org")]
    [InlineData("all@example.org", "down@example.org")]
    [InlineData("down@example.org", "all@example.org")]
    public async Task Members_of_an_alias_that_waited_get_it_once(params string[] recipients)
    {
        await using OutboundRig rig = new();
        MailAccount down = rig.Rig.Directory.AddAccount("down@example.org");
        rig.Rig.Directory.AddAlias("all@example.org", "bob@example.org", "down@example.org");
        rig.Rig.Stores.Refuses = delivery => delivery.Account == down ? new(RefusalKind.Unavailable, "down") : null;
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), ReleaseAt = rig.Rig.Time.GetUtcNow().AddHours(1) };
        foreach (string recipient in recipients) envelope.Recipients.Add(new(EmailAddress.Parse(recipient), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope);
        await rig.UntilWaitingAsync(1, 0);
        rig.Rig.Time.Advance(TimeSpan.FromHours(2));
        await rig.UntilWaitingAsync(1, 1);
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        rig.Rig.Stores.Refuses = _ => null;
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(7));
        await rig.UntilEmptyAsync();
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Single(await rig.Rig.MailAsync(down));
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    [Fact]
    public async Task Local_success_is_reported_where_asked_for()
    {
        await using OutboundRig rig = new();
        Envelope envelope = rig.Rig.Envelope(rig.Rig.User, "ann@example.org");
        envelope.Recipients.Add(new(EmailAddress.Parse("bob@example.org"), DsnNotify.Success, null));
        await rig.SendAsync(envelope);
        Assert.Contains("Action: delivered\r\nStatus: 2.", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public async Task Relayed_success_is_reported_where_the_next_server_will_not(bool dsn, int reports)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = dsn ? ["PIPELINING", "DSN"] : ["PIPELINING"] });
        Envelope envelope = rig.Rig.Envelope(rig.Rig.User, "ann@example.org");
        envelope.Recipients.Add(new(EmailAddress.Parse("far@example.com"), DsnNotify.Success, null));
        await rig.SendAsync(envelope);
        await rig.UntilEmptyAsync();
        Assert.Equal(dsn, peer.Messages[0].To[0].Contains("NOTIFY=SUCCESS", StringComparison.Ordinal));
        IReadOnlyList<string> mail = await rig.Rig.MailAsync(rig.Rig.Ann);
        Assert.Equal(reports, mail.Count);
        Assert.All(mail, report => Assert.Contains("Action: relayed", report, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_delay_is_told_once_and_the_end_too()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com").At("MAIL", new PeerAct.Say("451 4.3.0 Later"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        for (int hour = 0; hour < 24 * 6 && rig.Rig.Queue.Count > 0; hour++)
        {
            int attempts = rig.Rig.Queued.Sum(entry => entry.Attempts);
            rig.Rig.Time.Advance(TimeSpan.FromHours(3));
            await rig.UntilAsync(() => rig.Rig.Queue.Count == 0 || rig.Rig.Queued.Sum(entry => entry.Attempts) > attempts && rig.Rig.Queue.Read((_, schedule) => schedule.Running) == 0, "an attempt");
        }
        IReadOnlyList<string> mail = await rig.Rig.MailAsync(rig.Rig.Ann);
        Assert.Equal(2, mail.Count);
        Assert.Contains("Action: delayed\r\nStatus: 4.3.0", mail[0], StringComparison.Ordinal);
        Assert.Contains("Will-Retry-Until: Mon, 9 Mar 2026 05:06:07 +0000", mail[0], StringComparison.Ordinal);
        Assert.Contains("Action: failed\r\nStatus: 5.4.7", mail[1], StringComparison.Ordinal);
        Assert.Contains("451 4.3.0 Later", mail[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Operators_list_total_and_retry()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com").At("CONNECT", new PeerAct.Say("421 4.3.2 Busy"), new PeerAct.Say("220 hi"));
        await rig.SendAsync("a@example.com");
        await rig.UntilWaitingAsync(1, 1);
        await rig.SendAsync("b@example.com");
        QueueControl control = new(rig.Rig.Queue, rig.Rig.Time);
        Assert.Equal(2, control.List(new()).Count);
        Assert.Single(control.List(new() { Limit = 1 }));
        Assert.Equal("a@example.com", Assert.Single(control.List(new() { To = "A@example.com", From = "@example.org" })).Recipients[0].Address.ToString());
        Assert.Empty(control.List(new() { From = "<>" }));
        Assert.Empty(control.List(new() { IsHeld = true }));
        QueueTotal total = Assert.Single(control.Totals());
        Assert.Equal(("example.com", 2, "421 4.3.2 Busy"), (total.Destination, total.Messages, total.LastFault!.ToString()));
        // The second message was put off with its destination, without an attempt of its own.
        Assert.Single(rig.Dialled);
        Assert.Equal(2, control.Retry(new()));
        await rig.UntilEmptyAsync();
    }

    [Fact]
    public async Task A_report_on_an_address_outside_ascii_says_so_in_utf8()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["PIPELINING"] });
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), Return = DsnReturn.Headers, SmtpUtf8 = true };
        envelope.Recipients.Add(new(EmailAddress.Parse("bücher@example.com"), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope);
        await rig.UntilEmptyAsync();
        string report = System.Text.Encoding.UTF8.GetString(System.Text.Encoding.Latin1.GetBytes(Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann))));
        Assert.Contains("Content-Type: message/global-delivery-status\r\n", report, StringComparison.Ordinal);
        Assert.Contains("Final-Recipient: utf-8; bücher@example.com\r\n", report, StringComparison.Ordinal);
        Assert.Contains("Content-Type: message/global-headers\r\n", report, StringComparison.Ordinal);
        Assert.Contains("Subject: hi\r\n", report, StringComparison.Ordinal);
        Assert.DoesNotContain("Text\r\n", report, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mail_that_is_sent_on_leaves_under_our_name_and_its_bounce_finds_the_way_back()
    {
        await using OutboundRig rig = new(options => options with { SenderRewriting = new(new byte[] { 1, 2, 3 }, DomainName.Create("example.org")) });
        rig.Rig.Directory.AddAlias("forward@example.org", "far@example.com");
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        ScriptedPeer origin = rig.AddPeer("203.0.113.2", "example.net");
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "eve@example.net", "forward@example.org"), "From: eve@example.net\n\nx\n");
        await rig.UntilEmptyAsync();
        string sender = Assert.Single(peer.Messages).From.Trim().Split('>')[0].TrimStart('<');
        Assert.Matches("^SRS0=[a-z2-7]{8}=[a-z2-7]{2}=example.net=eve@example.org$", sender);

        Assert.True((await rig.Rig.RcptAsync(TransportRig.Stranger, sender.ToUpperInvariant(), "x@example.com")).IsPositive);
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "", sender), "From: bounce@example.com\n\nx\n");
        await rig.UntilEmptyAsync();
        Assert.StartsWith("<eve@example.net>", Assert.Single(Assert.Single(origin.Messages).To).Trim(), StringComparison.Ordinal);

        // Our own users need no other name.
        await rig.SendAsync("forward@example.org");
        await rig.UntilEmptyAsync();
        Assert.StartsWith("<ann@example.org>", peer.Messages[1].From.Trim(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Orders_hold_release_and_delete()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        peer.At("MAIL", new PeerAct.Say("451 4.3.0 Later"), new PeerAct.Say("250 2.1.0 Ok"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        QueueId id = rig.Rig.Queued[0].Message.Id;
        QueueControl control = new(rig.Rig.Queue, rig.Rig.Time);
        Assert.Equal(1, await control.HoldAsync(new() { Id = id }, default));
        rig.Rig.Time.Advance(TimeSpan.FromDays(1));
        Assert.True(control.Show(id)!.IsHeld);
        Assert.Equal("451 4.3.0 Later", control.Show(id)!.Recipients[0].LastReply!.ToString());
        Assert.Equal(1, await control.ReleaseAsync(new() { Id = id }, default));
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages, message => message.Content.Length > 0); // the refused one ended in an empty message
        await rig.SendAsync("far@example.invalid.example");
        await rig.UntilEmptyAsync();
        Assert.Equal(0, await control.DeleteAsync(new() { Id = id }, default));
    }
}
