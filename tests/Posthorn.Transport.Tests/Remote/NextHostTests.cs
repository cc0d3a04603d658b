using System.Net;
using Posthorn.Testing;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>Another server of the domain takes what one has put off (RFC 5321 section 5.1), and nobody gets a message twice for it.</summary>
public sealed class NextHostTests
{
    private static string[] Took(ScriptedPeer peer) => [.. peer.Messages.SelectMany(message => message.To).Select(to => to.Split(' ')[0])];

    private static (ScriptedPeer First, ScriptedPeer Second) AddTwo(OutboundRig rig, params string[] extensions)
    {
        ScriptedPeer first = rig.AddPeer("203.0.113.1", peer: new() { Extensions = extensions }), second = rig.AddPeer("203.0.113.2");
        rig.AddMx("example.com", (10, "a.example.com", "203.0.113.1"), (20, "b.example.com", "203.0.113.2"));
        return (first, second);
    }

    public static TheoryData<string, PeerAct, string> Faults()
    {
        TheoryData<string, PeerAct, string> data = [];
        foreach (string extension in (string[])["PIPELINING", "SIZE"])
        {
            foreach (string point in (string[])["RCPT", "DATA", "."])
            {
                data.Add(point, new PeerAct.Say("451 4.3.0 Out of order"), extension);
                data.Add(point, new PeerAct.SayAndClose("421 4.3.2 Going down"), extension);
            }
            data.Add("RCPT", new PeerAct.Close(), extension);
            data.Add("DATA", new PeerAct.Close(), extension);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_server_that_puts_it_off_is_passed_by(string point, PeerAct act, string extension)
    {
        await using OutboundRig rig = new();
        (ScriptedPeer first, ScriptedPeer second) = AddTwo(rig, extension);
        first.At(point, act);
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Empty(first.Messages);
        Assert.Equal(["<far@example.com>"], Took(second));
    }

    /// <summary>What is in between may break the connection over one message.</summary>
    [Fact]
    public async Task A_connection_that_is_lost_amid_the_content_does_no_harm()
    {
        await using OutboundRig rig = new();
        (ScriptedPeer first, ScriptedPeer second) = AddTwo(rig, "PIPELINING");
        first.At("DATA", new PeerAct.SayAndClose("354 Go on"));
        await rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "far@example.com"), "From: ann@example.org\n\n" + string.Concat(Enumerable.Repeat(new string('x', 78) + "\n", 40_000)));
        await rig.UntilEmptyAsync();
        Assert.Empty(first.Messages);
        Assert.Equal(["<far@example.com>"], Took(second));
    }

    /// <summary>Nobody has refused it: the first server may take it later.</summary>
    [Fact]
    public async Task A_second_server_that_is_too_small_bounces_nothing()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1").At("RCPT", new PeerAct.Say("451 4.7.1 Greylisted"));
        rig.AddPeer("203.0.113.2", peer: new() { Extensions = ["SIZE 10"] });
        rig.AddMx("example.com", (10, "a.example.com", "203.0.113.1"), (20, "b.example.com", "203.0.113.2"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(2, rig.Dialled.Count);
        Assert.Equal("451 4.7.1 Greylisted", Assert.Single(rig.Rig.Queued).LastReply(0)!.ToString());
    }

    /// <summary>It may have been taken.</summary>
    [Fact]
    public async Task Nobody_else_gets_what_was_sent_whole_and_not_answered()
    {
        await using OutboundRig rig = new();
        (ScriptedPeer first, ScriptedPeer second) = AddTwo(rig, "PIPELINING");
        first.At(".", new PeerAct.Close());
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(0, second.ConnectionCount);
        Assert.Contains("closed the connection (after the message)", Assert.Single(rig.Rig.Queued).LastReply(0)!.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PIPELINING")]
    [InlineData("SIZE")]
    public async Task Whoever_has_an_answer_keeps_it(string extension)
    {
        await using OutboundRig rig = new();
        (ScriptedPeer first, ScriptedPeer second) = AddTwo(rig, extension);
        first.At("RCPT", new PeerAct.Say("250 2.1.5 Ok"), new PeerAct.Say("550 5.1.1 Nobody"), new PeerAct.Say("451 4.3.0 Not now"));
        await rig.SendAsync("a@example.com", "b@example.com", "c@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal(["<a@example.com>"], Took(first));
        Assert.Equal(["<c@example.com>"], Took(second));
        Assert.Contains("<b@example.com>", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task So_many_are_asked_and_the_last_word_stays(int most)
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { MaxServers = most } });
        for (int i = 1; i <= 4; i++) rig.AddPeer($"203.0.113.{i}").At("RCPT", new PeerAct.Say($"451 4.3.0 Not now, says {i}"));
        rig.AddMx("example.com", [.. Enumerable.Range(1, 4).Select(i => (i, $"mx{i}.example.com", $"203.0.113.{i}"))]);
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(most, rig.Dialled.Count);
        Assert.Equal($"451 4.3.0 Not now, says {most}", Assert.Single(rig.Rig.Queued).LastReply(0)!.ToString());
    }

    [Fact]
    public async Task A_mailbox_that_is_full_is_full_everywhere()
    {
        await using OutboundRig rig = new();
        (ScriptedPeer first, ScriptedPeer second) = AddTwo(rig, "PIPELINING");
        first.At("RCPT", new PeerAct.Say("452 4.2.2 Mailbox full"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(0, second.ConnectionCount);
    }

    [Fact]
    public async Task Behind_lmtp_nobody_else_is_asked()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Routes = [new("example.com", new NextHop.Lmtp(new DnsEndPoint("lmtp.example", 24)))] } });
        rig.Dns.Hosts["lmtp.example"] = [IPAddress.Parse("203.0.113.1"), IPAddress.Parse("203.0.113.2")];
        foreach (string address in (string[])["203.0.113.1", "203.0.113.2"]) rig.AddPeer(address, peer: new() { IsLmtp = true }).At("RCPT", new PeerAct.Say("451 4.3.0 Not now"));
        await rig.SendAsync("far@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Single(rig.Dialled);
    }

    /// <summary>Who puts one message off is not asked again at once, and takes the next one over the same connection.</summary>
    [Fact]
    public async Task The_connection_to_who_puts_it_off_stays()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com").At("RCPT", new PeerAct.Say("450 4.2.0 Greylisted"), new PeerAct.Say("450 4.2.0 Greylisted"), new PeerAct.Say("250 2.1.5 Ok"));
        for (int i = 1; i <= 3; i++)
        {
            await rig.SendAsync($"u{i}@example.com");
            await rig.UntilAsync(() => peer.Commands.Count(command => command.StartsWith("RCPT", StringComparison.Ordinal)) == i && rig.Idle == 1, "a connection at rest");
        }
        Assert.Equal(["<u3@example.com>"], Took(peer));
        Assert.Equal(1, peer.ConnectionCount);
        Assert.Equal([1, 1], rig.Rig.Queued.Select(entry => entry.Attempts));
    }
}
