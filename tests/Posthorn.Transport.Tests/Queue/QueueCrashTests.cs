using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Testing;
using Posthorn.Testing.Volumes;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Queue;

/// <summary>The queue over the real journal, with the power cut at every write in turn: what was acknowledged is there, nothing is sent twice.</summary>
public sealed class QueueCrashTests
{
    private static readonly MailAccount Ann = new() { Address = EmailAddress.Parse("ann@example.org"), MailRoot = "/m", Home = "/h" };

    [Fact]
    public async Task Nothing_acknowledged_is_lost_or_undone_wherever_the_power_goes()
    {
        int total = await RunAsync(cutAt: null, seed: 0);
        Assert.True(total > 40, $"only {total} operations");
        for (int cut = 1; cut <= total; cut++)
            for (int seed = 0; seed < 3; seed++)
                await RunAsync(cut, seed);
    }

    [Fact]
    public async Task A_spool_that_cannot_be_written_frees_nothing()
    {
        FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        CrashVolume volume = new(time);
        Server server = await Server.OpenAsync(volume, time);
        await server.AcceptAsync("00000000001", "one", "a@example.com");
        volume.Fault = (_, path) => path.Contains("/queue/", StringComparison.Ordinal) ? VolumeError.NoSpace : null;
        await Assert.ThrowsAnyAsync<Exception>(async () => await server.Journal.CheckpointAsync(default));
        volume.Fault = null;
        volume.Crash(1);
        server = await Server.OpenAsync(volume, time);
        Assert.Equal("one", server.ContentOf("00000000001"));
        await server.Journal.CheckpointAsync(default);
        Assert.Equal("one", server.ContentOf("00000000001"));
    }

    /// <summary>The disk is full when a part of the checkpoint is done: what is delivered after that takes its file along, or the next start would deliver it again.</summary>
    [Theory]
    [InlineData(".state.tmp")]
    [InlineData("/queue/04/00000000004.tmp")]
    [InlineData("sync")]
    public async Task A_checkpoint_that_stops_half_way_brings_nothing_back(string fault)
    {
        for (int seed = 0; seed < 20; seed++)
        {
            FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
            CrashVolume volume = new(time);
            Server server = await Server.OpenAsync(volume, time);
            await server.AcceptAsync("00000000001", "one", "a@example.com", "b@example.com");
            await server.Journal.CheckpointAsync(default);
            await DeliverAsync(server, "00000000001", 0); // its state is to be written
            for (int i = 2; i <= 4; i++) await server.AcceptAsync($"0000000000{i}", $"text {i}", "a@example.com");
            int spooled = 0;
            volume.Fault = (what, path) =>
            {
                if (!path.Contains("/queue", StringComparison.Ordinal)) return null;
                if (what == "rename") spooled++;
                bool now = fault == "sync" ? what == "sync" && spooled == 4 : path.EndsWith(fault, StringComparison.Ordinal) && what != "unlink" && (what == "rename" || fault == ".state.tmp");
                return now ? VolumeError.NoSpace : null;
            };
            await Assert.ThrowsAnyAsync<Exception>(async () => await server.Journal.CheckpointAsync(default));
            volume.Fault = null;
            Assert.Equal("text 4", server.ContentOf("00000000004"));
            for (int i = 2; i <= 3; i++) await DeliverAsync(server, $"0000000000{i}", 0);
            await server.Journal.CheckpointAsync(default);
            if (seed % 2 == 0) volume.Crash(seed);
            else await server.Journal.DisposeAsync();
            server = await Server.OpenAsync(volume, time);
            Assert.True(server.Find("00000000002") is null && server.Find("00000000003") is null, $"seed {seed}: would be sent again");
            Assert.Equal("text 4", server.ContentOf("00000000004"));
            Assert.Equal([1], server.Find("00000000001")!.PendingRecipients);
        }
    }

