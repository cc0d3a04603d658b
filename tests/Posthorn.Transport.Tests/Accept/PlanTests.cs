using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Accept;

/// <summary>What planners decide, and what aliases owe to each of their members.</summary>
public sealed class PlanTests
{
    private const string Message = "From: eve@example.net\nSubject: hello\n\nText\n";
    private static readonly EmailAddress Ann = EmailAddress.Parse("ann@example.org");

    private sealed class Planner(Func<DeliveryInput, DeliveryPlan> plan) : IDeliveryPlanner
    {
        public List<DeliveryInput> Asked { get; } = [];

        public ValueTask<DeliveryPlan> PlanAsync(DeliveryInput input, CancellationToken cancel)
        {
            Asked.Add(input);
            return ValueTask.FromResult(plan(input));
        }
    }

    [Fact]
    public async Task A_plan_files_redirects_rejects_or_discards()
    {
        _ = MailboxName.TryCreate("Archive", '.', out MailboxName archive);
        DeliveryPlan current = DeliveryPlan.Keep;
        Planner planner = new(input => input.Account.Address == Ann ? current : DeliveryPlan.Keep);
        using TransportRig rig = new(planner: planner);

        current = new() { Copies = [new(archive, SystemFlags.Seen, KeywordSet.Empty, false)], Redirects = [EmailAddress.Parse("bob@example.org"), EmailAddress.Parse("far@example.com")] };
        Assert.True((await SendAsync(rig, "ann@example.org")).Overall.IsPositive);
        Assert.Single(await rig.MailAsync(rig.Ann, "Archive"));
        Assert.Single(await rig.MailAsync(rig.Bob));
        Assert.Equal("far@example.com", Assert.Single(rig.Queued).Message.Recipients[0].Address.ToString());
        Assert.Equal("eve@example.net", rig.Queued[0].Message.From.ToString());
        Assert.Equal(["ann@example.org", "bob@example.org"], planner.Asked.Select(input => input.Recipient.ToString()));
        Assert.All(planner.Asked, input => Assert.Equal("ann@example.org", input.Original.ToString()));

        current = new() { Rejection = new(550, "5.7.1", "Not wanted") };
        Assert.Equal("550 5.7.1 Not wanted", (await SendAsync(rig, "ann@example.org")).Overall.ToString());

        current = new();
        Assert.True((await SendAsync(rig, "ann@example.org")).Overall.IsPositive);
        Assert.Empty(await rig.MailAsync(rig.Ann));
    }

    [Fact]
    public async Task Redirects_in_a_circle_end()
    {
        Planner planner = new(input => new() { Redirects = [EmailAddress.Parse(input.Account.Address == Ann ? "bob@example.org" : "ann@example.org")] });
        using TransportRig rig = new(planner: planner);
        AcceptOutcome outcome = await SendAsync(rig, "ann@example.org");
        Assert.True(outcome.Overall.IsPositive);
        Assert.Equal(2, planner.Asked.Count); // each has been asked once
        Assert.Single(await rig.MailAsync(rig.Ann)); // and nothing is lost
        Assert.Empty(await rig.MailAsync(rig.Bob));
    }

    [Fact]
    public async Task A_long_chain_of_redirects_is_a_loop()
    {
        using TransportRig rig = new(planner: new Planner(input => new() { Redirects = [EmailAddress.Parse($"u{int.Parse(input.Account.Address.LocalPart[1..], System.Globalization.CultureInfo.InvariantCulture) + 1}@example.org")] }));
        for (int i = 0; i < 20; i++) rig.Directory.AddAccount($"u{i}@example.org");
        Assert.Equal("554 5.4.6", (await SendAsync(rig, "u0@example.org")).Overall.ToString()[..9]);
    }

