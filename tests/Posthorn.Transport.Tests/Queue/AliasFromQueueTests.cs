using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Testing;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>Aliases in mail that has waited: each member gets it, or its sender hears of each that did not.</summary>
public sealed class AliasFromQueueTests
{
    [Fact]
    public async Task A_member_that_refuses_for_good_is_told_of_once_and_asked_no_more()
    {
        await using OutboundRig rig = new();
        MailAccount gone = rig.Rig.Directory.AddAccount("gone@example.org");
        rig.Rig.Directory.AddAlias("all@example.org", "bob@example.org", "gone@example.org");
        int asked = 0;
        rig.Rig.Stores.Refuses = delivery =>
        {
            if (delivery.Account != gone) return null;
            Interlocked.Increment(ref asked);
            return new(RefusalKind.NoSuchAccount, "gone");
        };
        await SendLaterAsync(rig, "all@example.org", DsnNotify.Unspecified);
        await rig.UntilEmptyAsync();
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Contains("Final-Recipient: rfc822; gone@example.org\r\n", report, StringComparison.Ordinal);
        Assert.Contains("Status: 5.1.1\r\n", report, StringComparison.Ordinal);
        Assert.DoesNotContain("bob@example.org", report, StringComparison.Ordinal);
        int before = asked;
        rig.Rig.Time.Advance(TimeSpan.FromHours(2));
        await rig.UntilEmptyAsync();
        Assert.Equal(before, asked);
    }

    [Theory]
    [InlineData(DsnNotify.Never)]
    [InlineData(DsnNotify.Success)]
    public async Task Who_does_not_want_to_hear_of_failures_does_not(DsnNotify notify)
    {
        await using OutboundRig rig = new();
        MailAccount gone = rig.Rig.Directory.AddAccount("gone@example.org");
        rig.Rig.Directory.AddAlias("all@example.org", "bob@example.org", "gone@example.org");
        rig.Rig.Stores.Refuses = delivery => delivery.Account == gone ? new(RefusalKind.NoSuchAccount, "gone") : null;
        await SendLaterAsync(rig, "all@example.org", notify);
        await rig.UntilEmptyAsync();
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.DoesNotContain(await rig.Rig.MailAsync(rig.Rig.Ann), report => report.Contains("Action: failed", StringComparison.Ordinal));
    }

    /// <summary>RFC 3461 section 5.2.7.3: an alias with places elsewhere is told to be expanded, one of our own mailboxes alone to be delivered.</summary>
    [Theory]
    [InlineData("far@example.com", "expanded")]
    [InlineData("cho@example.org", "delivered")]
    public async Task Success_is_told_once_for_the_alias(string other, string action)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        rig.Rig.Directory.AddAccount("cho@example.org");
        rig.Rig.Directory.AddAlias("all@example.org", "bob@example.org", other);
        await SendLaterAsync(rig, "all@example.org", DsnNotify.Success);
        await rig.UntilEmptyAsync();
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Contains($"Final-Recipient: rfc822; all@example.org\r\nAction: {action}\r\n", report, StringComparison.Ordinal);
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.Equal(action == "expanded" ? 1 : 0, peer.Messages.Count);
    }

    /// <summary>What is in the queue already needs no room in it: it goes on as what it becomes, with its sender rewritten as ever.</summary>
    [Fact]
    public async Task A_full_queue_holds_up_nothing_that_it_holds()
    {
        await using OutboundRig rig = new(options => options with { Queue = options.Queue with { MaxMessages = 1 }, SenderRewriting = new(new byte[] { 1, 2, 3 }, DomainName.Create("example.org")) });
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        rig.Rig.Directory.AddAlias("all@example.org", "bob@example.org", "far@example.com");
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("eve@example.net")), ReleaseAt = rig.Rig.Time.GetUtcNow().AddHours(1) };
        envelope.Recipients.Add(new(EmailAddress.Parse("all@example.org"), DsnNotify.Unspecified, null));
        await rig.SendAsync(envelope, "From: ann@example.org\n\nx\n");
        await rig.UntilWaitingAsync(1, 0);
        Assert.False(rig.Rig.Queue.HasRoom);
        rig.Rig.Time.Advance(TimeSpan.FromHours(2));
        await rig.UntilEmptyAsync();
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
        Assert.StartsWith("<SRS0=", Assert.Single(peer.Messages).From.Trim(), StringComparison.Ordinal);
    }

    /// <summary>One word of the operator is enough: what an alias sends on is not held anew.</summary>
    [Fact]
    public async Task What_was_released_goes_on_through_an_alias()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        rig.Rig.Directory.AddAlias("away@example.org", "far@example.com");
        QueueMessage held = new()
        {
            Id = rig.Rig.Transport.NewQueueId(), Arrived = rig.Rig.Time.GetUtcNow(), From = ReversePath.Of(rig.Rig.Ann.Address), Origin = "ann", Size = 6, HoldReason = "looks odd",
            Recipients = [new(EmailAddress.Parse("away@example.org"), DsnNotify.Unspecified, null)],
        };
        await using IMessageSink sink = rig.Rig.Stores.CreateSink();
        await sink.WriteAsync("a: b\r\n"u8.ToArray(), default);
        await rig.Rig.Stores.DeliverAsync(sink, new DeliveryOrder { Attachment = rig.Rig.Queue.Attach(held) }, default);
        Assert.True(Assert.Single(rig.Rig.Queued).IsHeld);
        await rig.Rig.Queue.OrderAsync(held.Id, QueueOrder.Release, default);
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);
    }

    private static async Task SendLaterAsync(OutboundRig rig, string recipient, DsnNotify notify)
    {
        await rig.SendAsync(Later(rig, recipient, notify));
        await rig.UntilWaitingAsync(1, 0);
        rig.Rig.Time.Advance(TimeSpan.FromHours(2));
    }

    private static Envelope Later(OutboundRig rig, string recipient, DsnNotify notify)
    {
        Envelope envelope = new() { Id = rig.Rig.Transport.NewQueueId(), Client = rig.Rig.User, From = ReversePath.Of(EmailAddress.Parse("ann@example.org")), ReleaseAt = rig.Rig.Time.GetUtcNow().AddHours(1) };
        envelope.Recipients.Add(new(EmailAddress.Parse(recipient), notify, null));
        return envelope;
    }
}