    /// <summary>A process that dies amid a checkpoint has given names which are not durable. The next one sees the files, and must not forget the records for them.</summary>
    [Fact]
    public async Task Names_from_a_checkpoint_that_was_cut_off_become_durable_with_the_next()
    {
        for (int seed = 0; seed < 40; seed++)
        {
            FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
            CrashVolume volume = new(time);
            Server server = await Server.OpenAsync(volume, time);
            await server.AcceptAsync("00000000002", "two", "a@example.com"); // its folder is there before
            await server.Journal.CheckpointAsync(default);
            await server.AcceptAsync("10000000002", "one", "a@example.com", "b@example.com");
            bool named = false;
            volume.Fault = (what, path) =>
            {
                named |= what == "rename";
                return named && what == "sync" && path.Contains("/queue", StringComparison.Ordinal) ? VolumeError.NoSpace : null;
            };
            await Assert.ThrowsAnyAsync<Exception>(async () => await server.Journal.CheckpointAsync(default));
            volume.Fault = null;
            await server.Journal.DisposeAsync(); // the process is gone, the machine is not
            server = await Server.OpenAsync(volume, time);
            Assert.Equal("one", server.ContentOf("10000000002"));
            await server.Journal.CheckpointAsync(default);
            volume.Crash(seed);
            server = await Server.OpenAsync(volume, time);
            Assert.True(server.Find("10000000002") is not null, $"seed {seed}: lost");
            Assert.Equal("one", server.ContentOf("10000000002"));
        }
    }

    [Fact]
    public async Task What_was_finished_before_a_restart_does_not_come_back_with_a_power_cut()
    {
        for (int seed = 0; seed < 40; seed++)
        {
            FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
            CrashVolume volume = new(time);
            Server server = await Server.OpenAsync(volume, time);
            QueueId id = new("00000000001");
            await server.AcceptAsync(id.Value, "one", "a@example.com", "b@example.com");
            await server.Journal.CheckpointAsync(default); // spooled
            await server.Queue.AnswerAsync(new(id, [new(0, RecipientState.Delivered, new(250, "2.0.0", "ok"), "mx")]), default);
            await server.Journal.CheckpointAsync(default); // with a state
            await server.Queue.AnswerAsync(new(id, [new(1, RecipientState.Delivered, new(250, "2.0.0", "ok"), "mx")]), default);
            await server.Journal.DisposeAsync();

            server = await Server.OpenAsync(volume, time);
            Assert.Null(server.Find(id.Value));
            await server.Journal.CheckpointAsync(default);
            volume.Crash(seed);
            server = await Server.OpenAsync(volume, time);
            Assert.True(server.Find(id.Value) is null, $"seed {seed}: would be sent again");
        }
    }

    /// <summary>The last word came between the checkpoint's list and its snapshot, and then the server died: the file is no damage, and does not stay.</summary>
    [Fact]
    public void A_message_that_was_finished_as_its_file_was_written_leaves_the_spool()
    {
        FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        CrashVolume volume = new(time);
        QueueSpool spool = new(volume, "/queue", NullLogger.Instance);
        Assert.Empty(spool.Load());
        QueueMessage message = new()
        {
            Id = new("00000000001"), Arrived = time.GetUtcNow(), From = ReversePath.Of(Ann.Address), Origin = "ann", Size = 3,
            Recipients = [new(EmailAddress.Parse("a@example.com"), DsnNotify.Unspecified, null)],
        };
        spool.Write(message, new(false, false, 1, time.GetUtcNow(), [new(0, RecipientState.Delivered, new(250, "2.0.0", "ok"), "mx")]), new BytesContent("one"u8.ToArray()));
        spool.SyncContent([message.Id]);
        QueueSpool next = new(volume, "/queue", NullLogger.Instance);
        Assert.Empty(next.Load());
        Assert.False(volume.TryStat("/queue/01/00000000001", out _));
        Assert.Equal([message.Id], next.Orphans);
    }

    /// <summary>A message of several transactions: whom the other server took before the power went does not get it again.</summary>
    [Fact]
    public async Task What_earlier_transactions_delivered_survives_a_cut_amid_the_next()
    {
        for (int seed = 0; seed < 8; seed++)
        {
            FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
            CrashVolume volume = new(time);
            Server server = await Server.OpenAsync(volume, time);
            await server.AcceptAsync("00000000001", "one", "a@example.com", "b@example.com");
            await using ScriptedPeer peer = new ScriptedPeer { Extensions = ["LIMITS RCPTMAX=1"] }.At(".", new PeerAct.Say("250 2.0.0 Ok"), new PeerAct.Hang());
            await using QueueRunner runner = server.Run(peer);
            using CancellationTokenSource late = new(TimeSpan.FromSeconds(60));
            while (peer.Commands.Count(command => command == "DATA") < 2)
            {
                Assert.False(late.IsCancellationRequested, "the second transaction did not come");
                await Task.Yield();
            }
            volume.Crash(seed);
            server = await Server.OpenAsync(volume, time);
            Assert.Equal([1], server.Find("00000000001")!.PendingRecipients);
        }
    }

