using System.Net;
using System.Security.Authentication;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Accept;

public sealed class AcceptTests
{
    private const string Message = "From: Eve <eve@example.net>\nSubject: hello\n\nText\n";

    [Fact]
    public async Task Mail_for_a_user_lies_in_the_inbox_with_its_trace()
    {
        using TransportRig rig = new();
        Envelope envelope = rig.Envelope(TransportRig.Stranger, "eve@example.net", "ann@example.org");
        AcceptOutcome outcome = await rig.SendAsync(envelope, Message);

        Assert.Equal($"250 2.0.0 Ok: queued as {envelope.Id}", outcome.Overall.ToString());
        Assert.Equal(
            $"""
            Return-Path: <eve@example.net>
            Delivered-To: ann@example.org
            Received: from client.example.net ([198.51.100.7])
            	by mail.example.org (Posthorn) with ESMTP id {envelope.Id}
            	for <ann@example.org>;
            	Wed, 4 Mar 2026 07:06:07 +0200
            From: Eve <eve@example.net>
            Subject: hello

            Text

            """.ReplaceLineEndings("\r\n"),
            Assert.Single(await rig.MailAsync(rig.Ann)));
    }

    [Fact]
    public async Task Nobody_is_unknown_while_the_accounts_could_not_be_read()
    {
        using TransportRig rig = new();
        rig.Directory.IsIncomplete = true;
        Assert.Equal(451, (await rig.RcptAsync(TransportRig.Stranger, "carl@example.org")).Code);
        Assert.Equal(250, (await rig.RcptAsync(TransportRig.Stranger, "ann@example.org")).Code);
        // Also when that is so only at the end: a positive answer would lose the mail.
        Assert.Equal(451, (await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "eve@example.net", "carl@example.org"), Message)).Overall.Code);
        rig.Directory.IsIncomplete = false;
        Assert.Equal(550, (await rig.RcptAsync(TransportRig.Stranger, "carl@example.org")).Code);
    }

    [Fact]
    public async Task Tls_and_protocol_are_told_and_several_recipients_are_not()
    {
        using TransportRig rig = new();
        ClientContext client = TransportRig.Stranger with
        {
            Helo = "evil)\r\nX: y", Address = IPAddress.Parse("2001:db8::7"), Tls = new(SslProtocols.Tls13, System.Net.Security.TlsCipherSuite.TLS_AES_256_GCM_SHA384, 256, null),
        };
        await rig.SendAsync(rig.Envelope(client, "eve@example.net", "ann@example.org", "bob@example.org"), Message);
        string mail = Assert.Single(await rig.MailAsync(rig.Bob));
        Assert.Contains("Received: from evil???X:?y ([IPv6:2001:db8::7])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n\tby mail.example.org (Posthorn) with ESMTPS id ", mail, StringComparison.Ordinal);
        Assert.DoesNotContain("for <", mail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(17)]
    [InlineData(int.MaxValue)]
    public async Task Submitted_mail_gets_what_it_lacks(int piece)
    {
        using TransportRig rig = new();
        Envelope envelope = rig.Envelope(rig.User, "ann@example.org", "bob@example.org");
        await rig.SendAsync(envelope, "Subject: hi\n\nText\n", piece);
        string mail = Assert.Single(await rig.MailAsync(rig.Bob));
        Assert.EndsWith(
            $"""
            Received: from localhost
            	by mail.example.org (Posthorn) with ESMTPA id {envelope.Id}
            	for <bob@example.org>;
            	Wed, 4 Mar 2026 07:06:07 +0200
            Subject: hi
            Date: Wed, 4 Mar 2026 07:06:07 +0200
            Message-ID: <{envelope.Id}@mail.example.org>
            From: ann@example.org

            Text

            """.ReplaceLineEndings("\r\n"), mail, StringComparison.Ordinal);
    }

    /// <summary>RFC 5321 section 4.4 and RFC 5322 section 3.6.3: what no message leaves with.</summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Submitted_mail_leaves_without_what_is_nobodys_business(bool logsIn, bool isTrusted)
    {
        using TransportRig rig = new();
        ClientContext client = logsIn ? rig.User : TransportRig.Stranger with { IsTrusted = isTrusted };
        await rig.SendAsync(rig.Envelope(client, "ann@example.org", "bob@example.org"), "Return-Path: <x@y>\nFrom: ann@example.org\nBCC : secret@example.com,\n other@example.com\nSubject: hi\nresent-bcc: x@y\nContent-Length: 5\nMessage-ID: <1@x>\n\nBcc: text\n");
        string mail = Assert.Single(await rig.MailAsync(rig.Bob));
        Assert.EndsWith("+0200\r\nFrom: ann@example.org\r\nSubject: hi\r\nMessage-ID: <1@x>\r\nDate: Wed, 4 Mar 2026 07:06:07 +0200\r\n\r\nBcc: text\r\n", mail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mail_from_trusted_networks_stays_as_it_is_where_that_is_wanted()
    {
        using TransportRig rig = new(new() { Hostname = "mail.example.org", CompletesTrusted = false });
        await rig.SendAsync(rig.Envelope(TransportRig.Trusted, "", "ann@example.org"), "Bcc: x@y\nSubject: hi\n\nText\n");
        Assert.EndsWith("+0200\r\nBcc: x@y\r\nSubject: hi\r\n\r\nText\r\n", Assert.Single(await rig.MailAsync(rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mail_from_others_is_not_completed()
    {
        using TransportRig rig = new();
        await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "ann@example.org"), "Subject: hi\n\nText\n");
        Assert.EndsWith("+0200\r\nSubject: hi\r\n\r\nText\r\n", Assert.Single(await rig.MailAsync(rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_hop_limit_is_kept()
    {
        using TransportRig rig = new();
        string hops = string.Concat(Enumerable.Repeat("Received: by x\n", 100));
        Assert.True((await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "ann@example.org"), hops + Message)).Overall.IsPositive);
        AcceptOutcome refused = await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "ann@example.org"), hops + "Received: by x\n" + Message);
        Assert.Equal((554, "5.4.6"), (refused.Overall.Code, refused.Overall.Status));
        Assert.Single(await rig.MailAsync(rig.Ann));
    }

    [Fact]
    public async Task The_size_limit_is_kept()
    {
        using TransportRig rig = new(new() { Hostname = "mail.example.org", MaxMessageSize = 1000 });
        AcceptOutcome fits = await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "ann@example.org"), "A: b\n\n" + new string('x', 992));
        AcceptOutcome over = await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "ann@example.org"), "A: b\n\n" + new string('x', 993), 100);
        Assert.True(fits.Overall.IsPositive);
        Assert.Equal("552 5.3.4", over.Overall.ToString()[..9]);
        Envelope declared = new() { Id = new("1"), Client = TransportRig.Stranger, From = ReversePath.Null, DeclaredSize = 1001 };
        Assert.Equal(552, (await rig.Transport.AdmitSenderAsync(declared, default)).Code);
    }

    [Fact]
    public async Task The_header_limit_is_kept()
    {
        using TransportRig rig = new(new() { Hostname = "mail.example.org", MaxHeaderSize = 1000 });
        AcceptOutcome over = await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "ann@example.org"), "A: " + new string('x', 1000) + "\n\nbody");
        Assert.Equal("552 5.3.4", over.Overall.ToString()[..9]);
        Assert.Empty(await rig.MailAsync(rig.Ann));
    }

    [Fact]
    public async Task A_message_that_was_here_before_is_a_loop()
    {
        using TransportRig rig = new();
        string looping = "Delivered-To: ANN@example.org\n" + Message;
        AcceptOutcome refused = await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "eve@example.net", "ann@example.org"), looping);
        Assert.Equal("554 5.4.6", refused.Overall.ToString()[..9]);
        Assert.True((await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "eve@example.net", "bob@example.org"), looping)).Overall.IsPositive);
        Assert.True((await rig.SendAsync(rig.Envelope(TransportRig.Trusted, "eve@example.net", "ann@example.org"), looping)).Overall.IsPositive);
    }

    [Fact]
    public async Task Two_authors_fields_are_refused_from_other_servers()
    {
        using TransportRig rig = new();
        AcceptOutcome refused = await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "eve@example.net", "ann@example.org"), "From: boss@example.com\n" + Message);
        Assert.Equal("550 5.7.1", refused.Overall.ToString()[..9]);
    }

    [Theory]
    [InlineData("ann@example.org", "250 2.1.0")]
    [InlineData("ann+news@example.org", "250 2.1.0")]
    [InlineData("sales@example.org", "250 2.1.0")]
    [InlineData("", "250 2.1.0")]
    [InlineData("bob@example.org", "553 5.7.1")]
    [InlineData("ann@example.com", "553 5.7.1")]
    public async Task Users_send_as_themselves(string from, string expected)
    {
        using TransportRig rig = new();
        rig.Directory.AddAlias("sales@example.org", "ann@example.org");
        Assert.StartsWith(expected, (await rig.Transport.AdmitSenderAsync(rig.Envelope(rig.User, from), default)).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("From: Ann <ANN@example.org>\n", "250 2.0.0")]
    [InlineData("From: ann+x@example.org,\n sales@example.org\n", "250 2.0.0")]
    [InlineData("From: =?utf-8?q?Boss?= <boss@example.com>\n", "550 5.7.1")]
    [InlineData("From: ann@example.org, bob@example.org\n", "550 5.7.1")]
    [InlineData("From: ann@example.org\nFrom: ann@example.org\n", "550 5.7.1")]
    [InlineData("From: \n", "550 5.6.0")]
    [InlineData("From: just words\n", "550 5.6.0")]
    [InlineData("From: undisclosed:;\n", "550 5.6.0")]
    public async Task What_users_send_is_from_themselves(string from, string expected)
    {
        using TransportRig rig = new();
        rig.Directory.AddAlias("sales@example.org", "ann@example.org");
        AcceptOutcome outcome = await rig.SendAsync(rig.Envelope(rig.User, "", "bob@example.org"), from + "\nText\n", 3);
        Assert.Equal(expected, outcome.Overall.ToString()[..9]);
    }

    [Fact]
    public async Task Submission_needs_a_login()
    {
        using TransportRig rig = new();
        ClientContext client = TransportRig.Trusted with { Role = ListenerRole.Submission };
        Assert.Equal("530 5.7.0", (await rig.Transport.AdmitSenderAsync(rig.Envelope(client, "ann@example.org"), default)).ToString()[..9]);
    }

    [Fact]
    public async Task An_account_reached_twice_gets_one_copy()
    {
        using TransportRig rig = new();
        rig.Directory.AddAlias("all@example.org", "ann@example.org", "bob@example.org");
        AcceptOutcome outcome = await rig.SendAsync(rig.Envelope(TransportRig.Lmtp, "eve@example.net", "all@example.org", "ann@example.org", "ann+x@example.org", "none@example.org"), Message);
        Assert.Equal([250, 250, 250, 550], outcome.Recipients.Select(reply => reply.Code));
        Assert.Single(await rig.MailAsync(rig.Ann));
        Assert.Single(await rig.MailAsync(rig.Bob));
        Assert.Equal(1, rig.Stores.Deliveries);
    }

    [Fact]
    public async Task Detail_names_a_mailbox_where_that_is_wanted()
    {
        using TransportRig rig = new(new() { Hostname = "mail.example.org", DetailToFolder = true });
        await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "eve@example.net", "ann+Archive@example.org"), Message);
        await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "eve@example.net", "ann+nowhere@example.org"), Message);
        Assert.Contains("Delivered-To: ann+Archive@example.org", Assert.Single(await rig.MailAsync(rig.Ann, "Archive")), StringComparison.Ordinal);
        Assert.Single(await rig.MailAsync(rig.Ann));
    }

    [Fact]
    public async Task A_full_mailbox_is_said_at_once_and_in_the_senders_terms()
    {
        using TransportRig rig = new();
        rig.Directory.AddAccount("full@example.org", quota: 10);
        await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "ann@example.org"), Message);
        Envelope big = new() { Id = new("1"), Client = TransportRig.Stranger, From = ReversePath.Null, DeclaredSize = 5000 };
        EnvelopeRecipient full = new(EmailAddress.Parse("full@example.org"), DsnNotify.Unspecified, null);
        Assert.Equal("452 4.2.2", (await rig.Transport.AdmitRecipientAsync(big, full, default)).ToString()[..9]);
        Envelope own = new() { Id = new("2"), Client = rig.User, From = ReversePath.Null, DeclaredSize = 5000 };
        Assert.Equal("552 5.2.2", (await rig.Transport.AdmitRecipientAsync(own, full, default)).ToString()[..9]);
        AcceptOutcome late = await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "full@example.org"), Message);
        Assert.Equal("452 4.2.2", late.Overall.ToString()[..9]);
    }

    [Fact]
    public async Task A_store_that_fails_is_a_reason_to_try_again()
    {
        using TransportRig rig = new();
        rig.Stores.Failure = new IOException("disk");
        Assert.Equal("451 4.3.0", (await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "ann@example.org"), Message)).Overall.ToString()[..9]);
        Assert.Equal("451 4.3.0", (await rig.SendAsync(rig.Envelope(rig.User, "", "someone@example.com"), "From: ann@example.org\n\nx\n")).Overall.ToString()[..9]);
        rig.Stores.Failure = new Journal.JournalFullException();
        Assert.Equal("452 4.3.1", (await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "ann@example.org"), Message)).Overall.ToString()[..9]);
        Assert.Empty(rig.Queued);
    }

    [Fact]
    public async Task Mail_for_others_enters_the_queue_without_the_users_lines()
    {
        using TransportRig rig = new();
        Envelope envelope = rig.Envelope(rig.User, "ann@example.org", "bob@example.org", "far@example.com", "Far@EXAMPLE.com");
        AcceptOutcome outcome = await rig.SendAsync(envelope, "From: ann@example.org\nDate: x\nMessage-ID: y\n\nText\n");
        Assert.True(outcome.Overall.IsPositive);
        Assert.Single(await rig.MailAsync(rig.Bob));
        Transport.Queue.QueueEntry entry = Assert.Single(rig.Queued);
        Assert.Equal(envelope.Id, entry.Message.Id);
        Assert.Equal("far@example.com", Assert.Single(entry.Message.Recipients).Address.ToString());
        Assert.StartsWith("Received: from localhost\r\n\tby mail.example.org", rig.ContentOf(entry), StringComparison.Ordinal);
        Assert.EndsWith("Message-ID: y\r\n\r\nText\r\n", rig.ContentOf(entry), StringComparison.Ordinal);
    }

    [Fact]
    public void A_clock_that_was_set_back_makes_no_id_twice()
    {
        Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        QueueId newest = new Transport.Accept.QueueIds(time).Next();
        Microsoft.Extensions.Time.Testing.FakeTimeProvider earlier = new(new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero));
        QueueId next = new Transport.Accept.QueueIds(earlier, newest).Next();
        Assert.True(string.CompareOrdinal(next.Value, newest.Value) > 0);
    }

    [Fact]
    public async Task Queue_ids_grow_and_never_repeat()
    {
        using TransportRig rig = new();
        string[] ids = [.. Enumerable.Range(0, 1000).Select(_ => rig.Transport.NewQueueId().Value)];
        Assert.Equal(ids.Order(StringComparer.Ordinal).Distinct(), ids);
        Assert.All(ids, id => Assert.True(Transport.Accept.QueueIds.IsWellFormed(id)));
        await Task.CompletedTask;
    }

    /// <summary>RFC 3464 section 2, RFC 3461 section 9.3: reports come from our own name, and who answers them is heard. Nobody else lives there.</summary>
    [Fact]
    public async Task Duty_addresses_stand_at_our_own_name_too()
    {
        using TransportRig rig = new();
        rig.Directory.AddAlias("postmaster@example.org", "bob@example.org");
        rig.Directory.AddAlias("mailer-daemon@example.org", "bob@example.org");
        Assert.True((await rig.RcptAsync(TransportRig.Stranger, "Postmaster@mail.example.org")).IsPositive);
        Assert.True((await rig.RcptAsync(TransportRig.Stranger, "MAILER-DAEMON@MAIL.example.org")).IsPositive);
        Assert.Equal("554 5.7.1", (await rig.RcptAsync(TransportRig.Stranger, "bob@mail.example.org")).ToString()[..9]);
        Assert.Equal("554 5.7.1", (await rig.RcptAsync(TransportRig.Stranger, "postmaster@www.example.org")).ToString()[..9]);
        await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "eve@example.net", "MAILER-DAEMON@mail.example.org"), "From: eve@example.net\n\nx\n");
        Assert.Single(await rig.MailAsync(rig.Bob));
        Assert.Equal(0, rig.Queue.Count);
    }
}
