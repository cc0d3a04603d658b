using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Journal.Volume;
using Posthorn.Testing.Volumes;

namespace Posthorn.Journal.Tests;

/// <summary>Flushes are shared by those who wait, and a lone writer pays for one only.</summary>
public sealed class GroupCommitTests(ITestOutputHelper output) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("posthorn-journal-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static JournalOptions Options(string directory) => new() { Directory = directory, SegmentSize = 16 << 20, Segments = 3 };

    [Theory]
    [InlineData(1, 400, 1, 1)]
    [InlineData(20, 100, 1.5, 20)]
    [InlineData(100, 40, 4, 100)]
    public async Task Messages_for_each_flush(int writers, int each, double atLeast, int atMost)
    {
        Recorder recorder = new(1);
        await using Posthorn.Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(Options(_folder + "/journal"), new LinuxVolume(), [recorder], TimeProvider.System, NullLogger.Instance, default);
        byte[] message = new byte[4096];
        long started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < each; i++)
            {
                await using JournalContent content = journal.CreateContent();
                await content.WriteAsync(message, default);
                await content.CompleteAsync(default);
                Lsn lsn = journal.Append([new(1, 1, message.AsMemory(0, 100))], content);
                await journal.WhenDurableAsync(lsn);
                journal.Applied(lsn);
            }
        })));

        TimeSpan took = Stopwatch.GetElapsedTime(started);
        JournalStatistics statistics = journal.Statistics;
        double share = (double)statistics.Records / statistics.Flushes;
        output.WriteLine($"{writers} writers: {statistics.Records} records, {statistics.Flushes} flushes, {share:F1} each, largest {statistics.LargestBatch}, {statistics.Records / took.TotalSeconds:F0} records/s");
        Assert.Equal(writers * each, statistics.Records);
        Assert.InRange(share, atLeast, atMost); // loose below: how many meet depends on the machine's other work
        Assert.InRange(statistics.LargestBatch, (int)atLeast, atMost);
    }

    [Fact]
    public async Task While_one_flush_hangs_the_others_gather_for_one_more()
    {
        CrashVolume volume = new(TimeProvider.System);
        Posthorn.Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(Options("/journal") with { SegmentSize = 1 << 20, BackgroundWork = false }, volume, [], TimeProvider.System, NullLogger.Instance, default);
        using ManualResetEventSlim go = new(), reached = new();
        volume.Before = (operation, path) =>
        {
            if (operation != "sync" || !path.EndsWith(".seg", StringComparison.Ordinal)) return;
            reached.Set();
            go.Wait();
        };
        Lsn first = journal.Append([new(1, 1, new byte[10])], null);
        Task leader = Task.Run(async () => await journal.WhenDurableAsync(first));
        reached.Wait();

        List<Task> followers = [];
        for (int i = 0; i < 50; i++) followers.Add(journal.WhenDurableAsync(journal.Append([new(1, 1, new byte[10])], null)).AsTask());
        Assert.All(followers, follower => Assert.False(follower.IsCompleted));
        go.Set();
        await leader;
        await Task.WhenAll(followers);
        Assert.Equal((2L, 51L, 50), (journal.Statistics.Flushes, journal.Statistics.Records, journal.Statistics.LargestBatch));
    }

    [Fact]
    public async Task All_who_wait_hear_of_a_failed_flush_and_the_next_ones_succeed()
    {
        CrashVolume volume = new(TimeProvider.System);
        Posthorn.Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(Options("/journal") with { SegmentSize = 1 << 20, BackgroundWork = false }, volume, [], TimeProvider.System, NullLogger.Instance, default);
        using ManualResetEventSlim go = new(), reached = new();
        volume.Before = (operation, path) =>
        {
            if (operation != "sync" || !path.EndsWith("1.seg", StringComparison.Ordinal)) return;
            reached.Set();
            go.Wait();
        };
        volume.Fault = (operation, path) => operation == "sync" && path.EndsWith("1.seg", StringComparison.Ordinal) ? VolumeError.Io : null;
        Lsn lone = journal.Append([new(1, 1, new byte[10])], null);
        Task leader = Task.Run(async () => await journal.WhenDurableAsync(lone));
        reached.Wait();
        Lsn second = journal.Append([new(1, 1, new byte[10])], null);
        Task waiting = journal.WhenDurableAsync(lone).AsTask();
        Task behind = journal.WhenDurableAsync(second).AsTask();
        go.Set();
        await Assert.ThrowsAsync<JournalFlushFailedException>(() => leader);
        await Assert.ThrowsAsync<JournalFlushFailedException>(() => waiting);
        await behind; // it was meant for the same segment and went to the next
        volume.Before = null;
        volume.Fault = null;
        volume.Crash(1);
        Recorder recorder = new(1);
        await Posthorn.Journal.Journal.OpenAsync(Options("/journal") with { SegmentSize = 1 << 20, BackgroundWork = false }, volume, [recorder], TimeProvider.System, NullLogger.Instance, default);
        Assert.Equal(second, Assert.Single(recorder.Records).Lsn);
    }

    [Fact]
    public async Task A_ring_that_is_used_for_longer_than_its_size_checkpoints_itself()
    {
        Recorder recorder = new(1);
        await using Posthorn.Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(Options(_folder + "/journal") with { SegmentSize = 1 << 20 }, new LinuxVolume(), [recorder], TimeProvider.System, NullLogger.Instance, default);
        int refused = 0;
        byte[] message = new byte[100_000];
        for (int i = 0; i < 200; i++)
        {
            await using JournalContent content = journal.CreateContent();
            await content.WriteAsync(message, default);
            await content.CompleteAsync(default);
            try
            {
                Lsn lsn = journal.Append([new(1, 1, message.AsMemory(0, 10))], content);
                await journal.WhenDurableAsync(lsn);
                journal.Applied(lsn);
            }
            catch (JournalFullException)
            {
                refused++;
                i--;
                await journal.CheckpointAsync(default);
            }
        }

        Assert.True(journal.Statistics.Checkpoints >= 5, $"{journal.Statistics.Checkpoints} checkpoints, {refused} refused");
        Assert.Equal(200, journal.Statistics.Records);
    }

    [Fact]
    public async Task A_lone_writer_allocates_little_for_each_record()
    {
        await using Posthorn.Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(Options(_folder + "/journal") with { BackgroundWork = false }, new LinuxVolume(), [], TimeProvider.System, NullLogger.Instance, default);
        byte[] message = new byte[4096];
        JournalStep[] steps = [new(1, 1, message.AsMemory(0, 200))];
        long bytes = 0;
        int thread = Environment.CurrentManagedThreadId;
        for (int round = 0; round < 2; round++) // the first one warms up
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 500; i++)
            {
                JournalContent content = journal.CreateContent();
                await content.WriteAsync(message, default);
                await content.CompleteAsync(default);
                Lsn lsn = journal.Append(steps, content);
                await journal.WhenDurableAsync(lsn);
                journal.Applied(lsn);
                await content.DisposeAsync();
            }

            bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / 500;
        }

        Assert.Equal(thread, Environment.CurrentManagedThreadId); // everything completed at once, on this thread
        output.WriteLine($"{bytes} bytes for each record");
        Assert.InRange(bytes, 0, 400);
    }
}