    [Fact]
    public Task A_local_delivery_from_the_queue_and_its_last_word_are_one() => AtEveryCutAsync(DeliverLocallyAsync);

    /// <summary>An alias in the queue, of which one member has no room: the word on the alias, the copy and what waits for that member are one record.</summary>
    [Fact]
    public Task What_an_alias_still_owes_is_one_with_what_it_gave() => AtEveryCutAsync(DeliverToAliasAsync);

    /// <summary>The same where that member refuses the message for good: its sender hears of it, once.</summary>
    [Fact]
    public Task What_an_alias_could_not_give_is_told_whatever_happens_after() => AtEveryCutAsync(RefuseMemberAsync);

    /// <summary>NOTIFY=SUCCESS: that the mail is in the mailboxes is told once, whatever happens after.</summary>
    [Fact]
    public Task What_was_delivered_is_told_whatever_happens_after() => AtEveryCutAsync(TellOfSuccessAsync);

    // Once whole, to count the changes to the volume; then with the power gone at each of them.
    private static async Task AtEveryCutAsync(Func<int?, int, Task<int>> run)
    {
        int total = await run(null, 0);
        Assert.True(total > 6, $"only {total} operations");
        for (int cut = 1; cut <= total; cut++)
            for (int seed = 0; seed < 4; seed++)
                await run(cut, seed);
    }

    private static async Task<int> DeliverToAliasAsync(int? cutAt, int seed)
    {
        FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        CrashVolume volume = new(time);
        Server server = await Server.OpenAsync(volume, time);
        await server.AcceptAsync("00000000001", "one", "both@example.org");
        int before = volume.Operations;
        volume.CutAt = cutAt + before;
        try
        {
            server.Stores.Refuses = delivery => delivery.Account.Address == Ann.Address ? null : new(RefusalKind.OverQuota, "full");
            await server.AttemptAsync();
            Assert.Equal(["ann@example.org"], server.Stores.Mail.Select(copy => copy.Account));
            Assert.Equal(1, server.Queue.Count);
            server.Stores.Refuses = _ => null;
            await server.AttemptAsync();
            await server.Journal.CheckpointAsync(default);
            Assert.Equal(["ann@example.org", "bob@example.org"], server.Stores.Mail.Select(copy => copy.Account).Order());
            if (cutAt is null) return volume.Operations - before;
        }
        catch (PowerCut) { /* as ordered */ }
        for (int restart = 0; restart < 2; restart++)
        {
            volume.Crash(seed + restart * 100);
            server = await Server.OpenAsync(volume, time);
            await server.AttemptAsync();
            Assert.Equal(0, server.Queue.Count);
            Assert.True(server.Stores.Mail.DistinctBy(copy => copy.Account).Count() == server.Stores.Mail.Count, $"cut {cutAt}, seed {seed}: delivered twice");
            // Copies that a checkpoint covers are no longer replayed into these stores.
            if (server.Journal.Checkpointed.Value == 0) Assert.True(server.Stores.Mail.Count == 2, $"cut {cutAt}, seed {seed}: lost");
        }
        return 0;
    }

