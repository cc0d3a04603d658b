using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Transport;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Trace;

namespace Posthorn.Bench.Queue;

/// <summary>The trace of many messages over thirty days: what telling, writing and finding cost.</summary>
internal static class TraceScale
{
    private const int Accounts = 1_000;

    public static async Task<int> RunAsync(int messages, CancellationToken cancel)
    {
        string folder = System.IO.Directory.CreateTempSubdirectory("posthorn-trace-").FullName;
        try
        {
            MovedTime time = new();
            TimeSpan step = TimeSpan.FromDays(30) / messages;
            Stopwatch watch = Stopwatch.StartNew();
            TimeSpan told = TimeSpan.Zero;
            await using (TraceLog log = new(new() { Folder = folder }, time, NullLogger.Instance))
            {
                for (int i = 0; i < messages; i++)
                {
                    long start = Stopwatch.GetTimestamp();
                    foreach (TraceEvent one in LifeOf(i)) ((ITrace)log).Tell(one);
                    told += Stopwatch.GetElapsedTime(start);
                    time.Now += step;
                    if (i % 2_000 == 0) await log.FlushAsync(cancel);
                }
                await log.FlushAsync(cancel);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{messages} messages of 6 steps: written in {watch.Elapsed.TotalSeconds:0.0} s ({messages / watch.Elapsed.TotalSeconds:0} a second), told in {told.TotalMicroseconds / messages:0.0} µs each, lost {log.Lost}"));
            }
            long size = System.IO.Directory.GetFiles(folder).Sum(file => new FileInfo(file).Length);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{System.IO.Directory.GetFiles(folder).Length} files, {size / 1048576.0:0} MiB, {(double)size / messages:0} octets a message"));
            foreach (string what in (string[])[$"<m{messages / 2}@far7.example>", IdOf(messages / 3), "user77@example.org", "nobody@example.org"])
            {
                watch.Restart();
                TraceResult found = TraceReader.Open(folder).Find(what, 20);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {found.Messages.Count} messages, {found.Messages.Sum(m => m.Steps.Count)} steps in {watch.Elapsed.TotalMilliseconds:0} ms"));
            }
            return 0;
        }
        finally { System.IO.Directory.Delete(folder, recursive: true); }
    }

    private static string IdOf(int number) => number.ToString("D11", CultureInfo.InvariantCulture);

    private static IEnumerable<TraceEvent> LifeOf(int i)
    {
        QueueId id = new(IdOf(i));
        EmailAddress from = EmailAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"sender{i % 5_000}@far{i % 50}.example")), to = EmailAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"user{i % Accounts}@example.org"));
        ClientContext client = new() { Session = new("s1234567"), Role = ListenerRole.Mx, Listener = "smtp", Address = IPAddress.Parse("198.51.100.7"), Helo = "mail.far.example", IsExtended = true, IsTrusted = false };
        QueueMessage message = new() { Id = id, Arrived = default, From = ReversePath.Of(from), Origin = "", Size = 4_000, Recipients = [new(to, DsnNotify.Unspecified, null)] };
        yield return new TraceEvent.Checked(id, "message", "milter rspamd", "add X-Spamd-Result");
        yield return new TraceEvent.Received(message, client, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"<m{i}@far7.example>")));
        yield return new TraceEvent.Filtered(id, to, "fileinto Lists; redirect other@far.example", "ok");
        yield return new TraceEvent.Recorded(id, i, [new(to, to, MailboxName.Inbox, new((uint)i + 1), null)], [new(id, "relay", [from])]);
        yield return new TraceEvent.Contacted(id, "mx.far.example[203.0.113.5]:25", "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)", null);
        yield return new TraceEvent.Attempted(id, "sent", from, "mx.far.example", new(250, "2.0.0", "Ok: queued as 4D2F"));
    }

    private sealed class MovedTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
