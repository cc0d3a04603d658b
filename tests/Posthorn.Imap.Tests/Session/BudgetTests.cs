using System.Diagnostics;
using System.Text;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Session;

/// <summary>Runs when nothing else does, since allocations are counted for the whole process.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;

/// <summary>What work may cost in memory; time is only printed.</summary>
[Collection("alone")]
public sealed class BudgetTests(ITestOutputHelper output)
{
    private const int Messages = 10_000;

    // The pipe and the reading side of the test cost some 5 octets for each octet of answer; a line has about 40.
    [Theory]
    [InlineData("FETCH 1:* (UID FLAGS)", 100)]
    [InlineData("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)", 100)]
    [InlineData("UID SEARCH UNSEEN", 100)]
    [InlineData("STORE 1:* +FLAGS.SILENT (\\Seen)", 200)]
    public async Task Ten_thousand_messages_cost_little(string command, int octetsForEach)
    {
        await using ImapHost host = new();
        IMailStore store = await host.StoreAsync();
        for (int i = 0; i < Messages; i += 1000) await AppendAsync(host, store, 1000);
        await host.GivenAsync("selected INBOX");
        MemoryChannel channel = host.Connect(ReadSplit.Whole, 8 * 1024 * 1024);
        byte[] buffer = new byte[1 << 20];
        await AskAsync(channel, "w NOOP\r\n", "w ", buffer);
        await AskAsync(channel, $"a {command}\r\n", "a ", buffer);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        long start = Stopwatch.GetTimestamp();
        await AskAsync(channel, $"b {command}\r\n", "b ", buffer);
        double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        long allocated = (GC.GetTotalAllocatedBytes(precise: true) - before) / Messages;
        output.WriteLine($"{command}: {milliseconds:F1} ms, {allocated} octets allocated for each message");
        Assert.InRange(allocated, 0, octetsForEach);
        await channel.DisposeAsync();
    }

    [Fact]
    public async Task An_idle_session_costs_little_managed_memory()
    {
        const int Sessions = 500;
        await using ImapHost host = new();
        host.Options = host.Options with { MaxConnectionsPerAccount = Sessions + 1 };
        await host.GivenAsync("INBOX has 10 messages");
        await host.GivenAsync("selected INBOX");
        List<Client> clients = [];
        long before = 0;
        for (int i = 0; i <= Sessions; i++)
        {
            if (i == 1) before = GC.GetTotalMemory(forceFullCollection: true);
            Client client = new(host.Connect(ReadSplit.Whole));
            await client.IdleAsync();
            clients.Add(client);
        }
        long each = (GC.GetTotalMemory(forceFullCollection: true) - before) / Sessions;
        output.WriteLine($"{each} octets for each idle session, the test's own client with its buffer of 8 KiB among them");
        Assert.True(each < 32 * 1024, $"{each} octets"); // what earlier tests left and is collected meanwhile may make it less than nothing
        GC.KeepAlive(clients);
    }

    private static async Task AppendAsync(ImapHost host, IMailStore store, int count)
    {
        await using IMessageSink sink = host.Stores.CreateSink();
        await sink.WriteAsync(ImapHost.Sample(1), default);
        NewMessage message = new(sink, SystemFlags.None, KeywordSet.Empty, host.Time.GetUtcNow());
        Assert.True((await store.AppendAsync(MailboxName.Inbox, [.. Enumerable.Repeat(message, count)], default)).IsOk);
    }

    private static async Task AskAsync(MemoryChannel channel, string command, string tag, byte[] buffer)
    {
        await channel.SendAsync(Encoding.ASCII.GetBytes(command), default);
        byte[] end = Encoding.ASCII.GetBytes("\n" + tag);
        int kept = 0;
        while (true)
        {
            int read = await channel.ReceiveAsync(buffer.AsMemory(kept), default);
            Assert.NotEqual(0, read);
            ReadOnlySpan<byte> seen = buffer.AsSpan(0, kept + read);
            if (seen[^1] == '\n' && (seen.IndexOf(end) >= 0 || seen.StartsWith(end.AsSpan(1)))) return;
            kept = Math.Min(seen.Length, 100);
            seen[^kept..].CopyTo(buffer);
        }
    }
}
