using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Store.Engine;
using Posthorn.Testing;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>The transport over the real store, journal and disk, through restarts.</summary>
public sealed class RealEngineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Mail_that_waits_outlives_restarts_and_is_sent_once(bool checkpoint)
    {
        await using ScriptedPeer peer = new();
        peer.At("MAIL", new PeerAct.Say("451 4.3.0 Later"), new PeerAct.Say("250 2.1.0 Ok"));
        await using (Server first = await Server.OpenAsync(_folder.Path, _time, peer))
        {
            await SendAsync(first, "bob@example.org", "far@example.com");
            first.Runner.Start();
            await first.UntilAsync(queue => queue.Read((entries, schedule) => schedule.Running == 0 && entries.Values.All(entry => entry.Attempts == 1)));
            if (checkpoint) await first.Journal.CheckpointAsync(default);
        }
        string spool = Path.Combine(_folder.Path, "queue");
        Assert.Equal(checkpoint ? 1 : 0, System.IO.Directory.EnumerateFiles(spool, "*", SearchOption.AllDirectories).Count());

        _time.Advance(TimeSpan.FromHours(1));
        await using (Server second = await Server.OpenAsync(_folder.Path, _time, peer))
        {
            Assert.Equal(1, second.Queue.Count);
            second.Runner.Start();
            await second.UntilAsync(queue => queue.Count == 0);
            Assert.Single(await second.MailAsync(second.Bob));
        }
        Assert.Empty(System.IO.Directory.EnumerateFiles(spool, "*", SearchOption.AllDirectories));

        await using Server third = await Server.OpenAsync(_folder.Path, _time, peer);
        Assert.Equal(0, third.Queue.Count);
        PeerMessage sent = Assert.Single(peer.Messages, message => message.Content.Length > 0);
        Assert.Contains("Subject: once\r\nDate:", Encoding.ASCII.GetString(sent.Content), StringComparison.Ordinal);
    }

    /// <summary>Each start opens a segment; when a start finds all of them in use, it must checkpoint before it can write, mail that waits included.</summary>
    [Fact]
    public async Task A_start_with_a_full_ring_and_waiting_mail_makes_room_first()
    {
        await using ScriptedPeer peer = new();
        await using (Server first = await Server.OpenAsync(_folder.Path, _time, peer)) await SendAsync(first, "far@example.com");
        for (int start = 0; start < 5; start++) await (await Server.OpenAsync(_folder.Path, _time, peer)).DisposeAsync();

        await using Server last = await Server.OpenAsync(_folder.Path, _time, peer);
        Assert.Equal(1, last.Queue.Count);
        last.Runner.Start();
        await last.UntilAsync(queue => queue.Count == 0);
        Assert.Contains("Subject: once", Encoding.ASCII.GetString(Assert.Single(peer.Messages).Content), StringComparison.Ordinal);
    }

    /// <summary>A volume that is not mounted must never look like an empty mailbox: senders try again, and nothing is made where it belongs.</summary>
    [Fact]
    public async Task A_mail_volume_that_is_not_there_is_a_reason_to_try_again()
    {
        await using ScriptedPeer peer = new();
        string root;
        await using (Server first = await Server.OpenAsync(_folder.Path, _time, peer))
        {
            root = first.Bob.MailRoot;
            await SendAsync(first, "bob@example.org");
        }

        System.IO.Directory.Move(root, root + ".away");
        await using (Server away = await Server.OpenAsync(_folder.Path, _time, peer))
        {
            Assert.Equal("451 4.2.0", (await FinishAsync(away, "bob@example.org")).ToString()[..9]);
            Assert.True((await FinishAsync(away, "ann@example.org")).IsPositive); // hers is there
            Assert.False(System.IO.Directory.Exists(root));
            Assert.Equal(0, away.Queue.Count);
        }

        System.IO.Directory.Move(root + ".away", root);
        await using Server back = await Server.OpenAsync(_folder.Path, _time, peer);
        Assert.True((await FinishAsync(back, "bob@example.org")).IsPositive);
        Assert.Equal(2, (await back.MailAsync(back.Bob)).Count);
    }

    private static async Task SendAsync(Server server, params string[] recipients) => Assert.True((await FinishAsync(server, recipients)).IsPositive);

    private static async Task<SmtpReply> FinishAsync(Server server, params string[] recipients)
    {
        Envelope envelope = new() { Id = server.Transport.NewQueueId(), Client = TransportRig.Stranger with { Role = ListenerRole.Submission, Account = server.Ann }, From = ReversePath.Of(server.Ann.Address) };
        foreach (string recipient in recipients) envelope.Recipients.Add(new(EmailAddress.Parse(recipient), DsnNotify.Unspecified, null));
        await using IMessageIntake intake = server.Transport.Begin(envelope);
        await intake.WriteAsync("From: ann@example.org\r\nSubject: once\r\n\r\nText\r\n"u8.ToArray(), default);
        return (await intake.FinishAsync(default)).Overall;
    }

    [Fact]
    public async Task A_refusal_comes_back_into_a_real_mailbox_once()
    {
        await using ScriptedPeer peer = new();
        peer.At("RCPT", new PeerAct.Say("550 5.1.1 No such user"));
        for (int start = 0; start < 3; start++)
        {
            await using Server server = await Server.OpenAsync(_folder.Path, _time, peer);
            server.Runner.Start();
            if (start == 0)
            {
                await SendAsync(server, "nobody@example.com");
                await server.UntilAsync(queue => queue.Count == 0);
            }
            Assert.Contains("Status: 5.1.1", Assert.Single(await server.MailAsync(server.Ann)), StringComparison.Ordinal);
            Assert.Equal(0, server.Queue.Count);
            if (start == 1) await server.Journal.CheckpointAsync(default);
        }
    }

    public void Dispose() => _folder.Dispose();

    private sealed class Server : ISmtpConnector, IAsyncDisposable
    {
        private readonly ScriptedPeer _peer;
        private readonly MaildirStores _stores;

        private Server(ScriptedPeer peer, MaildirStores stores, MailQueue queue, Journal.Journal journal, TransportServices services)
        {
            (_peer, _stores, Queue, Journal) = (peer, stores, queue, journal);
            Transport = new(new() { Hostname = "mail.example.org" }, services);
            FakeDns dns = new() { Mx = { ["example.com"] = [new(10, "mx.example.com")] }, Hosts = { ["mx.example.com"] = [IPAddress.Parse("203.0.113.1")] } };
            Runner = new(Transport, dns, this, null, null);
        }

        public required MailAccount Ann { get; init; }
        public required MailAccount Bob { get; init; }
        public MailQueue Queue { get; }
        public Journal.Journal Journal { get; }
        public MailTransport Transport { get; }
        public QueueRunner Runner { get; }

        public static async Task<Server> OpenAsync(string root, TimeProvider time, ScriptedPeer peer)
        {
            LinuxVolume volume = new();
            FakeDirectory directory = new();
            MailAccount ann = directory.AddAccount("ann@example.org", root: root), bob = directory.AddAccount("bob@example.org", root: root);
            MaildirStores stores = new(new() { AccountsDirectory = Path.Combine(root, "accounts") }, volume, time, NullLogger.Instance);
            MailQueue queue = MailQueue.Load(volume, Path.Combine(root, "queue"), new(), time, NullLogger.Instance);
            JournalOptions options = new() { Directory = Path.Combine(root, "journal"), SegmentSize = 1 << 20, Segments = 3, BatchLimit = 256 << 10, StepsLimit = 128 << 10, InlineLimit = 64 << 10, BackgroundWork = false };
            Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(options, volume, [stores, queue], time, NullLogger.Instance, default);
            stores.Start(journal);
            TransportServices services = new() { Directory = directory, Stores = stores, Queue = queue, Planner = new InboxPlanner(false, '.'), Time = time, Log = NullLogger.Instance };
            return new(peer, stores, queue, journal, services) { Ann = ann, Bob = bob };
        }

        public ValueTask<ByteChannel> ConnectAsync(EndPoint endPoint, IPAddress? bind, CancellationToken cancel) => ValueTask.FromResult<ByteChannel>(_peer.Connect());

        public async Task UntilAsync(Func<MailQueue, bool> isSo)
        {
            using CancellationTokenSource late = new(TimeSpan.FromSeconds(60));
            while (true)
            {
                Task news = Queue.News;
                if (isSo(Queue)) return;
                try { await news.WaitAsync(TimeSpan.FromMilliseconds(20), late.Token); }
                catch (TimeoutException) { Queue.Announce(); }
            }
        }

        public async Task<IReadOnlyList<string>> MailAsync(MailAccount account)
        {
            await using IMailStore store = (await _stores.OpenAsync(account, default)).Value;
            await using IMailbox box = (await store.OpenMailboxAsync(MailboxName.Inbox, true, default)).Value;
            List<string> mail = [];
            for (int i = 0; i < box.Current.Count; i++)
            {
                await using IMessageContent content = (await store.OpenContentAsync(box.Info.Id!.Value, box.Current[i].Uid, default)).Value;
                byte[] bytes = new byte[content.Length];
                for (int at = 0; at < bytes.Length;) at += content.Read(at, bytes.AsSpan(at));
                mail.Add(Encoding.Latin1.GetString(bytes));
            }
            return mail;
        }

        public async ValueTask DisposeAsync()
        {
            await Runner.DisposeAsync();
            await _stores.DisposeAsync();
            await Journal.DisposeAsync();
        }
    }
}
