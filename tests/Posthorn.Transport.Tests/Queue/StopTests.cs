using System.Net;
using Posthorn.Testing;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>The end of the server: nothing new begins, and no message goes out twice for it (RFC 1047) while there is time.</summary>
public sealed class StopTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PeerAct.SayWhen When(string reply) => new(_reached, _go.Task, reply);

    [Fact]
    public async Task An_answer_that_is_awaited_is_waited_for()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com").At(".", When("250 2.0.0 Ok"));
        await rig.SendAsync("far@example.com");
        await _reached.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Task stopping = rig.StopAsync();
        rig.Rig.Time.Advance(TimeSpan.FromSeconds(55));
        Assert.False(stopping.IsCompleted);
        _go.SetResult();
        await stopping.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(0, rig.Rig.Queue.Count);
        Assert.Single(peer.Messages);
    }

    [Theory]
    [InlineData("CONNECT")]
    [InlineData("EHLO")]
    [InlineData("MAIL")]
    [InlineData("RCPT")]
    [InlineData("DATA")]
    [InlineData("MAIL", "PIPELINING")]
    [InlineData("DATA", "PIPELINING")]
    public async Task What_has_not_come_to_its_content_ends_at_once_and_counts_as_not_tried(string point, params string[] extensions)
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = extensions }).At(point, When("250 2.0.0 Ok"));
        await rig.SendAsync("far@example.com");
        await _reached.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        await rig.StopAsync().WaitAsync(Patience, TestContext.Current.CancellationToken);
        IsAsBefore(rig);
        Assert.DoesNotContain("QUIT", peer.Commands);
        Assert.Empty(peer.Messages);
    }

    [Fact]
    public async Task Patience_ends_and_what_is_broken_off_counts_as_not_tried()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com").At(".", When("250 2.0.0 Ok"));
        await rig.SendAsync("far@example.com");
        await _reached.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Task stopping = rig.StopAsync();
        await rig.UntilAsync(() =>
        {
            rig.Rig.Time.Advance(TimeSpan.FromSeconds(10));
            return stopping.IsCompleted;
        }, "the end of patience");
        await stopping;
        IsAsBefore(rig);
        Assert.DoesNotContain("QUIT", peer.Commands);
    }

    /// <summary>With the clock standing still.</summary>
    [Fact]
    public async Task A_hurry_ends_the_wait()
    {
        await using OutboundRig rig = new();
        rig.AddPeer("203.0.113.1", "example.com").At(".", When("250 2.0.0 Ok"));
        await rig.SendAsync("far@example.com");
        await _reached.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        using CancellationTokenSource hurry = new();
        Task stopping = rig.StopAsync(hurry.Token);
        Assert.False(stopping.IsCompleted);
        await hurry.CancelAsync();
        await stopping.WaitAsync(Patience, TestContext.Current.CancellationToken);
        IsAsBefore(rig);
    }

    [Fact]
    public async Task No_further_transaction_begins()
    {
        await using OutboundRig rig = new();
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "example.com", new() { Extensions = ["LIMITS RCPTMAX=1"] }).At(".", When("250 2.0.0 Ok"));
        await rig.SendAsync("a@example.com", "b@example.com");
        await _reached.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Task stopping = rig.StopAsync();
        _go.SetResult();
        await stopping.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Single(peer.Commands, command => command.StartsWith("MAIL", StringComparison.Ordinal));
        Assert.Equal([1], Assert.Single(rig.Rig.Queued).PendingRecipients);
        IsAsBefore(rig);
    }

    /// <summary>LMTP answers for each recipient (RFC 2033 section 4.2).</summary>
    [Fact]
    public async Task Whoever_was_answered_behind_lmtp_before_the_end_does_not_get_it_again()
    {
        await using OutboundRig rig = new(options => options with { Outbound = options.Outbound with { Routes = [new("example.com", new NextHop.Lmtp(new IPEndPoint(IPAddress.Parse("203.0.113.9"), 24)))] } });
        rig.AddPeer("203.0.113.9", peer: new() { IsLmtp = true, Window = 8 }).At(".", new PeerAct.Say("250 2.1.5 Ok"), When("250 2.1.5 Ok"));
        await rig.SendAsync("a@example.com", "b@example.com", "c@example.com");
        await _reached.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        using CancellationTokenSource hurry = new();
        Task stopping = rig.StopAsync(hurry.Token);
        await hurry.CancelAsync();
        await stopping.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal([1, 2], Assert.Single(rig.Rig.Queued).PendingRecipients);
        IsAsBefore(rig);
    }

    // As it is written down for the next start.
    private static void IsAsBefore(OutboundRig rig)
    {
        QueueEntryState state = Assert.Single(rig.Rig.Queued).Snapshot();
        Assert.Equal(0, state.Attempts);
        Assert.True(state.NextAttempt <= rig.Rig.Time.GetUtcNow());
        Assert.Empty(state.LastWords);
    }
}
