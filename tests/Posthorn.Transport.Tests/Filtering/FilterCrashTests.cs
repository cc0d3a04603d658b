using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Journal;
using Posthorn.Store;
using Posthorn.Store.Engine;
using Posthorn.Store.Scripts;
using Posthorn.Testing;
using Posthorn.Testing.Volumes;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Filtering;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Filtering;

/// <summary>The power goes at every write in turn while a message with a vacation reply comes in: message, reply and the memory of it are there together or not at all, and nobody gets two replies.</summary>
public sealed class FilterCrashTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_reply_is_sent_once_wherever_the_power_goes(bool loseCatalogue)
    {
        int total = await RunAsync(null, 0, loseCatalogue);
        Assert.True(total > 10, $"only {total} operations");
        for (int cut = 1; cut <= total; cut++)
            for (int seed = 0; seed < 3; seed++)
                await RunAsync(cut, seed, loseCatalogue);
    }

    // The number of changes to the volume from the message's arrival to the checkpoint after it.
    private static async Task<int> RunAsync(int? cut, int seed, bool loseCatalogue)
    {
        using TemporaryFolder catalogues = new();
        FakeTimeProvider time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        CrashVolume volume = new(time);
        volume.MakeDirectory("/data");
        volume.SyncDirectory("/");
        Server server = await Server.OpenAsync(volume, catalogues.Path, time);
        await server.ScriptAsync("""require "vacation"; vacation "Away.";""");
        await server.SendAsync("other@example.net"); // the account is there
        await server.Journal.CheckpointAsync(default);
        int before = volume.Operations;
        volume.CutAt = before + cut;
        bool acknowledged = false;
        try
        {
            acknowledged = await server.SendAsync("eve@example.net");
            await server.Journal.CheckpointAsync(default);
        }
        catch (PowerCut) { /* as ordered */ }
        catch (IOException) { /* the same, as the journal tells it */ }
        int operations = volume.Operations - before;

        server = await server.CrashAsync(volume, catalogues.Path, time, seed, loseCatalogue);
        (int mail, int replies) = (await server.MailAsync() - 1, server.RepliesTo("eve@example.net"));
        string where = $"cut at {cut}, seed {seed}: {mail} messages, {replies} replies, acknowledged: {acknowledged}";
        Assert.True(mail == replies && mail <= 1 && (mail == 1 || !acknowledged), where);
        Assert.True(await server.SendAsync("eve@example.net"));
        Assert.True(server.RepliesTo("eve@example.net") == 1, where);
        Assert.True(await server.MailAsync() - 1 == mail + 1, where);

        await server.Journal.CheckpointAsync(default);
        server = await server.CrashAsync(volume, catalogues.Path, time, seed + 100, loseCatalogue);
        Assert.True(await server.SendAsync("eve@example.net"), where);
        Assert.True(server.RepliesTo("eve@example.net") == 1, where);
        Assert.True(server.RepliesTo("other@example.net") == 1, where);
        await server.Stores.AbandonAsync();
        return operations;
    }

    private sealed class Server
    {
        public required Journal.Journal Journal { get; init; }
        public required MaildirStores Stores { get; init; }
        public required MailQueue Queue { get; init; }
        public required MailTransport Transport { get; init; }
        public required MailAccount Ann { get; init; }
        public required FileScriptStore Scripts { get; init; }

        public static async Task<Server> OpenAsync(CrashVolume volume, string catalogues, FakeTimeProvider time)
        {
            FakeDirectory directory = new();
            MailAccount ann = directory.AddAccount("ann@example.org", root: "/data");
            MaildirStores stores = new(new() { AccountsDirectory = catalogues + "/accounts", TidyAfter = TimeSpan.FromDays(1), BootId = Guid.NewGuid().ToString() }, volume, time, NullLogger.Instance);
            MailQueue queue = MailQueue.Load(volume, "/data/queue", new(), time, NullLogger.Instance);
            JournalOptions options = new() { Directory = "/data/journal", SegmentSize = 256 << 10, Segments = 3, BackgroundWork = false, InlineLimit = 2000 };
            Journal.Journal journal = await Posthorn.Journal.Journal.OpenAsync(options, volume, [stores, queue], time, NullLogger.Instance, default);
            stores.Start(journal);
            FileScriptStore scripts = new(new(), volume, time);
            SievePlanner planner = new(SieveRig.Plain, new(stores, scripts, volume, time, NullLogger.Instance), new InboxPlanner(false, '.'));
            MailTransport transport = new(new() { Hostname = "mail.example.org" }, new() { Directory = directory, Stores = stores, Queue = queue, Planner = planner, Time = time, Log = NullLogger.Instance });
            return new() { Journal = journal, Stores = stores, Queue = queue, Transport = transport, Ann = ann, Scripts = scripts };
        }

        public async Task<Server> CrashAsync(CrashVolume volume, string catalogues, FakeTimeProvider time, int seed, bool loseCatalogue)
        {
            await Stores.AbandonAsync();
            if (loseCatalogue) System.IO.Directory.Delete(catalogues + "/accounts", recursive: true);
            volume.CutAt = null;
            volume.Crash(seed);
            time.Advance(TimeSpan.FromMinutes(1));
            return await OpenAsync(volume, catalogues, time);
        }

        public async Task ScriptAsync(string text)
        {
            _ = ScriptName.TryCreate("main", out ScriptName name);
            await Scripts.PutAsync(Ann, name, Encoding.ASCII.GetBytes(text), default);
            await Scripts.ActivateAsync(Ann, name, default);
        }

        public async Task<bool> SendAsync(string from)
        {
            Envelope envelope = new() { Id = Transport.NewQueueId(), Client = TransportRig.Stranger, From = ReversePath.Of(EmailAddress.Parse(from)) };
            envelope.Recipients.Add(new(Ann.Address, DsnNotify.Unspecified, null));
            await using IMessageIntake intake = Transport.Begin(envelope);
            await intake.WriteAsync(Encoding.ASCII.GetBytes($"From: {from}\r\nTo: ann@example.org\r\n\r\nText\r\n"), default);
            return (await intake.FinishAsync(default)).Overall.IsPositive;
        }

        public int RepliesTo(string address) => Queue.Read((entries, _) => entries.Values.Count(entry => entry.Message.Recipients[0].Address.ToString() == address));

        public async Task<int> MailAsync()
        {
            await using IMailStore store = (await Stores.OpenAsync(Ann, default)).Value;
            return (await store.StatusAsync(MailboxName.Inbox, default)).Value.Messages;
        }
    }
}
