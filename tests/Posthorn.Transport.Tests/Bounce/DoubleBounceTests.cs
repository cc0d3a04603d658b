using System.Text;
using MimeKit;
using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Bounce;

/// <summary>What can be neither delivered nor returned: the postmaster hears of it (RFC 3461 section 5.2), and nobody of that.</summary>
public sealed class DoubleBounceTests
{
    // Bob is the postmaster; example.com refuses recipients, example.net refuses bounces.
    private static OutboundRig Rig(DoubleBounceOptions? wanted)
    {
        OutboundRig rig = new(options => options with { Outbound = options.Outbound with { DoubleBounces = wanted } });
        rig.Rig.Directory.AddAlias("postmaster@example.org", "bob@example.org");
        rig.Rig.Directory.AddAlias("forward@example.org", "far@example.com");
        rig.AddPeer("203.0.113.1", "example.com").At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        rig.AddPeer("203.0.113.2", "example.net").At(".", new PeerAct.Say("554 5.7.1 We do not want your bounces"));
        return rig;
    }

    private static Task<AcceptOutcome> EveAsync(OutboundRig rig) => rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "eve@example.net", "forward@example.org"), "From: eve@example.net\nSubject: hi\n\nsecret\n");

    [Fact]
    public async Task A_bounce_that_bounces()
    {
        await using OutboundRig rig = Rig(new());
        await EveAsync(rig);
        await rig.UntilEmptyAsync();
        string raw = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.StartsWith("Return-Path: <>\r\n", raw, StringComparison.Ordinal);
        MimeMessage notice = MimeMessage.Load(new MemoryStream(Encoding.Latin1.GetBytes(raw)));
        Assert.Equal("postmaster@example.org", notice.To.Mailboxes.Single().Address);
        Assert.Equal("auto-generated", notice.Headers["Auto-Submitted"]);
        MultipartReport body = Assert.IsType<MultipartReport>(notice.Body);
        Assert.Contains("554 5.7.1 We do not want your bounces", ((TextPart)body[0]).Text, StringComparison.Ordinal);
        Assert.Equal("rfc822; eve@example.net", Assert.IsType<MessageDeliveryStatus>(body[1]).StatusGroups[1]["Final-Recipient"]);
        // The header alone comes along, here that of the bounce.
        Assert.Contains("Subject: Your message could not be delivered\r\n", raw, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", raw, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sender_of_ours_who_does_not_exist()
    {
        await using OutboundRig rig = Rig(new());
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Trusted, "gone@example.org", "far@example.com"));
        await rig.UntilEmptyAsync();
        string notice = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Contains("A message from\r\n<gone@example.org>\r\ncould not be delivered to the following address, and its sender could not be told:\r\n    550 5.1.1 No such user here\r\n", notice, StringComparison.Ordinal);
        Assert.Contains("<far@example.com>\r\n    The mail server mx.example.com said: 550 5.1.1 No\r\n", notice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_null_path_refused_after_the_client_heard_250()
    {
        await using OutboundRig rig = Rig(new());
        MailAccount full = rig.Rig.Directory.AddAccount("full@example.org");
        rig.Rig.Stores.Refuses = delivery => delivery.Account == full ? new(RefusalKind.TooBig, "too big") : null;
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "", "ann@example.org", "full@example.org"), "From: x@example.net\n\nx\n");
        Assert.Contains("Final-Recipient: rfc822; full@example.org\r\n", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_where_nobody_is_wanted()
    {
        await using OutboundRig rig = Rig(null);
        await EveAsync(rig);
        await rig.UntilEmptyAsync();
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Bob));
    }

    [Fact]
    public async Task Somebody_else()
    {
        await using OutboundRig rig = Rig(new() { To = EmailAddress.Parse("ann@example.org") });
        await EveAsync(rig);
        await rig.UntilEmptyAsync();
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    [Fact]
    public async Task A_flood_is_told_of_and_not_told()
    {
        await using OutboundRig rig = Rig(new() { PerHour = 2 });
        for (int i = 0; i < 4; i++)
        {
            await EveAsync(rig);
            await rig.UntilEmptyAsync();
        }
        Assert.Equal(2, (await rig.Rig.MailAsync(rig.Rig.Bob)).Count);
        rig.Rig.Time.Advance(TimeSpan.FromHours(1));
        await EveAsync(rig);
        await rig.UntilEmptyAsync();
        IReadOnlyList<string> told = await rig.Rig.MailAsync(rig.Rig.Bob);
        Assert.Equal(3, told.Count);
        Assert.Contains("Of 2 more nothing was said", told[2], StringComparison.Ordinal);
        Assert.DoesNotContain("more nothing was said", told[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_word_to_the_postmaster_that_bounces_there_is_no_word()
    {
        await using OutboundRig rig = Rig(new() { To = EmailAddress.Parse("admin@example.net") });
        await EveAsync(rig);
        await rig.UntilEmptyAsync();
        await rig.StopAsync();
        Assert.Equal(0, rig.Rig.Queue.Count);
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Ann));
    }

    /// <summary>Answers of scripts go out with the null path to whoever wrote: that some do not exist is no news.</summary>
    [Fact]
    public async Task An_answer_of_a_script_that_bounces()
    {
        await using OutboundRig rig = Rig(new());
        Envelope envelope = rig.Rig.Envelope(rig.Rig.User, "");
        envelope.Recipients.Add(new(EmailAddress.Parse("far@example.com"), DsnNotify.Never, null));
        await rig.SendAsync(envelope);
        await rig.UntilEmptyAsync();
        Assert.Empty(await rig.Rig.MailAsync(rig.Rig.Bob));
    }
}
