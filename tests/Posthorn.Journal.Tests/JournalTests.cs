using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Journal.Volume;
using Posthorn.Testing.Volumes;

namespace Posthorn.Journal.Tests;

/// <summary>What a journal promises, one promise at a time.</summary>
public sealed class JournalTests
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly CrashVolume _volume = new(new FakeTimeProvider());
    private readonly JournalOptions _options = new() { Directory = "/journal", SegmentSize = 64 * 1024, Segments = 3, InlineLimit = 4000, BackgroundWork = false };

    private ValueTask<Posthorn.Journal.Journal> OpenAsync(Recorder recorder, JournalOptions? options = null) =>
        Posthorn.Journal.Journal.OpenAsync(options ?? _options, _volume, [recorder], _time, NullLogger.Instance, default);

    private static JournalStep[] Step(int size, byte fill = 1) => [new(1, 2, Enumerable.Repeat(fill, size).ToArray())];

    private static async Task<Lsn> PutAsync(Posthorn.Journal.Journal journal, int size, byte fill = 1)
    {
        Lsn lsn = journal.Append(Step(size, fill), null);
        await journal.WhenDurableAsync(lsn);
        return lsn;
    }

    private static async Task<JournalContent> ContentAsync(Posthorn.Journal.Journal journal, byte[] bytes)
    {
        JournalContent content = journal.CreateContent();
        for (int at = 0; at < bytes.Length; at += 1000) await content.WriteAsync(bytes.AsMemory(at, Math.Min(1000, bytes.Length - at)), default);
        await content.CompleteAsync(default);
        return content;
    }

    private void Damage(string path, long offset, int count)
    {
        using IVolumeFile file = _volume.Open(path, VolumeOpen.ReadWrite);
        byte[] bytes = new byte[count];
        file.Read(offset, bytes);
        for (int i = 0; i < count; i++) bytes[i] ^= 0x5A;
        file.Write(offset, bytes);
        file.SyncData();
    }

    [Fact]
    public async Task A_record_waits_for_its_flush_and_riders_go_with_it()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn rider = journal.AppendRelaxed(Step(10, 7));
        int syncs = _volume.Syncs;
        await PutAsync(journal, 20);
        Assert.Equal(syncs + 1, _volume.Syncs);
        await journal.WhenDurableAsync(rider);
        Assert.Equal(syncs + 1, _volume.Syncs);

        _volume.Crash(0);
        Recorder recorder = new(1);
        await OpenAsync(recorder);
        Assert.Equal([7, 1], recorder.Records.Select(record => record.Steps[0].Payload[0]));
        Assert.True(recorder.Records[0].Relaxed);
    }

    [Fact]
    public async Task Riders_are_flushed_by_close()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        journal.AppendRelaxed(Step(10));
        await journal.DisposeAsync();
        for (int seed = 0; seed < 4; seed++) _volume.Crash(seed);
        Recorder recorder = new(1);
        await OpenAsync(recorder);
        Assert.Single(recorder.Records);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3999)]
    [InlineData(4000)]
    [InlineData(4001)]
    [InlineData(300_000)]
    public async Task Content_is_readable_until_its_checkpoint_and_replayed_before_it(int size)
    {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) bytes[i] = (byte)(i * 31 >> 3);
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn lsn;
        await using (JournalContent content = await ContentAsync(journal, bytes))
        {
            Assert.Equal(size, content.Length);
            Assert.Equal(size <= 4000, content.TryGetMemory(out _));
            lsn = journal.Append(Step(5), content);
            await journal.WhenDurableAsync(lsn);
        }

        await AssertContentAsync(journal, lsn, bytes);
        _volume.Crash(size);
        Recorder recorder = new(1);
        journal = await OpenAsync(recorder);
        Assert.Equal(bytes, Assert.Single(recorder.Records).Content);
        await AssertContentAsync(journal, lsn, bytes);

        await journal.CheckpointAsync(default);
        Assert.Null(journal.OpenContent(lsn));
        Assert.Empty(_volume.List("/journal/spool", times: false));
    }

    private static async Task AssertContentAsync(Posthorn.Journal.Journal journal, Lsn lsn, byte[] bytes)
    {
        await using JournalContent content = journal.OpenContent(lsn)!;
        byte[] read = new byte[bytes.Length + 10];
        Assert.Equal(bytes.Length, content.Read(0, read));
        Assert.Equal(bytes, read[..bytes.Length]);
        if (bytes.Length > 10) Assert.Equal(bytes[5], Byte(content, 5));
    }

    private static byte Byte(JournalContent content, long offset)
    {
        Span<byte> one = stackalloc byte[1];
        Assert.Equal(1, content.Read(offset, one));
        return one[0];
    }

    [Fact]
    public async Task Spool_files_without_a_record_go()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        await (await ContentAsync(journal, new byte[5000])).DisposeAsync();
        Assert.Empty(_volume.List("/journal/spool", times: false));

        await ContentAsync(journal, new byte[5000]); // and the power goes before it is appended
        _volume.Crash(1);
        await OpenAsync(new(1));
        Assert.Empty(_volume.List("/journal/spool", times: false));
    }

    [Fact]
    public async Task Content_must_be_complete_and_not_above_the_limit()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1), _options with { ContentLimit = 9000 });
        await using JournalContent content = journal.CreateContent();
        await content.WriteAsync(new byte[9000], default);
        Assert.Throws<InvalidOperationException>(() => journal.Append(Step(1), content));
        await Assert.ThrowsAsync<JournalException>(async () => await content.WriteAsync(new byte[1], default));
    }

    [Fact]
    public async Task Steps_above_the_limit_are_refused()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1), _options with { StepsLimit = 1000 });
        Assert.Throws<JournalRecordTooLargeException>(() => journal.Append(Step(1000), null));
        await PutAsync(journal, 900);
    }

    [Fact]
    public async Task A_full_ring_refuses_until_a_checkpoint()
    {
        Recorder recorder = new(1);
        Posthorn.Journal.Journal journal = await OpenAsync(recorder);
        List<Lsn> all = [];
        while (true)
        {
            try
            {
                all.Add(await PutAsync(journal, 3000));
            }
            catch (JournalFullException)
            {
                break;
            }
        }

        Assert.Equal(3 * 15, all.Count); // a block each, less the head's
        await journal.CheckpointAsync(default);
        Assert.Throws<JournalFullException>(() => journal.Append(Step(3000), null)); // nothing is applied
        foreach (Lsn lsn in all) journal.Applied(lsn);
        Assert.Equal(all[^1], await journal.CheckpointAsync(default));
        Assert.Equal(all[^1], recorder.Syncs[^1]);
        await PutAsync(journal, 3000);

        _volume.Crash(2);
        Recorder after = new(1);
        await OpenAsync(after);
        Assert.Single(after.Records);
    }

    [Fact]
    public async Task A_checkpoint_stops_before_what_is_not_applied_and_frees_nothing_when_a_sync_fails()
    {
        Recorder recorder = new(1);
        Posthorn.Journal.Journal journal = await OpenAsync(recorder);
        Lsn first = await PutAsync(journal, 5), second = await PutAsync(journal, 5), third = await PutAsync(journal, 5);
        journal.Applied(first);
        journal.Applied(third);
        Assert.Equal(first, await journal.CheckpointAsync(default));

        journal.Applied(second);
        recorder.OnSync = _ => throw new VolumeException(VolumeError.Io, "sync", "/mail", "broken");
        await Assert.ThrowsAsync<VolumeException>(async () => await journal.CheckpointAsync(default));
        Assert.Equal(first, journal.Checkpointed);
        _volume.Crash(5);
        Recorder after = new(1);
        await OpenAsync(after);
        Assert.Equal([second, third], after.Records.Select(record => record.Lsn));
    }

    [Fact]
    public async Task A_failed_flush_is_told_named_and_never_replayed()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn good = await PutAsync(journal, 10);
        _volume.Fault = (operation, path) => operation == "sync" && path.EndsWith("1.seg", StringComparison.Ordinal) ? VolumeError.Io : null;
        Lsn bad = journal.Append(Step(10), null);
        Lsn rider = journal.AppendRelaxed(Step(10));
        JournalFlushFailedException told = await Assert.ThrowsAsync<JournalFlushFailedException>(async () => await journal.WhenDurableAsync(bad));
        Assert.Equal((bad, rider), (told.First, told.Last));
        await Assert.ThrowsAsync<JournalFlushFailedException>(async () => await journal.WhenDurableAsync(rider));
        Lsn next = await PutAsync(journal, 10); // the disk is well elsewhere
        _volume.Fault = null;

        for (int seed = 0; seed < 5; seed++) _volume.Crash(seed);
        using (JournalInspector inspector = JournalInspector.Open(_volume, "/journal"))
            Assert.DoesNotContain(inspector.Records(), report => report.IsBad);
        Recorder recorder = new(1);
        journal = await OpenAsync(recorder);
        Assert.Equal([good, next], recorder.Records.Select(record => record.Lsn));

        // The poisoned file is made anew once nothing in it is needed.
        await journal.CheckpointAsync(default);
        Assert.Equal(3, _volume.List("/journal", times: false).Count(entry => entry.Name.EndsWith(".seg", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task When_not_even_the_end_can_be_noted_the_journal_stops()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn good = await PutAsync(journal, 10);
        _volume.ReadOnly = true; // as ext4 does after an error
        Lsn unknown = journal.Append(Step(10), null);
        await Assert.ThrowsAsync<JournalStoppedException>(async () => await journal.WhenDurableAsync(unknown));
        Assert.Throws<JournalStoppedException>(() => journal.Append(Step(10), null));
        _volume.ReadOnly = false;
        _volume.Crash(3);
        Recorder recorder = new(1);
        await OpenAsync(recorder);
        Assert.Equal(good, recorder.Records[0].Lsn);
    }

    [Fact]
    public async Task Only_one_may_open_it()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        JournalInUseException told = await Assert.ThrowsAsync<JournalInUseException>(async () => await OpenAsync(new(1)));
        Assert.Contains("/journal", told.Message, StringComparison.Ordinal);
        await journal.DisposeAsync();
        await OpenAsync(new(1));
    }

    [Fact]
    public async Task Each_start_leaps_above_all_numbers_given_out_before()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn lost = journal.AppendRelaxed(Step(1));
        long epoch = journal.Epoch;
        _volume.Crash(0);
        _time.SetUtcNow(_time.GetUtcNow()); // the clock stands still
        journal = await OpenAsync(new(1));
        Assert.True(journal.Epoch > epoch);
        Assert.True(journal.Append(Step(1), null) > lost);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    public async Task One_damaged_checkpoint_slot_loses_nothing(long slot)
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn first = await PutAsync(journal, 10);
        journal.Applied(first);
        await journal.CheckpointAsync(default);
        Lsn second = await PutAsync(journal, 10);
        await journal.DisposeAsync();

        Damage("/journal/checkpoint", slot, 512);
        Recorder recorder = new(1);
        await OpenAsync(recorder);
        Assert.Equal(second, Assert.Single(recorder.Records).Lsn);
    }

    [Fact]
    public async Task A_lost_checkpoint_file_replays_too_much_but_loses_nothing()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        for (int i = 0; i < 60; i++) // more than the ring holds, so that a segment was recycled
        {
            journal.Applied(await PutAsync(journal, 3000));
            if (i % 10 == 9) await journal.CheckpointAsync(default);
        }

        Lsn last = await PutAsync(journal, 10);
        await journal.DisposeAsync();
        Damage("/journal/checkpoint", 0, 8192);
        Recorder recorder = new(1);
        await OpenAsync(recorder);
        Assert.Equal(last, recorder.Records[^1].Lsn);
    }

    [Fact]
    public async Task Damage_behind_which_the_log_goes_on_is_not_taken_for_its_end()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn first = await PutAsync(journal, 10), second = await PutAsync(journal, 10), third = await PutAsync(journal, 10);
        await journal.DisposeAsync();
        Damage("/journal/000001.seg", 2 * 4096 + 100, 1);

        using (JournalInspector inspector = JournalInspector.Open(_volume, "/journal"))
        {
            RecordReport bad = Assert.Single(inspector.Records(), report => report.IsBad);
            Assert.Equal((second, second, 2 * 4096L), (bad.First, bad.Last, bad.Offset));
        }

        JournalDamagedException told = await Assert.ThrowsAsync<JournalDamagedException>(async () => await OpenAsync(new(1)));
        Assert.Contains("000001.seg at 8192", told.Message, StringComparison.Ordinal);
        Recorder recorder = new(1);
        await OpenAsync(recorder, _options with { Salvage = true });
        Assert.Equal([first, third], recorder.Records.Select(record => record.Lsn));
    }

    [Fact]
    public async Task Damage_below_the_checkpoint_does_not_matter()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn first = await PutAsync(journal, 10), second = await PutAsync(journal, 10);
        journal.Applied(first);
        journal.Applied(second);
        await journal.CheckpointAsync(default);
        Lsn third = await PutAsync(journal, 10);
        await journal.DisposeAsync();
        Damage("/journal/000001.seg", 4096, 200);
        Recorder recorder = new(1);
        await OpenAsync(recorder);
        Assert.Equal(third, Assert.Single(recorder.Records).Lsn);
    }

    [Fact]
    public async Task A_missing_spool_file_is_damage()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        await using (JournalContent content = await ContentAsync(journal, new byte[9000]))
            await journal.WhenDurableAsync(journal.Append(Step(1), content));
        await journal.DisposeAsync();
        _volume.Unlink("/journal/spool/" + _volume.List("/journal/spool", times: false)[0].Name);
        await Assert.ThrowsAsync<JournalDamagedException>(async () => await OpenAsync(new(1)));
        using JournalInspector inspector = JournalInspector.Open(_volume, "/journal");
        Assert.Single(inspector.Records(), report => report.IsBad);
    }

    [Fact]
    public async Task The_inspector_tells_good_checkpointed_torn_and_free()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn first = await PutAsync(journal, 10);
        journal.Applied(first);
        await journal.CheckpointAsync(default);
        Lsn second = await PutAsync(journal, 10, fill: 9);
        Lsn third = await PutAsync(journal, 5000);
        Damage("/journal/000001.seg", 4 * 4096, 512); // the second block of the last batch, as a tear leaves it
        using JournalInspector inspector = JournalInspector.Open(_volume, "/journal");
        Assert.Equal(first, inspector.Checkpoint);
        List<(RecordVerdict, Lsn)> found = [.. inspector.Records().Select(report => (report.Verdict, report.First))];
        Assert.Equal([(RecordVerdict.Checkpointed, first), (RecordVerdict.Good, second), (RecordVerdict.TornTail, third)], found);
        Assert.Equal([SegmentState.Live, SegmentState.Blank, SegmentState.Blank], inspector.Segments().Select(segment => segment.State));
    }

    [Fact]
    public async Task A_newer_format_is_refused_with_its_version()
    {
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        await journal.DisposeAsync();
        using (IVolumeFile file = _volume.Open("/journal/000001.seg", VolumeOpen.ReadWrite))
        {
            byte[] head = new byte[Format.SegmentHeader.Length];
            file.Read(0, head);
            head[12] = 2;
            BitConverter.TryWriteBytes(head.AsSpan(8), Format.Crc32C.Compute(head.AsSpan(12)));
            file.Write(0, head);
        }

        JournalException told = await Assert.ThrowsAsync<JournalException>(async () => await OpenAsync(new(1)));
        Assert.Contains("version 2", told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_disk_leaves_a_smaller_ring_and_refuses_large_messages()
    {
        _volume.Capacity = 2 * 64 * 1024 + 40_000;
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        await PutAsync(journal, 100);
        JournalContent content = journal.CreateContent();
        VolumeException told = await Assert.ThrowsAsync<VolumeException>(async () => await content.WriteAsync(new byte[60_000], default));
        Assert.Equal(VolumeError.NoSpace, told.Error);
        await content.DisposeAsync();
        Assert.Empty(_volume.List("/journal/spool", times: false));
        await PutAsync(journal, 100);
    }

    [Fact]
    public async Task A_segment_is_not_recycled_while_its_content_is_read()
    {
        byte[] bytes = Enumerable.Repeat((byte)0x42, 3000).ToArray();
        Posthorn.Journal.Journal journal = await OpenAsync(new(1));
        Lsn lsn;
        await using (JournalContent content = await ContentAsync(journal, bytes)) lsn = journal.Append(Step(1), content);
        await journal.WhenDurableAsync(lsn);
        await using JournalContent held = journal.OpenContent(lsn)!;
        journal.Applied(lsn);
        for (int i = 0; i < 100; i++)
        {
            journal.Applied(await PutAsync(journal, 3000));
            await journal.CheckpointAsync(default);
        }

        byte[] read = new byte[3000];
        held.Read(0, read);
        Assert.Equal(bytes, read);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(9000)]
    public async Task A_held_record_frees_the_ring_and_comes_back_until_it_is_released(int size)
    {
        byte[] bytes = Enumerable.Repeat((byte)0x33, size).ToArray();
        Recorder recorder = new(1);
        Posthorn.Journal.Journal journal = await OpenAsync(recorder);
        Lsn before = await PutAsync(journal, 10), stuck;
        await using (JournalContent content = await ContentAsync(journal, bytes)) stuck = journal.Append(Step(7, 7), content);
        await journal.WhenDurableAsync(stuck);
        journal.Applied(before);
        Assert.Equal(before, await journal.CheckpointAsync(default)); // its volume hangs
        Assert.True(await journal.HoldAsync(stuck, default));
        Assert.False(await journal.HoldAsync(before, default));
        for (int i = 0; i < 60; i++)
        {
            journal.Applied(await PutAsync(journal, 3000));
            await journal.CheckpointAsync(default);
        }

        await AssertContentAsync(journal, stuck, bytes);
        for (int start = 0; start < 2; start++)
        {
            _volume.Crash(start);
            recorder = new(1);
            journal = await OpenAsync(recorder);
            Assert.Equal((stuck, (byte)7), (recorder.Records[0].Lsn, recorder.Records[0].Steps[0].Payload[0]));
            Assert.Equal(bytes, recorder.Records[0].Content);
            Assert.Single(recorder.Records);
            await AssertContentAsync(journal, stuck, bytes);
        }

        journal.Release(stuck);
        Assert.Null(journal.OpenContent(stuck));
        await journal.DisposeAsync();
        recorder = new(1);
        await OpenAsync(recorder);
        Assert.Empty(recorder.Records);
        Assert.Empty(_volume.List("/journal/spool", times: false));
    }
}
