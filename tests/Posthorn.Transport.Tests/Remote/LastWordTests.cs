using Posthorn.Testing;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>A server that says why and hangs up is heard.</summary>
public sealed class LastWordTests
{
    private static readonly PeerAct Blocked = new PeerAct.SayAndClose("554 5.7.1 Your host is blocked, see https://example.com/");

    [Theory]
    [InlineData("CONNECT", "SIZE")]
    [InlineData("EHLO", "SIZE")]
    [InlineData("MAIL", "SIZE")]
    [InlineData("MAIL", "PIPELINING")]
    [InlineData("RCPT", "PIPELINING")]
    [InlineData("DATA", "PIPELINING")]
    public async Task A_refusal_and_a_closed_door_is_a_refusal(string point, string extension)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = [extension] }).At(point, Blocked);
        await rig.SendAsync("a@example.com");
        await rig.UntilEmptyAsync();
        Assert.Contains("Your host is blocked", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
        Assert.DoesNotContain(peer.Commands, command => command.StartsWith("HELO", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("SIZE")]
    [InlineData("PIPELINING")]
    public async Task Whoever_was_refused_before_it_closed_is_refused_and_the_others_wait(string extension)
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = [extension] }).At("RCPT", new PeerAct.Say("550 5.1.1 Nobody"), new PeerAct.Close());
        await rig.SendAsync("a@example.com", "b@example.com");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal([1], Assert.Single(rig.Rig.Queued).PendingRecipients);
        Assert.Contains("<a@example.com>", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_said_amid_the_content_counts()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com").At("DATA", new PeerAct.SayAndClose("354 Go on\n552 5.3.4 Too big for us"));
        await rig.SendAsync(rig.Rig.Envelope(rig.Rig.User, "ann@example.org", "far@example.com"), "From: ann@example.org\n\n" + string.Concat(Enumerable.Repeat(new string('x', 78) + "\n", 40_000)));
        await rig.UntilEmptyAsync();
        Assert.Equal(1, peer.ConnectionCount);
        Assert.Contains("Too big for us", Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann)), StringComparison.Ordinal);
    }
}
