using System.Diagnostics;
using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Bench.LargeMailbox;

/// <summary>Many accounts, one message to each, then nobody: what the process still holds when all are idle.</summary>
internal static class AccountsRun
{
    private const int AtOnce = 8;

    internal static async Task<int> RunAsync(string directory, int accounts)
    {
        await using BenchServer server = await BenchServer.StartAsync(directory, words: true);
        await DeliverAsync(server, directory, 0, 100); // what is made once only, and code that is compiled
        await RestAsync(server, directory);
        State before = State.Of(directory);
        Console.WriteLine($"100 accounts, idle: {before}");
        long started = Stopwatch.GetTimestamp();
        TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
        await DeliverAsync(server, directory, 100, accounts - 100);
        TimeSpan took = Stopwatch.GetElapsedTime(started);
        cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
        Console.WriteLine($"first message to {accounts - 100} accounts: {took.TotalSeconds:F0} s, {cpu.TotalMilliseconds / (accounts - 100):F2} ms of CPU each");
        Console.WriteLine($"at once after it: {State.Of(directory)}");
        await RestAsync(server, directory);
        State after = State.Of(directory);
        Console.WriteLine($"{accounts} accounts, idle: {after}");
        Console.WriteLine($"managed memory for each account that is not open: {(after.Managed - before.Managed) / (double)(accounts - 100):F0} bytes");
        return after.Catalogues == 0 ? 0 : 1;
    }

    private static async Task DeliverAsync(BenchServer server, string directory, int first, int count)
    {
        await Parallel.ForAsync(first, first + count, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, cancel) =>
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"u{i}");
            MailAccount who = new() { Address = EmailAddress.Parse(name + "@example.org"), MailRoot = $"{directory}/mail/{name}", Home = $"{directory}/home/{name}" };
            await using IMessageSink sink = server.Stores.CreateSink();
            await sink.WriteAsync(Encoding.ASCII.GetBytes($"From: a@example.org\r\nTo: {name}@example.org\r\nSubject: for {name}\r\n\r\nThis is it.\r\n"), cancel);
            DeliveryReceipt receipt = await server.Stores.DeliverAsync(sink, new DeliveryOrder { Deliveries = [new(who, MailboxName.Inbox, SystemFlags.None, KeywordSet.Empty, default)] }, cancel);
            BenchServer.Must(receipt.Outcomes[0]);
        });
    }

    // Default options: two minutes without anybody close an account.
    private static async Task RestAsync(BenchServer server, string directory)
    {
        await server.Journal.CheckpointAsync(CancellationToken.None);
        for (int seconds = 0; State.Of(directory).Catalogues > 0 && seconds < 600; seconds++) await Task.Delay(TimeSpan.FromSeconds(1));
        await server.Journal.CheckpointAsync(CancellationToken.None);
    }

    /// <summary>What the process holds.</summary>
    private sealed record State(long Managed, long Resident, int Threads, int Files, int Catalogues, int Watches)
    {
        internal static State Of(string directory)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            long managed = GC.GetTotalMemory(forceFullCollection: true);
            string[] open = [.. Directory.EnumerateFileSystemEntries("/proc/self/fd").Select(path => new FileInfo(path).LinkTarget ?? "")];
            int watches = Directory.EnumerateFiles("/proc/self/fdinfo").Sum(path => LinesOf(path).Count(line => line.StartsWith("inotify ", StringComparison.Ordinal)));
            using Process process = Process.GetCurrentProcess();
            return new(managed, process.WorkingSet64, process.Threads.Count, open.Length, open.Count(target => target.StartsWith(directory + "/accounts/", StringComparison.Ordinal)), watches);
        }

        private static string[] LinesOf(string path)
        {
            try
            {
                return File.ReadAllLines(path);
            }
            catch (IOException)
            {
                return []; // it was closed in between
            }
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"{Managed / 1e6:F1} MB managed, {Resident / 1e6:F0} MB resident, {Threads} threads, {Files} files open ({Catalogues} of catalogues), {Watches} watches");
    }
}
