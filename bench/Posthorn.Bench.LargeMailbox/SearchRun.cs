using System.Diagnostics;
using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Bench.LargeMailbox;

/// <summary>Text searches in a mailbox of given messages: by reading all of it, and by the word index.</summary>
internal static class SearchRun
{
    private static readonly (string Label, TextCriterion What)[] Searches =
    [
        ("BODY invoice (in most)", new(TextScope.Body, "", "invoice")),
        ("BODY voice mee (a few)", new(TextScope.Body, "", "voice mee")),
        ("BODY thread 12 (rare words)", new(TextScope.Body, "", "zebra")),
        ("TEXT m4711@sender (one)", new(TextScope.All, "", "m4711@sender")),
        ("TEXT xyzzy (none)", new(TextScope.All, "", "xyzzy")),
        ("SUBJECT project release (a few)", new(TextScope.Header, "Subject", "project release")),
        ("FROM mallory", new(TextScope.Header, "From", "mallory")),
    ];

    internal static async Task<int> RunAsync(string directory, string messages)
    {
        string[] files = [.. Directory.GetFiles(messages).Order(StringComparer.Ordinal)];
        if (!Directory.Exists(directory + "/mail")) await FillAsync(directory, files);
        Dictionary<string, int> counts = await SearchAllAsync(directory, "reading all", words: false);
        await using (BenchServer server = await BenchServer.StartAsync(directory, words: true))
        {
            long started = Stopwatch.GetTimestamp();
            TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
            await server.Stores.IndexAsync(server.Who, anew: true, null, CancellationToken.None);
            TimeSpan wall = Stopwatch.GetElapsedTime(started);
            Console.WriteLine($"indexed {files.Length} messages in {wall.TotalSeconds:F2} s, {files.Length / wall.TotalSeconds:F0} each second, {(Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMicroseconds / files.Length:F0} µs of CPU each");
        }

        Console.WriteLine($"index file {new FileInfo(directory + "/accounts/example.org/big/words.db").Length / 1e6:F1} MB of {files.Sum(file => new FileInfo(file).Length) / 1e6:F1} MB of mail");
        Dictionary<string, int> indexed = await SearchAllAsync(directory, "word index", words: true);
        foreach ((string label, int count) in counts)
            if (indexed[label] != count) throw new InvalidOperationException($"{label}: {indexed[label]} instead of {count}");
        return 0;
    }

    private static async Task<Dictionary<string, int>> SearchAllAsync(string directory, string how, bool words)
    {
        Dictionary<string, int> counts = [];
        await using BenchServer server = await BenchServer.StartAsync(directory, words);
        await using IMailStore store = await server.OpenAsync();
        await using IMailbox box = BenchServer.Must(await store.OpenMailboxAsync(MailboxName.Inbox, readOnly: true, CancellationToken.None));
        Uid[] all = [.. box.Current.Chunks.SelectMany(chunk => chunk.ToArray()).Select(row => row.Uid)];
        foreach ((string label, TextCriterion what) in Searches)
        {
            List<double> times = [];
            for (int i = 0; i < 5; i++)
            {
                long started = Stopwatch.GetTimestamp();
                counts[label] = (await store.FindTextAsync(box.Info.Id!.Value, all, what, CancellationToken.None)).Count;
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }

            times.Sort();
            Console.WriteLine($"{how,-12} {label,-32} {counts[label],6} found, median {times[2],8:F1} ms, best {times[0],8:F1} ms");
        }

        return counts;
    }

    private static async Task FillAsync(string directory, string[] files)
    {
        await using BenchServer server = await BenchServer.StartAsync(directory, words: false);
        await using IMailStore store = await server.OpenAsync();
        foreach (string[] some in files.Chunk(100))
        {
            List<NewMessage> batch = [];
            foreach (string file in some)
            {
                IMessageSink sink = server.Stores.CreateSink();
                await sink.WriteAsync(await File.ReadAllBytesAsync(file), CancellationToken.None);
                batch.Add(new(sink, SystemFlags.None, KeywordSet.Empty, DateTimeOffset.UnixEpoch));
            }

            BenchServer.Must(await store.AppendAsync(MailboxName.Inbox, batch, CancellationToken.None));
            foreach (NewMessage message in batch) await message.Content.DisposeAsync();
        }
    }
}