    // Ann writes to both; Bob's mailbox is gone. She has her copy and the report of Bob's, each once.
    private static async Task<int> RefuseMemberAsync(int? cutAt, int seed)
    {
        FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        CrashVolume volume = new(time);
        Server server = await Server.OpenAsync(volume, time);
        server.Stores.Refuses = WithoutBob;
        await server.AcceptAsync("00000000001", "one", "both@example.org");
        int before = volume.Operations;
        volume.CutAt = cutAt + before;
        try
        {
            await server.AttemptAsync();
            await server.AttemptAsync();
            await server.Journal.CheckpointAsync(default);
            Check(server);
            if (cutAt is null) return volume.Operations - before;
        }
        catch (PowerCut) { /* as ordered */ }
        for (int restart = 0; restart < 2; restart++)
        {
            volume.Crash(seed + restart * 100);
            server = await Server.OpenAsync(volume, time);
            server.Stores.Refuses = WithoutBob;
            await server.AttemptAsync();
            await server.AttemptAsync();
            Assert.Equal(0, server.Queue.Count);
            // Copies that a checkpoint covers are no longer replayed into these stores.
            if (server.Journal.Checkpointed.Value == 0) Check(server);
        }
        return 0;

        static Refusal? WithoutBob(LocalDelivery delivery) => delivery.Account.Address == Ann.Address ? null : new(RefusalKind.NoSuchAccount, "gone");

        void Check(Server server)
        {
            Assert.All(server.Stores.Mail, copy => Assert.Equal("ann@example.org", copy.Account));
            Assert.True(server.Stores.Mail.Count(copy => copy.Content == "one") == 1, $"cut {cutAt}, seed {seed}: the copy is there {server.Stores.Mail.Count(copy => copy.Content == "one")} times");
            string[] reports = [.. server.Stores.Mail.Where(copy => copy.Content != "one").Select(copy => copy.Content)];
            Assert.True(reports.Length == 1, $"cut {cutAt}, seed {seed}: told {reports.Length} times");
            Assert.Contains("Final-Recipient: rfc822; bob@example.org", reports[0], StringComparison.Ordinal);
            Assert.Contains("Status: 5.1.1", reports[0], StringComparison.Ordinal);
        }
    }

    // Ann wants to hear of success; Bob's mailbox cannot take it for a moment. One report for each.
    private static async Task<int> TellOfSuccessAsync(int? cutAt, int seed)
    {
        FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        CrashVolume volume = new(time);
        Server server = await Server.OpenAsync(volume, time);
        await server.AcceptAsync("00000000001", "one", DsnNotify.Success, "ann@example.org", "bob@example.org");
        int before = volume.Operations;
        volume.CutAt = cutAt + before;
        try
        {
            server.Stores.Refuses = delivery => delivery.Account.Address == Ann.Address ? null : new(RefusalKind.Unavailable, "not now");
            await server.AttemptAsync();
            server.Stores.Refuses = _ => null;
            await server.AttemptAsync();
            await server.AttemptAsync();
            await server.Journal.CheckpointAsync(default);
            Check(server);
            if (cutAt is null) return volume.Operations - before;
        }
        catch (PowerCut) { /* as ordered */ }
        for (int restart = 0; restart < 2; restart++)
        {
            volume.Crash(seed + restart * 100);
            server = await Server.OpenAsync(volume, time);
            for (int i = 0; i < 3; i++) await server.AttemptAsync();
            Assert.Equal(0, server.Queue.Count);
            // Copies that a checkpoint covers are no longer replayed into these stores.
            if (server.Journal.Checkpointed.Value == 0) Check(server);
        }
        return 0;

        void Check(Server server)
        {
            Assert.True(server.Stores.Mail.Count(copy => copy.Content == "one") == 2, $"cut {cutAt}, seed {seed}: {server.Stores.Mail.Count(copy => copy.Content == "one")} copies");
            string reports = string.Concat(server.Stores.Mail.Where(copy => copy.Content != "one").Select(copy => copy.Content));
            foreach (string name in (string[])["ann", "bob"])
                Assert.True(reports.Split($"Final-Recipient: rfc822; {name}@example.org\r\nAction: delivered\r\n").Length == 2, $"cut {cutAt}, seed {seed}: of {name} was told {reports.Split($"Final-Recipient: rfc822; {name}@").Length - 1} times");
        }
    }

    /// <summary>A bounce for a mailbox that is full for the moment: it waits, and its cause is final with it and not before.</summary>
    [Fact]
    public Task A_report_that_has_to_wait_and_its_cause_are_one() => AtEveryCutAsync(BounceLaterAsync);

