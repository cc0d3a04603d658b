using Posthorn.Core;
using Posthorn.Testing;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>Connections are kept for a moment when there is nothing more to send.</summary>
public sealed class IdleConnectionTests
{
    private static OutboundRig Rig(TimeSpan keep, int connections = 500) =>
        new(options => options with { Outbound = options.Outbound with { KeepIdle = keep }, Queue = options.Queue with { MaxConnections = connections } });

    [Theory]
    [InlineData(2, 1)]
    [InlineData(0, 3)]
    public async Task Mail_that_comes_one_after_another_shares_a_connection(int seconds, int connections)
    {
        await using OutboundRig rig = Rig(TimeSpan.FromSeconds(seconds));
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        for (int i = 0; i < 3; i++)
        {
            await rig.SendAsync("far@example.com");
            await rig.UntilEmptyAsync();
            // The delivery that ends and the connection that rests are two steps.
            if (seconds > 0) await rig.UntilAsync(() => rig.Idle == 1, "a connection at rest");
            else await rig.UntilAsync(() => peer.Commands.Count(command => command == "QUIT") == peer.ConnectionCount, "a goodbye");
        }
        Assert.Equal(3, peer.Messages.Count);
        Assert.Equal(connections, peer.ConnectionCount);
        // A message that was taken leaves nothing for RSET to clear away (RFC 5321 section 4.1.1.4).
        Assert.DoesNotContain("RSET", peer.Commands);
    }

    [Fact]
    public async Task A_transaction_that_failed_is_cleared_away()
    {
        await using OutboundRig rig = Rig(TimeSpan.FromSeconds(2));
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        peer.At("RCPT", new PeerAct.Say("550 5.1.1 No"), new PeerAct.Say("250 2.1.5 Ok"));
        await rig.SendAsync("nobody@example.com");
        await rig.UntilAsync(() => rig.Rig.Queue.Count == 0 && rig.Idle == 1, "a connection at rest");
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);
        Assert.Equal(1, peer.ConnectionCount);
        Assert.Single(peer.Commands, "RSET");
    }

    [Fact]
    public async Task It_says_goodbye_when_nothing_comes()
    {
        await using OutboundRig rig = Rig(TimeSpan.FromSeconds(2));
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        await rig.SendAsync("far@example.com");
        await rig.UntilAsync(() => rig.Idle == 1, "a connection at rest");
        Assert.DoesNotContain("QUIT", peer.Commands);
        rig.Rig.Time.Advance(TimeSpan.FromSeconds(2));
        await rig.UntilAsync(() => peer.Commands.Contains("QUIT"), "a goodbye");
        Assert.Equal(0, rig.Idle);
    }

    [Fact]
    public async Task A_server_that_has_closed_meanwhile_is_called_again_at_once()
    {
        await using OutboundRig rig = Rig(TimeSpan.FromMinutes(5));
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        peer.At("MAIL", new PeerAct.Say("250 2.1.0 Ok"), new PeerAct.Close(), new PeerAct.Say("250 2.1.0 Ok"));
        await rig.SendAsync("far@example.com");
        await rig.UntilAsync(() => rig.Idle == 1, "a connection at rest");
        await rig.SendAsync("far@example.com");
        await rig.UntilEmptyAsync();
        Assert.Equal((2, 2), (peer.Messages.Count, peer.ConnectionCount));
    }

    [Fact]
    public async Task So_many_rest_and_no_more()
    {
        await using OutboundRig rig = Rig(TimeSpan.FromSeconds(2), connections: 4);
        ScriptedPeer one = rig.AddPeer("203.0.113.1", "one.example"), two = rig.AddPeer("203.0.113.2", "two.example");
        await rig.SendAsync("far@one.example");
        await rig.UntilAsync(() => rig.Idle == 1, "a connection at rest");
        await rig.SendAsync("far@two.example");
        await rig.UntilAsync(() => two.Commands.Contains("QUIT"), "a goodbye");
        Assert.DoesNotContain("QUIT", one.Commands);
    }

    [Fact]
    public async Task The_end_is_not_held_up()
    {
        OutboundRig rig = Rig(TimeSpan.FromMinutes(5));
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com");
        await rig.SendAsync("far@example.com");
        await rig.UntilAsync(() => rig.Idle == 1, "a connection at rest");
        await rig.StopAsync();
        await rig.UntilAsync(() => peer.Commands.Contains("QUIT"), "a goodbye");
        await rig.DisposeAsync();
    }

    [Fact]
    public async Task The_newest_is_used_first()
    {
        IdleConnections idle = new(TimeProvider.System);
        Task<Delivery?> old = idle.WaitAsync("a", TimeSpan.FromMinutes(5), 10), young = idle.WaitAsync("a", TimeSpan.FromMinutes(5), 10);
        QueueEntry entry = new(new() { Id = new("00000000001"), Arrived = default, From = ReversePath.Null, Origin = "", Size = 0, Recipients = [new(EmailAddress.Parse("far@example.com"), DsnNotify.Unspecified, null)] }, 0);
        Job job = new(entry, new("a"));
        Assert.False(idle.TryHand(new(new(entry, new("b")), [0], null)));
        Assert.True(idle.TryHand(new(job, [0], null)));
        Assert.NotNull(await young);
        Assert.False(old.IsCompleted);
        idle.Close();
        Assert.Null(await old);
        Assert.Null(await idle.WaitAsync("a", TimeSpan.FromMinutes(5), 10));
    }
}
