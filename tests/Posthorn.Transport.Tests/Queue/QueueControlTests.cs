using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>What operators ask of the queue: every filter, totals, reasons, requeue, and settings that change under mail that waits.</summary>
public sealed class QueueControlTests
{
    // Three messages wait: two of ann's for a server that puts them off, one of nobody's for a server that cannot be reached.
    private static async Task<(OutboundRig Rig, QueueControl Control)> WaitingAsync()
    {
        OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "one.example").At("RCPT", new PeerAct.Say("451 4.7.1 Greylisted, try later"));
        rig.AddMx("two.example", (10, "mx.two.example", "203.0.113.9"));
        await rig.SendAsync("a@one.example");
        await rig.SendAsync("b@one.example", "c@one.example");
        await rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "", "d@two.example"));
        await rig.UntilWaitingAsync(3, 1);
        return (rig, new(rig.Rig.Queue, rig.Rig.Time));
    }

    public static TheoryData<QueueFilter, string> Filters => new()
    {
        { new(), "abd" },
        { new() { Limit = 2 }, "ab" },
        { new() { From = "ann@example.org" }, "ab" },
        { new() { From = "@EXAMPLE.org" }, "ab" },
        { new() { From = "bob@example.org" }, "" },
        { new() { From = "<>" }, "d" },
        { new() { To = "C@one.example" }, "b" },
        { new() { To = "@one.example" }, "ab" },
        { new() { To = "@ne.example" }, "" },
        { new() { To = "one.example" }, "" },
        { new() { IsHeld = true }, "" },
        { new() { IsHeld = false }, "abd" },
        { new() { Reason = "greylisted" }, "ab" },
        { new() { Reason = "4.7.1" }, "ab" },
        { new() { Reason = "nothing of the kind" }, "" },
        { new() { Destination = "ONE.example" }, "ab" },
        { new() { Destination = "two.example" }, "d" },
        { new() { From = "<>", To = "@one.example" }, "" },
        { new() { Id = new("none") }, "" },
    };

    [Theory]
    [MemberData(nameof(Filters))]
    public async Task A_filter_finds_what_it_names_and_nothing_else(QueueFilter filter, string found)
    {
        (OutboundRig rig, QueueControl control) = await WaitingAsync();
        await using OutboundRig _ = rig;
        Assert.Equal(found, string.Concat(control.List(filter).Select(message => message.Recipients[0].Address.LocalPart)));
        if (filter.Limit == int.MaxValue) Assert.Equal(found.Length, control.Count(filter));
    }

    [Fact]
    public async Task Totals_and_reasons()
    {
        (OutboundRig rig, QueueControl control) = await WaitingAsync();
        await using OutboundRig _ = rig;
        Assert.Equal([("one.example", 2), ("two.example", 1)], control.Totals().Select(total => (total.Destination, total.Messages)));
        Assert.Equal("4.4.1", control.Totals()[1].LastFault?.Status);
        Assert.Equal([("451 4.7.1", 3), ("450 4.4.1", 1)], control.Reasons(new()).Select(reason => (reason.Status, reason.Recipients)));
        Assert.Equal("Greylisted, try later", control.Reasons(new())[0].Example);
        Assert.Equal("450 4.4.1", Assert.Single(control.Reasons(new() { To = "@two.example" })).Status);
    }

    [Fact]
    public async Task Orders_reach_what_the_filter_names()
    {
        (OutboundRig rig, QueueControl control) = await WaitingAsync();
        await using OutboundRig _ = rig;
        Assert.Equal(2, await control.HoldAsync(new() { To = "@one.example" }, default));
        Assert.Equal(2, control.Count(new() { IsHeld = true }));
        // What is held is not tried, however much time passes.
        Assert.Equal(1, control.Retry(new()));
        Assert.Equal(1, await control.DeleteAsync(new() { To = "@two.example" }, default));
        Assert.Equal(1, await control.ReleaseAsync(new() { To = "a@one.example" }, default));
        Assert.Equal(["b@one.example"], control.List(new() { IsHeld = true }).Select(message => message.Recipients[0].Address.ToString()));
        Assert.Equal(0, await control.DeleteAsync(new() { To = "@two.example" }, default));
    }

    /// <summary>Requeued mail is as new: no attempts, its whole time, its warning, and the routes of now.</summary>
    [Fact]
    public async Task Requeued_mail_starts_anew()
    {
        (OutboundRig rig, QueueControl control) = await WaitingAsync();
        await using OutboundRig _ = rig;
        rig.Rig.Time.Advance(TimeSpan.FromDays(4.9));
        await rig.UntilAsync(() => rig.Rig.Queued.All(entry => entry.IsWarned && entry.Attempts >= 2) && rig.Rig.Queue.Read((_, schedule) => schedule.Running) == 0, "a second attempt");
        rig.Rig.Transport.Options = rig.Rig.Transport.Options with { Outbound = rig.Rig.Transport.Options.Outbound with { Routes = [new("two.example", new NextHop.Host("relay.example.net", 25))] } };
        rig.Dns.Hosts["relay.example.net"] = [System.Net.IPAddress.Parse("203.0.113.7")];
        ScriptedPeer relay = rig.AddPeer("203.0.113.7");
        Assert.Equal(3, await control.RequeueAsync(new(), default));
        await rig.UntilAsync(() => rig.Rig.Queue.Count == 2 && rig.Rig.Queued.All(entry => entry.Attempts == 1) && rig.Rig.Queue.Read((_, schedule) => schedule.Running) == 0, "an attempt by the new route");
        Assert.Equal("<d@two.example>", Assert.Single(Assert.Single(relay.Messages).To).Trim());
        // A day more would have been the end of it.
        rig.Rig.Time.Advance(TimeSpan.FromDays(1));
        await rig.UntilAsync(() => rig.Rig.Queued.All(entry => entry.Attempts >= 2), "another attempt");
        Assert.Equal(2, rig.Rig.Queue.Count);
    }
}
