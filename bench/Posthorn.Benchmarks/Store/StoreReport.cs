using System.Diagnostics;
using System.Globalization;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store;

namespace Posthorn.Benchmarks.Store;

/// <summary>Times the store as a whole, in a process of its own: each line is one kind of work, what it took of time and CPU and what it allocated.</summary>
internal sealed class StoreReport(StoreBench bench, TextWriter output, int many)
{
    private int _account = 1000;

    internal async Task RunAsync()
    {
        output.WriteLine("| work | rate | CPU each | allocated each |");
        output.WriteLine("|---|---|---|---|");
        await bench.DeliverAsync(20, many); // compiled and warm
        foreach (int writers in (int[])[1, 20, 100]) await DeliverAsync(writers);
        await MailboxAsync();
    }

    // How well flushes are shared.
    private async Task DeliverAsync(int writers)
    {
        await bench.DeliverAsync(writers, writers); // accounts are there
        JournalStatistics before = bench.Journal.Statistics;
        int messages = writers == 1 ? many / 5 : many;
        await MeasureAsync($"deliver 4 KiB, {writers} writers", messages, () => bench.DeliverAsync(writers, messages));
        JournalStatistics after = bench.Journal.Statistics;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| messages for each flush, {writers} writers | {(double)(after.Records - before.Records) / (after.Flushes - before.Flushes):F1} | | |"));
    }

    private async Task MailboxAsync()
    {
        int number = _account++;
        MailboxName archive = StoreBench.Name("Archive");
        await using (IMailStore store = await bench.StoreAsync(number))
        {
            await MeasureAsync("append 4 KiB, one by one", many / 5, async () =>
            {
                for (int i = 0; i < many / 5; i++) await bench.AppendAsync(store, archive);
            });
            await MeasureAsync("append 4 KiB, 50 under way", many, () => WindowAsync(many, 50, () => bench.AppendAsync(store, MailboxName.Inbox)));
        }

        await bench.ReopenAsync();
        await using IMailStore cold = await bench.StoreAsync(number);
        IMailbox? box = null;
        await MeasureAsync($"open {many:N0}, cold", 1, async () => box = (await cold.OpenMailboxAsync(MailboxName.Inbox, false, CancellationToken.None)).Value);
        await using IMailbox inbox = box!;
        await MeasureAsync($"open {many:N0}, warm", 1, async () => await (await cold.OpenMailboxAsync(MailboxName.Inbox, true, CancellationToken.None)).Value.DisposeAsync());
        Uid[] all = [.. Enumerable.Range(1, many).Select(i => new Uid((uint)i))];
        MailboxId id = inbox.Info.Id!.Value;
        foreach (string state in (string[])["cold", "warm"]) await MeasureAsync($"overview of {many:N0}, {state}", many, () => OverviewAsync(cold, id, all));
        await MeasureAsync($"flag {many:N0}", many, async () => await cold.ChangeFlagsAsync(id, all, new(FlagOperation.Add, SystemFlags.Flagged, KeywordSet.Empty), null, CancellationToken.None));
        await MeasureAsync($"copy {many:N0}", many, async () => await cold.CopyAsync(id, all, StoreBench.Name("Trash"), CancellationToken.None));
        await MeasureAsync($"search a text in {many:N0}", many, async () => await cold.FindTextAsync(id, all, new(TextScope.All, "", "xyzzyneedle"), CancellationToken.None));
        await cold.ChangeFlagsAsync(id, all, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, CancellationToken.None);
        await MeasureAsync($"expunge {many:N0}", many, async () => await cold.ExpungeAsync(id, null, CancellationToken.None));
    }

    private static async Task OverviewAsync(IMailStore store, MailboxId mailbox, Uid[] uids)
    {
        int count = 0;
        await foreach (MessageSummary summary in store.SummariesAsync(mailbox, uids, SummaryFields.Envelope | SummaryFields.BodyStructure, CancellationToken.None))
            if (summary.Envelope.Length > 0) count++;
        if (count != uids.Length) throw new IOException($"{count} of {uids.Length} messages have an envelope");
    }

    private static async Task WindowAsync(int count, int window, Func<Task> work)
    {
        Queue<Task> underWay = [];
        for (int i = 0; i < count; i++)
        {
            underWay.Enqueue(work());
            if (underWay.Count >= window) await underWay.Dequeue();
        }

        await Task.WhenAll(underWay);
    }

    private async Task MeasureAsync(string work, int items, Func<Task> run)
    {
        using Process self = Process.GetCurrentProcess();
        TimeSpan cpu = self.TotalProcessorTime;
        long allocated = GC.GetTotalAllocatedBytes(precise: true);
        long start = Stopwatch.GetTimestamp();
        await run();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        long bytes = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        self.Refresh();
        double used = (self.TotalProcessorTime - cpu).TotalMicroseconds;
        string rate = items == 1 ? $"{seconds * 1000:F1} ms" : $"{items / seconds:F0}/s";
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {work} | {rate} | {used / items:F1} µs | {bytes / items:N0} octets |"));
    }
}
