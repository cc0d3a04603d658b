using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Journal.Volume;
using Posthorn.Testing.Volumes;

namespace Posthorn.Journal.Tests;

/// <summary>Of a record that is held some steps may be over: they never come back, whatever crash follows, and the others do.</summary>
public sealed class HeldPartTests
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly CrashVolume _volume = new(new FakeTimeProvider());
    private readonly JournalOptions _options = new() { Directory = "/journal", SegmentSize = 64 * 1024, Segments = 3, InlineLimit = 4000, BackgroundWork = false };

    private ValueTask<Posthorn.Journal.Journal> OpenAsync(Recorder recorder) =>
        Posthorn.Journal.Journal.OpenAsync(_options, _volume, [recorder], _time, NullLogger.Instance, default);

    // A record for three, held, and the log freed without it.
    private async Task<(Posthorn.Journal.Journal Journal, Lsn Held)> HoldAsync(int size)
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn lsn;
        await using (JournalContent content = journal.CreateContent())
        {
            await content.WriteAsync(Enumerable.Repeat((byte)5, size).ToArray(), default);
            await content.CompleteAsync(default);
            lsn = journal.Append([new(1, 2, new byte[] { 10 }), new(1, 2, new byte[] { 11 }), new(1, 2, new byte[] { 12 })], content);
            await journal.WhenDurableAsync(lsn);
        }

        Assert.Equal(1, journal.Hold(lsn, 1, _ => true));
        await journal.CheckpointAsync(default);
        return (journal, lsn);
    }

    private async Task<Recorder.Replayed?> AgainAsync()
    {
        Recorder recorder = new(1);
        await OpenAsync(recorder);
        return recorder.Records.SingleOrDefault();
    }

    [Theory]
    [InlineData(100)]
    [InlineData(100_000)]
    public async Task Steps_that_are_over_do_not_come_back(int size)
    {
        (Posthorn.Journal.Journal journal, Lsn lsn) = await HoldAsync(size);
        journal.Release(lsn, step => step.Payload.Span[0] == 11);
        Assert.Equal([10, 12], Assert.Single(journal.Read(lsn)).Steps.Select(step => (int)step.Payload.Span[0]));
        _volume.Crash(1);
        Recorder.Replayed? record = await AgainAsync();
        Assert.NotNull(record);
        Assert.True(record.IsHeld);
        Assert.Equal([10, 12], record.Steps.Select(step => (int)step.Payload[0]));
        Assert.Equal(size, record.Content!.Length);
    }

    [Fact]
    public async Task Parts_that_are_over_add_up_and_the_whole_can_go()
    {
        (Posthorn.Journal.Journal journal, Lsn lsn) = await HoldAsync(100);
        journal.Release(lsn, step => step.Payload.Span[0] == 10);
        journal.Release(lsn, step => step.Payload.Span[0] == 12);
        journal.Release(lsn, step => step.Payload.Span[0] == 12); // again: nothing is written
        Assert.Equal([11], Assert.Single(journal.Read(lsn)).Steps.Select(step => (int)step.Payload.Span[0]));
        journal.Release(lsn);
        journal.Release(lsn, _ => true); // not held any more
        _volume.Crash(2);
        Assert.Null(await AgainAsync());
    }

    [Fact]
    public async Task It_is_as_before_or_as_told_wherever_the_power_goes()
    {
        HashSet<int> seen = [];
        for (int cut = 1; cut < 8; cut++)
        {
            (Posthorn.Journal.Journal journal, Lsn lsn) = await new HeldPartTests().CutAsync(cut, seen);
            Assert.NotNull(journal);
        }

        Assert.Equal([2, 3], seen.Order());
    }

    private async Task<(Posthorn.Journal.Journal, Lsn)> CutAsync(int cut, HashSet<int> seen)
    {
        (Posthorn.Journal.Journal journal, Lsn lsn) = await HoldAsync(100);
        _volume.CutAt = _volume.Operations + cut;
        bool told = false;
        try
        {
            journal.Release(lsn, step => step.Payload.Span[0] == 10);
            told = true;
        }
        catch (PowerCut)
        {
            // As planned.
        }

        _volume.CutAt = null;
        _volume.Crash(cut);
        Recorder.Replayed? record = await AgainAsync();
        Assert.NotNull(record);
        if (told) Assert.Equal(2, record.Steps.Count);
        seen.Add(record.Steps.Count);
        return (journal, lsn);
    }

    [Fact]
    public async Task A_list_that_is_damaged_is_said()
    {
        (Posthorn.Journal.Journal journal, Lsn lsn) = await HoldAsync(100);
        journal.Release(lsn, step => step.Payload.Span[0] == 10);
        string path = $"/journal/held/{lsn.Value:x16}";
        using (IVolumeFile file = _volume.Open(path, VolumeOpen.ReadWrite))
        {
            file.Write(file.Length - 4, [2, 0, 0, 0]);
            file.SyncData();
        }

        _volume.Crash(3);
        await Assert.ThrowsAsync<JournalDamagedException>(AgainAsync);
    }
}
