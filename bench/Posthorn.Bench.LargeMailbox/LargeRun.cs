using System.Diagnostics;
using System.Globalization;
using System.Text;
using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Bench.LargeMailbox;

/// <summary>A mailbox of a million messages: made once by copying a thousand, then opened cold and warm.</summary>
internal static class LargeRun
{
    private const int Originals = 1_000;

    internal static async Task<int> RunAsync(string directory, int messages)
    {
        if (!Directory.Exists(directory + "/mail")) await MakeAsync(directory, messages);
        long before = Resting();
        await using BenchServer server = await BenchServer.StartAsync(directory, words: false);
        long started = Stopwatch.GetTimestamp();
        await using IMailStore store = await server.OpenAsync();
        TimeSpan opened = Stopwatch.GetElapsedTime(started);
        IMailbox box = BenchServer.Must(await store.OpenMailboxAsync(MailboxName.Inbox, readOnly: true, CancellationToken.None));
        TimeSpan cold = Stopwatch.GetElapsedTime(started);
        long peak = Peak();
        Console.WriteLine($"cold: account {opened.TotalMilliseconds:F1} ms, with the mailbox of {box.Current.Count} messages {cold.TotalMilliseconds:F0} ms");
        long memory = Resting() - before;
        Console.WriteLine($"managed memory {memory / 1e6:F1} MB, {(double)memory / box.Current.Count:F1} bytes for each message; resident at most {peak / 1024} MiB");
        List<double> warm = [];
        for (int i = 0; i < 20; i++)
        {
            started = Stopwatch.GetTimestamp();
            IMailbox again = BenchServer.Must(await store.OpenMailboxAsync(MailboxName.Inbox, readOnly: true, CancellationToken.None));
            _ = again.Current.Count;
            warm.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            await again.DisposeAsync();
        }

        warm.Sort();
        Console.WriteLine($"warm: median {warm[10]:F3} ms, worst {warm[^1]:F3} ms");
        await box.DisposeAsync();
        return 0;
    }

    private static async Task MakeAsync(string directory, int messages)
    {
        await using BenchServer server = await BenchServer.StartAsync(directory, words: false);
        await using IMailStore store = await server.OpenAsync();
        List<NewMessage> batch = [];
        for (int i = 0; i < Originals; i++)
        {
            IMessageSink sink = server.Stores.CreateSink();
            string text = string.Create(CultureInfo.InvariantCulture, $"From: a{i}@example.org\r\nTo: big@example.org\r\nSubject: number {i}\r\nMessage-ID: <{i}@example.org>\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\n\r\nThis is {i}.\r\n");
            await sink.WriteAsync(Encoding.ASCII.GetBytes(text), CancellationToken.None);
            batch.Add(new(sink, (i % 3) switch { 0 => SystemFlags.Seen, 1 => SystemFlags.Seen | SystemFlags.Answered, _ => SystemFlags.None }, KeywordSet.Empty, DateTimeOffset.UnixEpoch.AddMinutes(i)));
        }

        AppendReceipt receipt = BenchServer.Must(await store.AppendAsync(MailboxName.Inbox, batch, CancellationToken.None));
        foreach (NewMessage message in batch) await message.Content.DisposeAsync();
        Uid[] uids = [.. receipt.Messages.Select(message => message.Uid)];
        long started = Stopwatch.GetTimestamp();
        for (int done = Originals; done < messages; done += Originals)
            BenchServer.Must(await store.CopyAsync(receipt.Mailbox, uids, MailboxName.Inbox, CancellationToken.None));
        TimeSpan took = Stopwatch.GetElapsedTime(started);
        Console.WriteLine($"{messages - Originals} copied in {took.TotalSeconds:F0} s, {took.TotalMicroseconds / (messages - Originals):F0} µs each");
    }

    private static long Resting()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    private static long Peak()
    {
        string line = File.ReadLines("/proc/self/status").First(text => text.StartsWith("VmHWM", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
