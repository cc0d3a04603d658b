using System.Net;
using System.Text;
using MimeKit;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Bounce;

/// <summary>RFC 3461 section 5: what is passed on, and who is told what.</summary>
public sealed class DsnTests
{
    private const DsnNotify All = DsnNotify.Success | DsnNotify.Failure | DsnNotify.Delay;
    private const string Text = "From: ann@example.org\nSubject: hi\n\nText\n";

    private static Envelope From(OutboundRig rig, params EnvelopeRecipient[] recipients)
    {
        Envelope envelope = rig.Rig.Envelope(rig.Rig.User, "ann@example.org");
        foreach (EnvelopeRecipient recipient in recipients) envelope.Recipients.Add(recipient);
        return envelope;
    }

    private static EnvelopeRecipient To(string address, DsnNotify notify = DsnNotify.Unspecified, string? original = null) => new(EmailAddress.Parse(address), notify, original);

    private static ScriptedPeer Peer(bool dsn) => new() { Extensions = dsn ? ["PIPELINING", "DSN"] : ["PIPELINING"] };

    private static string[] ActionsIn(IEnumerable<string> mail) => [.. mail.SelectMany(text => text.Split("\r\n")).Where(line => line.StartsWith("Action: ", StringComparison.Ordinal)).Select(line => line[8..])];

    private static MessageDeliveryStatus StatusIn(string mail) =>
        Assert.IsType<MessageDeliveryStatus>(Assert.IsType<MultipartReport>(MimeMessage.Load(new MemoryStream(Encoding.Latin1.GetBytes(mail))).Body)[1]);

