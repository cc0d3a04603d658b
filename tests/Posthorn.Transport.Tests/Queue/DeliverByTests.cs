using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>Messages that must have arrived by a time (RFC 2852), as redirect asks for them (RFC 6009 section 7).</summary>
public sealed class DeliverByTests
{
    private static readonly string[] Plain = ["PIPELINING", "8BITMIME"];

    // Sends what comes for ann on to a server elsewhere, under her name and within a time.
    private sealed class Onward(int seconds, bool returns, bool trace, DsnNotify notify) : IDeliveryPlanner
    {
        public ValueTask<DeliveryPlan> PlanAsync(DeliveryInput input, CancellationToken cancel)
        {
            EnvelopeRecipient recipient = new(EmailAddress.Parse("far@example.com"), notify, null);
            DeliverBy by = new(input.Envelope.Arrived.AddSeconds(seconds), returns, trace);
            return ValueTask.FromResult(input.Account.Address.LocalPart == "ann" && !input.Envelope.From.IsNull
                ? new DeliveryPlan { Mail = [new(ReversePath.Of(input.Account.Address), [recipient], null, "redirect") { IsRedirect = true, By = by }] }
                : DeliveryPlan.Keep);
        }
    }

    private static async Task<OutboundRig> SentAsync(int seconds, bool returns, bool trace, ScriptedPeer? peer, DsnNotify notify = DsnNotify.Unspecified)
    {
        OutboundRig rig = new(planner: new Onward(seconds, returns, trace, notify));
        if (peer is not null) rig.AddPeer("203.0.113.1", "example.com", peer);
        else rig.AddMx("example.com", (10, "mx.example.com", "203.0.113.9"));
        await rig.SendAsync(rig.Rig.Envelope(TransportRig.Stranger, "eve@example.net", "ann@example.org"));
        return rig;
    }

    private static ScriptedPeer Peer(params string[] extensions) => new() { Extensions = [.. Plain, .. extensions] };

    private static async Task<string?> ReportAsync(OutboundRig rig) => (await rig.Rig.MailAsync(rig.Rig.Ann)).SingleOrDefault();

    [Theory]
    [InlineData(true, false, "BY=600;R")]
    [InlineData(true, true, "BY=600;RT")]
    [InlineData(false, false, "BY=600;N")]
    public async Task A_server_that_knows_it_is_told(bool returns, bool trace, string expected)
    {
        ScriptedPeer peer = Peer("DELIVERBY 30");
        await using OutboundRig rig = await SentAsync(600, returns, trace, peer);
        await rig.UntilEmptyAsync();
        Assert.EndsWith(" " + expected, Assert.Single(peer.Messages).From.Trim(), StringComparison.Ordinal);
        // Only who traces hears that it went on.
        if (trace) Assert.Contains("Action: relayed", await ReportAsync(rig), StringComparison.Ordinal);
        else Assert.Null(await ReportAsync(rig));
    }

    [Theory]
    [InlineData("SIZE", "does not promise to deliver in time")]
    [InlineData("DELIVERBY 601", "needs 601 seconds to deliver")]
    public async Task What_must_be_in_time_goes_to_nobody_who_does_not_promise(string extension, string why)
    {
        ScriptedPeer peer = Peer(extension);
        await using OutboundRig rig = await SentAsync(600, true, false, peer);
        await rig.UntilEmptyAsync();
        Assert.Empty(peer.Messages);
        string report = (await ReportAsync(rig))!;
        Assert.Contains("5.4.7", report, StringComparison.Ordinal);
        Assert.Contains(why, report.ReplaceLineEndings(" ").Replace("  ", " ", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DsnNotify.Unspecified, true)]
    [InlineData(DsnNotify.Failure, true)]
    [InlineData(DsnNotify.Never, false)]
    public async Task What_is_to_be_told_goes_on_and_is_told_where_nobody_else_would(DsnNotify notify, bool told)
    {
        ScriptedPeer peer = Peer("DSN");
        await using OutboundRig rig = await SentAsync(600, false, false, peer, notify);
        await rig.UntilEmptyAsync();
        PeerMessage message = Assert.Single(peer.Messages);
        Assert.DoesNotContain("BY=", message.From, StringComparison.Ordinal);
        Assert.Contains(told ? "NOTIFY=FAILURE,DELAY" : "NOTIFY=NEVER", Assert.Single(message.To), StringComparison.Ordinal);
        Assert.Equal(told, (await ReportAsync(rig))?.Contains("Action: relayed", StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task When_the_time_is_over_it_comes_back_though_the_queue_would_try_on()
    {
        await using OutboundRig rig = await SentAsync(3600, true, false, null);
        await rig.UntilWaitingAsync(1, 1);
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(61));
        await rig.UntilEmptyAsync();
        Assert.Contains("Action: failed", await ReportAsync(rig), StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_the_time_is_over_its_sender_is_told_and_the_queue_tries_on()
    {
        await using OutboundRig rig = await SentAsync(600, false, false, null);
        await rig.UntilWaitingAsync(1, 1);
        rig.Rig.Time.Advance(TimeSpan.FromMinutes(11));
        await rig.UntilAsync(() => rig.Rig.Queued.Single().IsWarned, "a warning");
        Assert.Contains("Action: delayed", await ReportAsync(rig), StringComparison.Ordinal);
    }
}