    [Theory]
    [InlineData(ListenerRole.Mx)]
    [InlineData(ListenerRole.Lmtp)]
    public async Task Every_member_of_an_alias_is_owed_the_message(ListenerRole role)
    {
        using TransportRig rig = new();
        MailAccount down = rig.Directory.AddAccount("down@example.org"), full = rig.Directory.AddAccount("full@example.org");
        rig.Directory.AddAlias("all@example.org", "bob@example.org", "down@example.org", "full@example.org");
        rig.Stores.Refuses = delivery => delivery.Account == down ? new(RefusalKind.Unavailable, "x") : delivery.Account == full ? new(RefusalKind.TooBig, "x") : null;
        Envelope envelope = rig.Envelope(TransportRig.Stranger with { Role = role }, "ann@example.org", "all@example.org");
        Assert.True((await rig.SendAsync(envelope, Message)).Overall.IsPositive);
        Assert.Single(await rig.MailAsync(rig.Bob));
        Transport.Queue.QueueEntry waiting = Assert.Single(rig.Queued);
        Assert.Equal("down@example.org", Assert.Single(waiting.Message.Recipients).Address.ToString());
        string bounce = Assert.Single(await rig.MailAsync(rig.Ann));
        Assert.Contains("\r\n\r\nFinal-Recipient: rfc822; full@example.org\r\nAction: failed\r\nStatus: 5.2.3", bounce, StringComparison.Ordinal);
        // Nobody gave ORCPT (RFC 3461 section 6.3): people are told all the same.
        Assert.DoesNotContain("Original-Recipient", bounce, StringComparison.Ordinal);
        Assert.Contains("<full@example.org> (for all@example.org)\r\n", bounce, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Alias_trouble_is_said_at_rcpt()
    {
        using TransportRig rig = new();
        rig.Directory.AddAlias("x@example.org", "y@example.org");
        rig.Directory.AddAlias("y@example.org", "x@example.org");
        Assert.Equal("550 5.4.6", (await rig.RcptAsync(TransportRig.Stranger, "x@example.org")).ToString()[..9]);
    }

    [Fact]
    public async Task A_full_queue_takes_no_more_for_others()
    {
        using TransportRig rig = new(new() { Hostname = "mail.example.org", Queue = new() { MaxMessages = 1 } });
        Assert.True((await rig.RcptAsync(rig.User, "far@example.com")).IsPositive);
        Assert.True((await rig.SendAsync(rig.Envelope(rig.User, "", "far@example.com"), "From: ann@example.org\n\nx\n")).Overall.IsPositive);
        Assert.Equal("452 4.3.1", (await rig.RcptAsync(rig.User, "far@example.com")).ToString()[..9]);
        Assert.Equal("452 4.3.1", (await rig.SendAsync(rig.Envelope(rig.User, "", "far@example.com"), "From: ann@example.org\n\nx\n")).Overall.ToString()[..9]);
        Assert.True((await rig.RcptAsync(rig.User, "bob@example.org")).IsPositive);
        // An alias that leads elsewhere too is mail for others; what has come so far is refused as a whole, so that nobody gets it twice.
        rig.Directory.AddAlias("away@example.org", "far@example.com");
        rig.Directory.AddAlias("both@example.org", "bob@example.org", "far@example.com");
        foreach (string alias in (string[])["away@example.org", "both@example.org"])
        {
            Assert.Equal("452 4.3.1", (await rig.RcptAsync(TransportRig.Stranger, alias)).ToString()[..9]);
            Assert.Equal("452 4.3.1", (await SendAsync(rig, alias)).Overall.ToString()[..9]);
        }
        Assert.Equal(["452 4.3.1", "452 4.3.1"], (await rig.SendAsync(rig.Envelope(TransportRig.Lmtp, "eve@example.net", "ann@example.org", "both@example.org"), Message)).Recipients.Select(reply => reply.ToString()[..9]));
        Assert.Empty(await rig.MailAsync(rig.Ann));
        Assert.Empty(await rig.MailAsync(rig.Bob));
        Assert.Single(rig.Queued);
    }

    [Fact]
    public async Task A_from_field_without_end_is_refused_where_it_matters()
    {
        using TransportRig rig = new();
        string from = "From: " + string.Concat(Enumerable.Repeat("ann@example.org,\n ", 5000)) + "ann@example.org\n\nx\n";
        Assert.Equal("550 5.6.0", (await rig.SendAsync(rig.Envelope(rig.User, "", "bob@example.org"), from)).Overall.ToString()[..9]);
        Assert.True((await rig.SendAsync(rig.Envelope(TransportRig.Stranger, "", "bob@example.org"), from)).Overall.IsPositive);
    }

    private static Task<AcceptOutcome> SendAsync(TransportRig rig, string recipient) => rig.SendAsync(rig.Envelope(TransportRig.Stranger, "eve@example.net", recipient), Message);
}