    /// <summary>Sections 5.2.1, 5.2.2 and 5.2.6: success and failure by each wish, with a next server that knows DSN and one that does not.</summary>
    [Theory]
    [InlineData(DsnNotify.Unspecified, false, "250 2.1.5 Ok", "")]
    [InlineData(DsnNotify.Never, false, "250 2.1.5 Ok", "")]
    [InlineData(DsnNotify.Success, false, "250 2.1.5 Ok", "relayed")]
    [InlineData(DsnNotify.Failure, false, "250 2.1.5 Ok", "")]
    [InlineData(DsnNotify.Delay, false, "250 2.1.5 Ok", "")]
    [InlineData(All, false, "250 2.1.5 Ok", "relayed")]
    [InlineData(All, true, "250 2.1.5 Ok", "")]
    [InlineData(DsnNotify.Unspecified, false, "550 5.1.1 No", "failed")]
    [InlineData(DsnNotify.Unspecified, true, "550 5.1.1 No", "failed")]
    [InlineData(DsnNotify.Never, true, "550 5.1.1 No", "")]
    [InlineData(DsnNotify.Success, true, "550 5.1.1 No", "")]
    [InlineData(DsnNotify.Delay, false, "550 5.1.1 No", "")]
    [InlineData(DsnNotify.Failure, true, "550 5.1.1 No", "failed")]
    [InlineData(DsnNotify.Success | DsnNotify.Failure, false, "550 5.1.1 No", "failed")]
    public async Task Who_is_told(DsnNotify notify, bool dsn, string answer, string told)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", Peer(dsn));
        peer.At("RCPT", new PeerAct.Say(answer));
        await rig.SendAsync(From(rig, To("far@example.com", notify)), Text);
        await rig.UntilEmptyAsync();
        Assert.Equal(told.Length > 0 ? [told] : [], ActionsIn(await rig.Rig.MailAsync(rig.Rig.Ann)));
    }

    /// <summary>Section 5.2.5: a delay is told to who did not say otherwise, and never to who did.</summary>
    [Theory]
    [InlineData(DsnNotify.Unspecified, true)]
    [InlineData(DsnNotify.Delay, true)]
    [InlineData(All, true)]
    [InlineData(DsnNotify.Failure, false)]
    [InlineData(DsnNotify.Success | DsnNotify.Failure, false)]
    [InlineData(DsnNotify.Never, false)]
    public async Task Who_is_told_of_a_delay(DsnNotify notify, bool told)
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com", Peer(true)).At("RCPT", new PeerAct.Say("450 4.2.1 Busy"));
        await rig.SendAsync(From(rig, To("far@example.com", notify)), Text);
        await rig.UntilWaitingAsync(1, 1);
        rig.Rig.Time.Advance(TimeSpan.FromHours(5));
        await rig.UntilAsync(() => rig.Rig.Queued.Single().IsWarned, "the time of a warning");
        IReadOnlyList<string> mail = await rig.Rig.MailAsync(rig.Rig.Ann);
        Assert.Equal(told ? ["delayed"] : [], ActionsIn(mail));
        if (!told) return;
        HeaderList recipient = StatusIn(mail[0]).StatusGroups[1];
        Assert.Equal("4.2.1", recipient["Status"]);
        Assert.Equal("smtp; 450 4.2.1 Busy", recipient["Diagnostic-Code"]);
        Assert.Equal(rig.Rig.Time.GetUtcNow().AddHours(-5).AddDays(5).ToUnixTimeSeconds(), DateTimeOffset.Parse(recipient["Will-Retry-Until"]!, System.Globalization.CultureInfo.InvariantCulture).ToUnixTimeSeconds());
        // Section 4.3: what is not a failure returns the header alone.
        Assert.Contains("Content-Type: text/rfc822-headers\r\n", mail[0], StringComparison.Ordinal);
        Assert.DoesNotContain("\r\nText\r\n", mail[0], StringComparison.Ordinal);
    }

    /// <summary>Section 5.2.1 (a) to (d), and 5.2.2 (a).</summary>
    [Theory]
    [InlineData(true, " RET=HDRS ENVID=a+20b+2Bc", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Far+2BX@Example.COM")]
    [InlineData(false, "", "")]
    public async Task What_was_asked_is_passed_on_as_it_was(bool dsn, string sender, string recipient)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", Peer(dsn));
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), Return = DsnReturn.Headers, EnvelopeId = "a b+c" };
        envelope.Recipients.Add(To("far@example.com", DsnNotify.Success | DsnNotify.Delay, "rfc822;Far+2BX@Example.COM"));
        envelope.Recipients.Add(To("else@example.com"));
        await rig.SendAsync(envelope, Text);
        await rig.SendAsync(From(rig, To("plain@example.com")), Text);
        await rig.UntilAsync(() => peer.Messages.Count == 2, "two messages");
        string[] mail = [.. peer.Commands.Where(command => command.StartsWith("MAIL", StringComparison.Ordinal))], rcpt = [.. peer.Commands.Where(command => command.StartsWith("RCPT", StringComparison.Ordinal))];
        Assert.Equal(["MAIL FROM:<ann@example.org>" + sender, "MAIL FROM:<ann@example.org>"], mail);
        Assert.Equal(["RCPT TO:<far@example.com>" + recipient, "RCPT TO:<else@example.com>", "RCPT TO:<plain@example.com>"], rcpt);
    }

    /// <summary>Section 5.2.7.2: an alias of one address hands everything on and says nothing; ORCPT tells the address that the sender used.</summary>
    [Fact]
    public async Task An_alias_of_one_address_passes_the_wishes_on()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", Peer(true));
        rig.Rig.Directory.AddAlias("one@example.org", "far@example.com");
        await rig.SendAsync(From(rig, To("one@example.org", All)), Text);
        await rig.UntilEmptyAsync();
        Assert.Contains("RCPT TO:<far@example.com> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;one@example.org", peer.Commands);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    /// <summary>Section 5.2.7.3 (c): of an alias with several addresses the expansion is reported, and SUCCESS is not passed on. What is left of SUCCESS alone is NEVER, since no list at all would mean failures.</summary>
    [Theory]
    [InlineData(All, "NOTIFY=FAILURE,DELAY")]
    [InlineData(DsnNotify.Success, "NOTIFY=NEVER")]
    public async Task An_alias_of_several_addresses_is_told_to_be_expanded(DsnNotify notify, string passed)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", Peer(true));
        rig.Rig.Directory.AddAlias("list@example.org", "far@example.com", "bob@example.org");
        await rig.SendAsync(From(rig, To("list@example.org", notify, "rfc822;list@example.org")), Text);
        await rig.UntilEmptyAsync();
        Assert.Contains($"RCPT TO:<far@example.com> {passed} ORCPT=rfc822;list@example.org", peer.Commands);
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Contains("Final-Recipient: rfc822; list@example.org\r\nAction: expanded\r\nStatus: 2.", report, StringComparison.Ordinal);
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
    }

    /// <summary>Who asked for success alone is not told that a place behind an alias failed.</summary>
    [Theory]
    [InlineData(DsnNotify.Success, false)]
    [InlineData(DsnNotify.Success | DsnNotify.Failure, true)]
    public async Task A_failure_behind_an_alias_is_told_to_who_wants_it(DsnNotify notify, bool told)
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com", Peer(true)).At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        rig.Rig.Directory.AddAlias("list@example.org", "far@example.com", "bob@example.org");
        await rig.SendAsync(From(rig, To("list@example.org", notify)), Text);
        await rig.UntilEmptyAsync();
        Assert.Equal(told ? ["expanded", "failed"] : ["expanded"], ActionsIn(await rig.Rig.MailAsync(rig.Rig.Ann)).Order());
    }

    /// <summary>What an operator or its sender kept waiting, and an alias sends on when its time has come, is not said to be delivered here.</summary>
    [Fact]
    public async Task Mail_that_waited_and_goes_on_is_reported_by_who_delivers_it()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", Peer(true));
        rig.Rig.Directory.AddAlias("one@example.org", "far@example.com");
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), ReleaseAt = rig.Rig.Time.GetUtcNow().AddHours(1) };
        envelope.Recipients.Add(To("one@example.org", DsnNotify.Success));
        envelope.Recipients.Add(To("bob@example.org", DsnNotify.Success));
        await rig.SendAsync(envelope, Text);
        await rig.UntilWaitingAsync(1, 0);
        rig.Rig.Time.Advance(TimeSpan.FromHours(2));
        await rig.UntilAsync(() => peer.Messages.Count == 1 && rig.Rig.Queue.Count == 0, "the message");
        await rig.StopAsync(); // what is told beside it is told by then
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Equal(["delivered"], ActionsIn([report]));
        Assert.Contains("Final-Recipient: rfc822; bob@example.org\r\n", report, StringComparison.Ordinal);
    }

    /// <summary>Section 5.2.3: LMTP delivers into the mailbox.</summary>
    [Fact]
    public async Task What_lmtp_has_taken_is_delivered()
    {
        await using OutboundRig rig = new(options => options with
        {
            Outbound = options.Outbound with { Routes = [new("example.com", new NextHop.Lmtp(new IPEndPoint(IPAddress.Parse("203.0.113.9"), 24)))] },
        });
        rig.AddPeer("203.0.113.9", peer: new() { IsLmtp = true, Extensions = ["PIPELINING"] });
        await rig.SendAsync(From(rig, To("far@example.com", DsnNotify.Success)), Text);
        await rig.UntilEmptyAsync();
        Assert.Equal(["delivered"], ActionsIn(await rig.Rig.MailAsync(rig.Rig.Ann)));
    }

    /// <summary>Section 5.2.8: one report speaks of several recipients, and of none whose sender wants no word.</summary>
    [Fact]
    public async Task One_report_speaks_of_all_that_it_may()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com", Peer(true)).At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        await rig.SendAsync(From(rig, To("a@example.com"), To("quiet@example.com", DsnNotify.Never), To("b@example.com", DsnNotify.Failure), To("happy@example.com", DsnNotify.Success)), Text);
        await rig.UntilEmptyAsync();
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Equal(["rfc822; a@example.com", "rfc822; b@example.com"], StatusIn(report).StatusGroups.Skip(1).Select(group => group["Final-Recipient"]));
        Assert.DoesNotContain("quiet@", report, StringComparison.Ordinal);
        Assert.DoesNotContain("happy@", report, StringComparison.Ordinal);
    }

    /// <summary>Section 6.1: the null path, NOTIFY=NEVER, no RET and no ENVID.</summary>
    [Fact]
    public async Task The_envelope_of_a_report()
    {
        await using OutboundRig rig = new();
        rig.Rig.Directory.AddAlias("one@example.org", "far@example.com");
        rig.AddPeer("203.0.113.1", "example.com", Peer(true)).At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        ScriptedPeer origin = rig.AddPeer("203.0.113.2", "example.net", Peer(true));
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = TransportRig.Stranger, From = ReversePath.Of(EmailAddress.Parse("eve@example.net")), Return = DsnReturn.Full, EnvelopeId = "theirs" };
        envelope.Recipients.Add(To("one@example.org"));
        await rig.SendAsync(envelope, Text);
        await rig.UntilEmptyAsync();
        Assert.Equal(["MAIL FROM:<>", "RCPT TO:<eve@example.net> NOTIFY=NEVER"], origin.Commands.Where(command => command.StartsWith("MAIL", StringComparison.Ordinal) || command.StartsWith("RCPT", StringComparison.Ordinal)));
    }
}