    // Ann's message is refused while her mailbox is full; then there is room. Returns the number of changes to the volume.
    private static async Task<int> BounceLaterAsync(int? cutAt, int seed)
    {
        FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        CrashVolume volume = new(time);
        Server server = await Server.OpenAsync(volume, time);
        await server.AcceptAsync("00000000001", "one", "far@example.com");
        int before = volume.Operations;
        volume.CutAt = cutAt + before;
        try
        {
            server.Stores.Refuses = _ => new(RefusalKind.OverQuota, "full");
            await server.RefuseAsync("00000000001");
            Assert.Null(server.Find("00000000001"));
            Assert.Equal(1, server.Queue.Count);
            Assert.Empty(server.Stores.Mail);
            server.Stores.Refuses = _ => null;
            await server.AttemptAsync();
            await server.Journal.CheckpointAsync(default);
            Assert.Equal(0, server.Queue.Count);
            Assert.Contains("550 5.1.1 no", Assert.Single(server.Stores.Mail).Content, StringComparison.Ordinal);
            if (cutAt is null) return volume.Operations - before;
        }
        catch (PowerCut) { /* as ordered */ }
        for (int restart = 0; restart < 2; restart++)
        {
            volume.Crash(seed + restart * 100);
            server = await Server.OpenAsync(volume, time);
            if (server.Find("00000000001") is not null) await server.RefuseAsync("00000000001");
            await server.AttemptAsync();
            Assert.Equal(0, server.Queue.Count);
            Assert.True(server.Stores.Mail.Count <= 1, $"cut {cutAt}, seed {seed}: told twice");
            // Copies that a checkpoint covers are no longer replayed into these stores.
            if (server.Journal.Checkpointed.Value == 0) Assert.Single(server.Stores.Mail);
        }
        return 0;
    }

    // A message that waited for two accounts; one has no room at first. Returns the number of changes to the volume.
    private static async Task<int> DeliverLocallyAsync(int? cutAt, int seed)
    {
        FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        CrashVolume volume = new(time);
        Server server = await Server.OpenAsync(volume, time);
        await server.AcceptAsync("00000000001", "one", "ann@example.org", "bob@example.org");
        int before = volume.Operations;
        volume.CutAt = cutAt + before;
        try
        {
            server.Stores.Refuses = delivery => delivery.Account.Address == Ann.Address ? null : new(RefusalKind.Unavailable, "not now");
            await server.AttemptAsync();
            server.Stores.Refuses = _ => null;
            await server.AttemptAsync();
            await server.Journal.CheckpointAsync(default);
            Assert.Equal(["ann@example.org", "bob@example.org"], server.Stores.Mail.Select(copy => copy.Account).Order());
            if (cutAt is null) return volume.Operations - before;
        }
        catch (PowerCut) { /* as ordered */ }
        for (int restart = 0; restart < 2; restart++)
        {
            volume.Crash(seed + restart * 100);
            server = await Server.OpenAsync(volume, time);
            await server.AttemptAsync();
            Assert.Equal(0, server.Queue.Count);
            // Copies that a checkpoint covers are no longer replayed into these stores.
            Assert.True(server.Stores.Mail.DistinctBy(copy => copy.Account).Count() == server.Stores.Mail.Count, $"cut {cutAt}, seed {seed}: delivered twice");
            if (server.Journal.Checkpointed.Value == 0) Assert.Equal(2, server.Stores.Mail.Count);
        }
        return 0;
    }

    private static ValueTask DeliverAsync(Server server, string id, int recipient) =>
        server.Queue.AnswerAsync(new(new(id), [new(recipient, RecipientState.Delivered, new(250, "2.0.0", "ok"), "mx")]), default);

    // The number of changes to the volume of the whole story.
    private static async Task<int> RunAsync(int? cutAt, int seed)
    {
        FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        CrashVolume volume = new(time) { CutAt = cutAt };
        Story story = new();
        int operations = 0;
        try
        {
            Server server = await Server.OpenAsync(volume, time);
            await story.PlayAsync(server);
            operations = volume.Operations;
        }
        catch (PowerCut) { /* as ordered */ }
        catch (IOException) { /* the same, as the journal tells it */ }
        if (cutAt is not null) volume.CutAt = null;
        for (int restart = 0; restart < 3; restart++)
        {
            volume.Crash(seed + restart * 100);
            Server server = await Server.OpenAsync(volume, time);
            story.Check(server);
            await server.Journal.CheckpointAsync(default);
            story.Check(server);
        }
        return operations;
    }

    /// <summary>What happens, and what of it was acknowledged.</summary>
    private sealed class Story
    {
        private readonly Dictionary<string, (string Content, HashSet<int> Open)> _expected = [];
        private readonly HashSet<string> _unsure = [];
        private readonly HashSet<string> _gone = [];
        private bool _held;

