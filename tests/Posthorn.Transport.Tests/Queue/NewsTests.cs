using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>Whoever waits for news of the queue hears of it, however many announce at once.</summary>
public sealed class NewsTests
{
    /// <summary>Two that announced at once lost a task that the runner waited for: mail stood still for ten minutes.</summary>
    [Fact]
    public async Task No_task_that_was_handed_out_is_forgotten()
    {
        using TransportRig rig = new();
        using CancellationTokenSource stop = new();
        Task[] others = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            while (!stop.IsCancellationRequested) rig.Queue.Announce();
        }))];
        for (int i = 0; i < 50_000; i++)
        {
            Task news = rig.Queue.News;
            rig.Queue.Announce();
            await news.WaitAsync(TimeSpan.FromSeconds(60));
        }
        await stop.CancelAsync();
        await Task.WhenAll(others);
    }
}
