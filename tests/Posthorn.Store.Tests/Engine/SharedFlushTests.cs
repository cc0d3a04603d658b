using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Store.Contract;
using Posthorn.Testing.Volumes;
using static Posthorn.Store.Contract.StoreFixture;

namespace Posthorn.Store.Tests.Engine;

/// <summary>Appends of one session that do not wait for each other share flushes and keep their order.</summary>
public sealed class SharedFlushTests
{
    [Fact]
    public async Task Appends_that_are_begun_before_the_last_is_durable_share_a_flush()
    {
        FakeTimeProvider time = new(new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));
        string catalogues = Directory.CreateTempSubdirectory("posthorn-flush-").FullName;
        CrashVolume volume = new(time);
        volume.MakeDirectory("/data");
        MaildirHarness server = new("/data", volume, time, catalogues) { JournalOptions = new() { Directory = "/data/journal", SegmentSize = 1 << 20, BackgroundWork = false } };
        await server.StartAsync();
        IMailStore store = await server.MustOpenAsync(MaildirHarness.Account("/data", "ann"));
        using ManualResetEventSlim begun = new();
        volume.Before = (operation, path) =>
        {
            if (operation == "sync" && path.Contains("/journal/", StringComparison.Ordinal)) begun.Wait(TimeSpan.FromSeconds(60));
        };
        long before = server.Journal.Statistics.Flushes;
        List<Task<Result<AppendReceipt>>> appends = [];
        for (int i = 1; i <= 50; i++)
        {
            IMessageSink sink = await server.SinkAsync(Text($"{i}"));
            appends.Add(store.AppendSoonAsync(Name("INBOX"), [new(sink, SystemFlags.None, KeywordSet.Empty, time.GetUtcNow())], Cancel).AsTask());
        }

        Assert.All(appends, append => Assert.False(append.IsCompleted)); // nothing is said before it is durable
        begun.Set();
        Result<AppendReceipt>[] receipts = await Task.WhenAll(appends).WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        Assert.Equal(Enumerable.Range(1, 50).Select(uid => new Uid((uint)uid)), receipts.Select(receipt => Must(receipt).Messages[0].Uid));
        Assert.InRange(server.Journal.Statistics.Flushes - before, 1, 3);
        MailboxId inbox = receipts[0].Value.Mailbox;
        for (uint i = 1; i <= 50; i++) Assert.Equal(Text($"{i}"), await store.ContentAsync(inbox, new(i)));
        await store.DisposeAsync();
        await server.DisposeAsync();
        Directory.Delete(catalogues, recursive: true);
    }
}