        public async Task PlayAsync(Server server)
        {
            await AcceptAsync(server, "00000000001", "one", "a@example.com");
            await AcceptAsync(server, "00000000002", "two", "a@example.com", "b@example.com");
            await AnswerAsync(server, "00000000001", 0);
            await AcceptAsync(server, "00000000003", "three", "c@example.com");
            await server.Journal.CheckpointAsync(default);
            await AnswerAsync(server, "00000000002", 0);
            await BounceAsync(server, "00000000003");
            await AcceptAsync(server, "00000000004", new string('x', 3000), "d@example.com");
            await AcceptAsync(server, "00000000005", "five", "e@example.com");
            await new QueueControl(server.Queue, server.Time).HoldAsync(new() { Id = new("00000000005") }, default);
            _held = true;
            await server.Journal.CheckpointAsync(default);
            await AnswerAsync(server, "00000000002", 1);
            _unsure.Add("00000000004");
            await new QueueControl(server.Queue, server.Time).DeleteAsync(new() { Id = new("00000000004") }, default);
            _expected.Remove("00000000004");
            _gone.Add("00000000004");
            _unsure.Clear();
            await server.Journal.CheckpointAsync(default);
        }

        public void Check(Server server)
        {
            foreach ((string id, (string content, HashSet<int> open)) in _expected)
            {
                QueueEntry? entry = server.Find(id);
                if (entry is null)
                {
                    Assert.True(_unsure.Contains(id), $"{id} is lost");
                    continue;
                }
                Assert.Equal(content, server.ContentOf(id));
                // A last word that was being written may be there; none that was acknowledged may be missing.
                foreach (int recipient in entry.PendingRecipients) Assert.True(open.Contains(recipient) , $"{id}/{recipient} would be sent again");
                if (!_unsure.Contains(id)) Assert.Equal(open.Order(), entry.PendingRecipients);
            }
            foreach (string id in _gone) Assert.Null(server.Find(id));
            if (_held) Assert.True(server.Find("00000000005")!.IsHeld);
            // The report and the last word that it tells are there together or not at all.
            Assert.True(server.Stores.Mail.Count <= 1);
            if (server.Stores.Mail.Count == 1) Assert.Null(server.Find("00000000003"));
        }

        private async Task AcceptAsync(Server server, string id, string content, params string[] recipients)
        {
            await server.AcceptAsync(id, content, recipients);
            _expected.Add(id, (content, [.. Enumerable.Range(0, recipients.Length)]));
        }

        private async Task AnswerAsync(Server server, string id, int recipient)
        {
            _unsure.Add(id);
            await server.Queue.AnswerAsync(new(new(id), [new(recipient, RecipientState.Delivered, new(250, "2.0.0", "ok"), "mx")]), default);
            Finish(id, recipient);
        }

        // The report and the last word are one record.
        private async Task BounceAsync(Server server, string id)
        {
            _unsure.Add(id);
            QueueAnswers cause = new(new(id), [new(0, RecipientState.Failed, new(550, "5.1.1", "no"), "mx")]);
            await using IMessageSink sink = server.Stores.CreateSink();
            await sink.WriteAsync("bounce"u8.ToArray(), default);
            await server.Stores.DeliverAsync(sink, new DeliveryOrder { Deliveries = [new(Ann, MailboxName.Inbox, SystemFlags.None, KeywordSet.Empty, default)], Attachment = server.Queue.AttachDeciding(_ => new([], cause)) }, default);
            Finish(id, 0);
        }

        private void Finish(string id, int recipient)
        {
            _expected[id].Open.Remove(recipient);
            _unsure.Remove(id);
            if (_expected[id].Open.Count > 0) return;
            _expected.Remove(id);
            _gone.Add(id);
        }
    }

    private sealed class Connector(ScriptedPeer peer) : ISmtpConnector
    {
        public ValueTask<ByteChannel> ConnectAsync(EndPoint endPoint, IPAddress? bind, CancellationToken cancel) => ValueTask.FromResult<ByteChannel>(peer.Connect());
    }

    /// <summary>Journal, stores and queue on one volume.</summary>
    private sealed class Server
    {
        public required Journal.Journal Journal { get; init; }
        public required JournalStores Stores { get; init; }
        public required MailQueue Queue { get; init; }
        public required TimeProvider Time { get; init; }

