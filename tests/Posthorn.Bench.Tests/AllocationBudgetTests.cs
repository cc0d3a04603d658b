using System.Text.Json;
using Posthorn.Bench.Load;
using Posthorn.Benchmarks.Store;
using Posthorn.Core;
using Posthorn.Mime;
using Posthorn.Store;
using Posthorn.Testing;

namespace Posthorn.Bench.Tests;

/// <summary>What each kind of work may allocate stands in bench/budgets.json; more fails. Time is charted elsewhere and fails nothing.</summary>
/// <remarks>What the process allocates is counted as a whole, so nothing else runs beside it.</remarks>
[Collection("one at a time")]
public sealed class AllocationBudgetTests
{
    private const int Warm = 200, Counted = 500;

    public static IEnumerable<TheoryDataRow<string, long>> Budgets
    {
        get
        {
            using JsonDocument file = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "budgets.json")));
            foreach (JsonProperty budget in file.RootElement.EnumerateObject()) yield return new(budget.Name, budget.Value.GetInt64());
        }
    }

    [Theory]
    [MemberData(nameof(Budgets))]
    public async Task Work_stays_within_its_budget(string work, long octets)
    {
        long each = work switch
        {
            "facts of 4 KiB" => await CountAsync(Facts(4096)),
            "facts of 64 KiB" => await CountAsync(Facts(65536)),
            "deliver 4 KiB" => await WithStoreAsync(bench => CountAsync(() => bench.DeliverAsync(0))),
            "append 4 KiB" => await WithStoreAsync(AppendAsync),
            "overview, each message" => await WithStoreAsync(OverviewAsync),
            "flag, each message" => await WithStoreAsync(FlagAsync),
            "open" => await WithStoreAsync(OpenAsync),
            "copy, each message" => await WithStoreAsync(CopyAsync),
            "expunge, each message" => await WithStoreAsync(ExpungeAsync),
            "search text, each message" => await WithStoreAsync(SearchAsync),
            _ => throw new ArgumentException($"bench/budgets.json names '{work}', which this test does not know"),
        };
        TestContext.Current.TestOutputHelper?.WriteLine($"{work}: {each} octets of {octets}");
        Assert.True(each <= octets, $"{work}: {each} octets each, the budget is {octets}");
        Assert.True(each > octets / 4, $"{work}: only {each} octets each; lower the budget of {octets}, so that it guards something");
    }

    private static Func<Task> Facts(int size)
    {
        byte[] message = new LoadMessage(size, "budget").With(1);
        return () =>
        {
            Assert.Equal(message.Length, MessageFacts.Of(message, MimeLimits.Default).WireLength);
            return Task.CompletedTask;
        };
    }

    private static async Task<long> AppendAsync(StoreBench bench)
    {
        await using IMailStore store = await bench.StoreAsync(0);
        return await CountAsync(() => bench.AppendAsync(store, MailboxName.Inbox));
    }

    private static async Task<long> OverviewAsync(StoreBench bench)
    {
        await using IMailStore store = await FilledAsync(bench);
        await using IMailbox inbox = (await store.OpenMailboxAsync(MailboxName.Inbox, true, CancellationToken.None)).Value;
        Uid[] all = Uids();
        return await CountAsync(async () =>
        {
            await foreach (MessageSummary summary in store.SummariesAsync(inbox.Info.Id!.Value, all, SummaryFields.Envelope | SummaryFields.BodyStructure, CancellationToken.None))
                Assert.False(summary.Envelope.IsEmpty);
        }, rounds: 5) / all.Length;
    }

    private static async Task<long> FlagAsync(StoreBench bench)
    {
        await using IMailStore store = await FilledAsync(bench);
        await using IMailbox inbox = (await store.OpenMailboxAsync(MailboxName.Inbox, false, CancellationToken.None)).Value;
        Uid[] all = Uids();
        FlagOperation next = FlagOperation.Add;
        return await CountAsync(async () =>
        {
            await store.ChangeFlagsAsync(inbox.Info.Id!.Value, all, new(next, SystemFlags.Flagged, KeywordSet.Empty), null, CancellationToken.None);
            next = next == FlagOperation.Add ? FlagOperation.Remove : FlagOperation.Add;
        }, rounds: 10) / all.Length;
    }

    private static async Task<long> OpenAsync(StoreBench bench)
    {
        await using IMailStore store = await FilledAsync(bench);
        return await CountAsync(async () => await (await store.OpenMailboxAsync(MailboxName.Inbox, true, CancellationToken.None)).Value.DisposeAsync(), rounds: 5_000);
    }

    private static async Task<long> CopyAsync(StoreBench bench)
    {
        await using IMailStore store = await FilledAsync(bench);
        await using IMailbox inbox = (await store.OpenMailboxAsync(MailboxName.Inbox, true, CancellationToken.None)).Value;
        Uid[] all = Uids();
        return await CountAsync(async () => Assert.Equal(all.Length, (await store.CopyAsync(inbox.Info.Id!.Value, all, StoreBench.Name("Archive"), CancellationToken.None)).Value.Targets.Count), rounds: 4) / all.Length;
    }

    private static async Task<long> ExpungeAsync(StoreBench bench)
    {
        const int some = Counted / 5;
        await using IMailStore store = await FilledAsync(bench);
        await using IMailbox inbox = (await store.OpenMailboxAsync(MailboxName.Inbox, false, CancellationToken.None)).Value;
        await store.ChangeFlagsAsync(inbox.Info.Id!.Value, Uids(), new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, CancellationToken.None);
        int round = 0;
        return await CountAsync(async () =>
        {
            Uid[] these = [.. Uids().Skip(some * round++).Take(some)];
            Assert.Equal(some, (await store.ExpungeAsync(inbox.Info.Id!.Value, these, CancellationToken.None)).Value.Count);
        }, rounds: 2) / some;
    }

    private static async Task<long> SearchAsync(StoreBench bench)
    {
        await using IMailStore store = await FilledAsync(bench);
        await using IMailbox inbox = (await store.OpenMailboxAsync(MailboxName.Inbox, true, CancellationToken.None)).Value;
        Uid[] all = Uids();
        TextCriterion absent = new(Posthorn.Store.TextScope.All, "", "no such word anywhere");
        return await CountAsync(async () => Assert.Empty(await store.FindTextAsync(inbox.Info.Id!.Value, all, absent, CancellationToken.None)), rounds: 4) / all.Length;
    }

    private static async Task<IMailStore> FilledAsync(StoreBench bench)
    {
        IMailStore store = await bench.StoreAsync(0);
        for (int i = 0; i < Counted; i++) await bench.AppendAsync(store, MailboxName.Inbox);
        return store;
    }

    private static Uid[] Uids() => [.. Enumerable.Range(1, Counted).Select(i => new Uid((uint)i))];

    private static async Task<long> WithStoreAsync(Func<StoreBench, Task<long>> work)
    {
        using TemporaryFolder folder = new();
        await using StoreBench bench = await StoreBench.OpenAsync(folder.Path);
        return await work(bench);
    }

    private static async Task<long> CountAsync(Func<Task> work, int rounds = Counted)
    {
        for (int i = 0; i < Math.Min(Warm, rounds); i++) await work();
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < rounds; i++) await work();
        return (GC.GetTotalAllocatedBytes(precise: true) - before) / rounds;
    }
}
