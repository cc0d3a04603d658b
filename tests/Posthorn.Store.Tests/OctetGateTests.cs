namespace Posthorn.Store.Tests;

/// <summary>Room for whole messages: bounded, in turns, and given up when asked.</summary>
public sealed class OctetGateTests
{
    [Fact]
    public async Task Who_finds_no_room_waits_and_nobody_overtakes()
    {
        OctetGate gate = new(100);
        OctetHold first = await gate.TakeAsync(60, default);
        OctetHold second = await gate.TakeAsync(40, default);
        Task<OctetHold> large = gate.TakeAsync(70, default).AsTask();
        Task<OctetHold> small = gate.TakeAsync(10, default).AsTask();
        second.Dispose();
        Assert.False(large.IsCompleted);
        Assert.False(small.IsCompleted); // there would be room for it
        first.Dispose();
        OctetHold third = await large.WaitAsync(TimeSpan.FromSeconds(60));
        OctetHold fourth = await small.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(0, gate.Waiting);
        third.Dispose();
        fourth.Dispose();
        (await gate.TakeAsync(100, default)).Dispose();
    }

    [Fact]
    public async Task What_is_larger_than_the_bound_has_its_turn_alone()
    {
        OctetGate gate = new(100);
        OctetHold little = await gate.TakeAsync(1, default);
        Task<OctetHold> all = gate.TakeAsync(1000, default).AsTask();
        Assert.False(all.IsCompleted);
        little.Dispose();
        OctetHold held = await all.WaitAsync(TimeSpan.FromSeconds(60));
        Task<OctetHold> next = gate.TakeAsync(1, default).AsTask();
        Assert.False(next.IsCompleted);
        held.Dispose();
        (await next.WaitAsync(TimeSpan.FromSeconds(60))).Dispose();
    }

    [Fact]
    public async Task Who_gives_up_keeps_nothing_and_holds_nobody_up()
    {
        OctetGate gate = new(100);
        OctetHold held = await gate.TakeAsync(60, default);
        using CancellationTokenSource cancel = new();
        Task<OctetHold> large = gate.TakeAsync(90, cancel.Token).AsTask();
        Task<OctetHold> small = gate.TakeAsync(30, default).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        OctetHold other = await small.WaitAsync(TimeSpan.FromSeconds(60));
        held.Dispose();
        other.Dispose();
        (await gate.TakeAsync(100, default)).Dispose();
        Assert.Equal(0, gate.Waiting);
    }
}