        public static async Task<Server> OpenAsync(IVolume volume, TimeProvider time)
        {
            MailQueue queue = MailQueue.Load(volume, "/queue", new(), time, NullLogger.Instance);
            JournalStores stores = new();
            JournalOptions options = new() { Directory = "/journal", SegmentSize = 64 << 10, InlineLimit = 1024, BatchLimit = 32 << 10, StepsLimit = 16 << 10, BackgroundWork = false };
            Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(options, volume, [stores, queue], time, NullLogger.Instance, default);
            stores.Journal = journal;
            return new() { Journal = journal, Stores = stores, Queue = queue, Time = time };
        }

        public Task AcceptAsync(string id, string content, params string[] recipients) => AcceptAsync(id, content, DsnNotify.Unspecified, recipients);

        public async Task AcceptAsync(string id, string content, DsnNotify notify, params string[] recipients)
        {
            await using IMessageSink sink = Stores.CreateSink();
            await sink.WriteAsync(Encoding.ASCII.GetBytes(content), default);
            QueueMessage message = new()
            {
                Id = new(id), Arrived = Time.GetUtcNow(), From = ReversePath.Of(Ann.Address), Origin = "ann", Size = content.Length,
                Recipients = [.. recipients.Select(recipient => new EnvelopeRecipient(EmailAddress.Parse(recipient), notify, null))],
            };
            await Stores.DeliverAsync(sink, new DeliveryOrder { Attachment = Queue.Attach(message) }, default);
        }

        /// <summary>The next server refuses a message for good.</summary>
        public async Task RefuseAsync(string id)
        {
            MailTransport transport = Transport();
            QueueEntry entry = Find(id)!;
            Delivery delivery = new(entry.Jobs[0], [.. entry.PendingRecipients], null);
            await new Settlement(transport.Services, transport.Reporter, () => transport.Options).SettleAsync(delivery, new([new(550, "5.1.1", "no")], ["mx"], [Posthorn.Transport.Accept.Handover.Delivered], new ConnectionVerdict.Worked()), default);
        }

        /// <summary>Works the queue off, over a peer that is the server of example.com.</summary>
        public QueueRunner Run(ScriptedPeer peer)
        {
            FakeDns dns = new();
            dns.Mx["example.com"] = [new(10, "mx.example.com")];
            dns.Hosts["mx.example.com"] = [IPAddress.Parse("203.0.113.1")];
            QueueRunner runner = new(Transport(), dns, new Connector(peer), null, null);
            runner.Start();
            return runner;
        }

        private MailTransport Transport()
        {
            FakeDirectory directory = new();
            directory.AddAccount("ann@example.org");
            directory.AddAccount("bob@example.org");
            directory.AddAlias("both@example.org", "ann@example.org", "bob@example.org");
            TransportServices services = new() { Directory = directory, Stores = Stores, Queue = Queue, Planner = new Posthorn.Transport.Accept.InboxPlanner(false, '.'), Time = Time, Log = NullLogger.Instance };
            return new(new() { Hostname = "mail.example.org" }, services);
        }

        /// <summary>Tries everything that waits, as the runner does.</summary>
        public async Task AttemptAsync()
        {
            MailTransport transport = Transport();
            LocalAttempt attempt = new(transport.Services, transport);
            Settlement settlement = new(transport.Services, transport.Reporter, () => transport.Options);
            QueueEntry[] waiting = Queue.Read((entries, _) => entries.Values.ToArray());
            foreach (QueueEntry entry in waiting)
            {
                Delivery delivery = new(entry.Jobs[0], [.. entry.PendingRecipients], null);
                await settlement.SettleAsync(delivery, delivery.Foregone is { } reply ? DeliveryResult.Foregone(delivery, reply) : await attempt.TryAsync(delivery, default), default);
            }
        }

        public QueueEntry? Find(string id) => Queue.Read((entries, _) => entries.GetValueOrDefault(new(id)));

        public string ContentOf(string id)
        {
            IMessageContent content = Queue.OpenContent(Find(id)!) ?? throw new InvalidOperationException($"{id} has no content");
            byte[] bytes = new byte[content.Length];
            for (int at = 0; at < bytes.Length;) at += content.Read(at, bytes.AsSpan(at));
            return Encoding.ASCII.GetString(bytes);
        }
    }
}
