using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory;
using Posthorn.Journal.Volume;
using Posthorn.Store;
using Posthorn.Store.Engine;
using Posthorn.Transport;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Remote;
using Posthorn.Trust.Dane;

namespace Posthorn.Bench.Queue;

/// <summary>A queue of many messages to many domains, on a real disk: how long it takes to start, to list, to drain, and what memory it costs.</summary>
internal static class LongQueue
{
    public static async Task<int> RunAsync(int messages, int destinations, CancellationToken cancel)
    {
        string root = System.IO.Directory.CreateTempSubdirectory("phq.").FullName;
        try
        {
            Stopwatch watch = Stopwatch.StartNew();
            Fill(Path.Combine(root, "queue"), messages, destinations);
            Say("filled", watch);
            long before = GC.GetTotalMemory(true);
            LinuxVolume volume = new();
            QueueOptions options = new() { MaxMessages = Math.Max(200_000, messages * 2) };
            watch.Restart();
            MailQueue queue = MailQueue.Load(volume, Path.Combine(root, "queue"), options, TimeProvider.System, NullLogger.Instance);
            Say("started", watch);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"memory      {(GC.GetTotalMemory(true) - before) / messages} octets for each message"));
            QueueControl control = new(queue, TimeProvider.System);
            watch.Restart();
            int listed = control.List(new()).Count;
            Say($"listed {listed}", watch);
            watch.Restart();
            int totals = control.Totals().Count;
            int reasons = control.Reasons(new()).Count;
            Say($"totals of {totals} destinations, {reasons} reasons", watch);
            watch.Restart();
            int found = control.Count(new() { To = "@d7.example" });
            Say($"filter found {found}", watch);
            return await DrainAsync(root, volume, queue, options, messages, cancel);
        }
        finally { System.IO.Directory.Delete(root, recursive: true); }
    }

    private static async Task<int> DrainAsync(string root, LinuxVolume volume, MailQueue queue, QueueOptions options, int messages, CancellationToken cancel)
    {
        int taken = 0;
        await using SinkServer sink = new(_ => Interlocked.Increment(ref taken));
        MaildirStores stores = new(new() { AccountsDirectory = Path.Combine(root, "accounts"), WordIndex = false, SpecialMailboxes = [] }, volume, TimeProvider.System, NullLogger.Instance);
        Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(new() { Directory = Path.Combine(root, "journal"), SegmentSize = 64 << 20 }, volume, [stores, queue], TimeProvider.System, NullLogger.Instance, cancel);
        stores.Start(journal);
        using MailDirectory directory = new(new() { Domains = [new() { Name = DomainName.Create("here.example") }], MailHomeTemplate = root + "/home/{localpart}", MailLocationTemplate = "maildir:" + root + "/mail/{localpart}" }, TimeProvider.System, NullLogger.Instance);
        TransportServices services = new() { Directory = directory, Stores = stores, Queue = queue, Planner = new InboxPlanner(false, '.'), Time = TimeProvider.System, Log = NullLogger.Instance };
        MailTransport transport = new(new() { Hostname = "mail.here.example", Queue = options, Outbound = new() { Port = sink.Port } }, services);
        QueueRunner runner = new(transport, new EverywhereHere(), new SocketConnector(), null, null);
        using Process self = Process.GetCurrentProcess();
        Stopwatch watch = Stopwatch.StartNew();
        runner.Start();
        while (queue.Count > 0)
        {
            if (watch.Elapsed > TimeSpan.FromMinutes(10)) break;
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancel);
        }
        Say(string.Create(CultureInfo.InvariantCulture, $"drained {taken} ({taken / watch.Elapsed.TotalSeconds:F0}/s)"), watch);
        self.Refresh();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"peak        {self.PeakWorkingSet64 >> 20} MiB, sink included"));
        await runner.DisposeAsync();
        await journal.CheckpointAsync(cancel);
        await stores.DisposeAsync();
        await journal.DisposeAsync();
        return taken == messages && queue.Count == 0 ? 0 : 1;
    }

    private static void Fill(string directory, int messages, int destinations)
    {
        QueueSpool spool = new(new LinuxVolume(), directory, NullLogger.Instance);
        spool.Load();
        QueueIds ids = new(TimeProvider.System);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        QueueEntryState state = new(false, false, 3, now, []);
        byte[] content = new byte[2048];
        content.AsSpan().Fill((byte)'x');
        "Message-ID: <x@here.example>\r\n\r\n"u8.CopyTo(content);
        "\r\n"u8.CopyTo(content.AsSpan(content.Length - 2));
        for (int i = 0; i < messages; i++)
        {
            QueueMessage message = new()
            {
                Id = ids.Next(), Arrived = now, From = ReversePath.Of(EmailAddress.Parse($"u{i % 50}@here.example")), Origin = $"u{i % 50}@here.example", Size = content.Length,
                Recipients = [new(EmailAddress.Parse($"x{i}@d{i % destinations}.example"), DsnNotify.Unspecified, null)],
            };
            spool.Write(message, state, new Bytes(content));
            string path = Path.Combine(directory, message.Id.Value[^2..], message.Id.Value);
            File.Move(path + ".tmp", path);
        }
    }

    private static void Say(string what, Stopwatch watch) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{watch.Elapsed.TotalSeconds,8:F3} s  {what}"));

    private sealed class Bytes(byte[] bytes) : IMessageContent
    {
        public long Length => bytes.Length;

        public int Read(long offset, Span<byte> into)
        {
            int count = (int)Math.Clamp(bytes.Length - offset, 0, into.Length);
            bytes.AsSpan((int)offset, count).CopyTo(into);
            return count;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    /// <summary>A DNS in which every domain is on this host.</summary>
    private sealed class EverywhereHere : IMailDns
    {
        public bool CanValidate => false;
        public ValueTask<MxAnswer> FindMxAsync(DomainName domain, CancellationToken cancel) => ValueTask.FromResult(new MxAnswer(DnsStatus.Found, [new(10, "mx." + domain.Ascii)]));

        public ValueTask<AddressAnswer> FindAddressesAsync(string host, AddressFamily family, CancellationToken cancel) =>
            ValueTask.FromResult(family == AddressFamily.InterNetwork ? new AddressAnswer(DnsStatus.Found, [IPAddress.Loopback]) : new(DnsStatus.NoData, []));

        public ValueTask<NameAnswer> FindNamesAsync(IPAddress address, CancellationToken cancel) => ValueTask.FromResult(new NameAnswer(DnsStatus.NoData, []));

        public ValueTask<TlsaAnswer> FindTlsaAsync(string name, CancellationToken cancel) => ValueTask.FromResult(new TlsaAnswer(DnsStatus.NoData, (IReadOnlyList<TlsaRecord>)[], false));
        public ValueTask<TextAnswer> FindTextAsync(string name, CancellationToken cancel) => ValueTask.FromResult(new TextAnswer(DnsStatus.NoData, []));
        public ValueTask<bool> IsSecureAliasAsync(string name, CancellationToken cancel) => ValueTask.FromResult(false);
    }
}
