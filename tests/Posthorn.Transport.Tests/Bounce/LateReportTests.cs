using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Testing;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Bounce;

/// <summary>A report that cannot be placed at once is not lost (RFC 5321 sections 4.5.4.1 and 6.1).</summary>
public sealed class LateReportTests
{
    private static OutboundRig Refusing(Func<TransportOptions, TransportOptions>? change = null)
    {
        OutboundRig rig = new(change);
        rig.AddPeer("203.0.113.1", "example.com").At("RCPT", new PeerAct.Say("550 5.1.1 No"));
        return rig;
    }

    [Theory]
    [InlineData(RefusalKind.OverQuota)]
    [InlineData(RefusalKind.Unavailable)]
    public async Task For_a_mailbox_that_does_not_take_it_now_it_waits(RefusalKind kind)
    {
        await using OutboundRig rig = Refusing();
        rig.Rig.Stores.Refuses = _ => new(kind, "not now");
        Envelope envelope = rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "far@example.com");
        await rig.SendAsync(envelope);
        await rig.UntilAsync(() => rig.Rig.Queued is [{ Message.From.IsNull: true, Attempts: > 0 }] && rig.Rig.Queue.Read((_, schedule) => schedule.Running) == 0, "the report");
        QueueEntry report = Assert.Single(rig.Rig.Queued);
        Assert.Equal(("reports", "ann@example.org", DsnNotify.Never), (report.Message.Origin, report.Message.Recipients[0].Address.ToString(), report.Message.Recipients[0].Notify));
        Assert.NotEqual(envelope.Id, report.Message.Id);
        rig.Rig.Stores.Refuses = _ => null;
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(7));
        await rig.UntilEmptyAsync();
        Assert.Contains("Diagnostic-Code: smtp; 550 5.1.1 No\r\n", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task For_an_account_that_may_exist_it_waits()
    {
        await using OutboundRig rig = Refusing();
        rig.Rig.Directory.IsIncomplete = true;
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Trusted, "zoe@example.org", "far@example.com"));
        await rig.UntilWaitingAsync(1, 1);
        MailAccount zoe = rig.Rig.Directory.AddAccount("zoe@example.org");
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(7));
        await rig.UntilEmptyAsync();
        Assert.Single(await rig.Rig.MailAsync(zoe));
    }

    [Fact]
    public async Task Of_several_readers_those_that_cannot_have_it_now_wait_alone()
    {
        await using OutboundRig rig = Refusing();
        rig.Rig.Directory.AddAlias("team@example.org", "ann@example.org", "bob@example.org");
        rig.Rig.Stores.Refuses = delivery => delivery.Account == rig.Rig.Bob ? new(RefusalKind.OverQuota, "full") : null;
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Trusted, "team@example.org", "far@example.com"));
        await rig.UntilWaitingAsync(1, 1);
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        rig.Rig.Stores.Refuses = _ => null;
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(7));
        await rig.UntilEmptyAsync();
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Single(await rig.Rig.MailAsync(rig.Rig.Bob));
    }

    /// <summary>The client has heard 250, and one of the recipients has failed: its sender hears of it, however full the queue is.</summary>
    [Fact]
    public async Task There_is_always_room_for_it()
    {
        await using OutboundRig rig = new(options => options with { QuotaIsPermanent = true, Queue = options.Queue with { MaxMessages = 0 } });
        ScriptedPeer origin = rig.AddPeer("203.0.113.2", "example.net");
        MailAccount full = rig.Rig.Directory.AddAccount("full@example.org");
        rig.Rig.Stores.Refuses = delivery => delivery.Account == full ? new(RefusalKind.OverQuota, "full") : null;
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "eve@example.net", "bob@example.org", "full@example.org"), "From: eve@example.net\n\nx\n");
        await rig.UntilAsync(() => origin.Messages.Count == 1, "the report");
        Assert.Contains("Final-Recipient: rfc822; full@example.org\r\n", OutboundRig.Text(origin.Messages[0]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_could_not_be_written_is_not_promised()
    {
        await using OutboundRig rig = new(options => options with { QuotaIsPermanent = true });
        MailAccount full = rig.Rig.Directory.AddAccount("full@example.org");
        rig.Rig.Stores.Refuses = delivery =>
        {
            // After the message itself the disk is gone.
            if (delivery.Account == full) rig.Rig.Stores.Failure = new IOException("The disk is gone.");
            return delivery.Account == full ? new(RefusalKind.OverQuota, "full") : null;
        };
        AcceptOutcome outcome = await rig.Rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "eve@example.net", "bob@example.org", "full@example.org"), "From: eve@example.net\n\nx\n");
        Assert.Equal(451, outcome.Overall.Code);
    }
}
