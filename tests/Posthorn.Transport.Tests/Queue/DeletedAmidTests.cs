using Posthorn.Core;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>What an operator throws away while it is being tried: whatever its server says then, nobody is told.</summary>
public sealed class DeletedAmidTests : IDisposable
{
    private readonly TransportRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData(550, "5.1.1", 0)]
    [InlineData(450, "4.7.1", 0)]
    [InlineData(450, "4.7.1", 5)]      // a warning is due
    [InlineData(450, "4.7.1", 6 * 24)] // its time is over
    [InlineData(250, "2.0.0", 0)]
    public async Task Its_sender_hears_nothing(int code, string status, int hours)
    {
        Delivery delivery = await DeliveryAsync("far@example.com");
        _rig.Time.Advance(TimeSpan.FromHours(hours));
        Assert.Equal(1, await new QueueControl(_rig.Queue, _rig.Time).DeleteAsync(new(), default));
        await SettleAsync(delivery, new([new(code, status, "so")], ["mx.example.com"], [Handover.Delivered], new ConnectionVerdict.Worked()));
        Assert.Empty(await _rig.MailAsync(_rig.Ann));
        Assert.Empty(_rig.Queued);
    }

    [Fact]
    public async Task Without_an_order_the_same_words_are_told()
    {
        Delivery delivery = await DeliveryAsync("far@example.com");
        await SettleAsync(delivery, new([new(550, "5.1.1", "so")], ["mx.example.com"], [Handover.Delivered], new ConnectionVerdict.Worked()));
        Assert.Contains("5.1.1", Assert.Single(await _rig.MailAsync(_rig.Ann)), StringComparison.Ordinal);
    }

    /// <summary>Between the schedule's word and the attempt: none is made.</summary>
    [Theory]
    [InlineData("bob@example.org")]
    [InlineData("far@example.com")]
    public async Task What_has_not_begun_does_not_begin(string recipient)
    {
        Delivery delivery = await DeliveryAsync(recipient, TimeSpan.FromHours(1));
        Assert.Null(delivery.Foregone);
        await new QueueControl(_rig.Queue, _rig.Time).DeleteAsync(new(), default);
        Assert.Equal("5.7.0", delivery.Foregone?.Status);
        await SettleAsync(delivery, DeliveryResult.Foregone(delivery, delivery.Foregone!));
        Assert.Empty(await _rig.MailAsync(_rig.Ann));
    }

    private async Task<Delivery> DeliveryAsync(string recipient, TimeSpan? later = null)
    {
        Envelope envelope = new() { Id = _rig.Transport.NewQueueId(), Client = _rig.User, From = ReversePath.Of(_rig.Ann.Address), ReleaseAt = later is { } wait ? _rig.Time.GetUtcNow() + wait : null };
        envelope.Recipients.Add(new(EmailAddress.Parse(recipient), DsnNotify.Success | DsnNotify.Failure | DsnNotify.Delay, null));
        Assert.True((await _rig.SendAsync(envelope, "From: ann@example.org\n\nx\n")).Overall.IsPositive);
        QueueEntry entry = Assert.Single(_rig.Queued);
        return new(entry.Jobs[0], [0], null);
    }

    private ValueTask SettleAsync(Delivery delivery, DeliveryResult result) =>
        new Settlement(_rig.Services, _rig.Transport.Reporter, () => _rig.Transport.Options).SettleAsync(delivery, result, default);
}
