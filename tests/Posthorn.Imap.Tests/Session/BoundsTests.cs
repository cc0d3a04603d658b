using System.Text;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Store;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Session;

public sealed class BoundsTests
{
    [Fact]
    public async Task A_hundred_thousand_commands_in_one_packet_are_answered_in_order()
    {
        await using ImapHost host = new();
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        StringBuilder commands = new();
        for (int i = 0; i < 100_000; i++) commands.Append('t').Append(i).Append(" NOOP\r\n");
        Task sending = client.SendAsync(Encoding.ASCII.GetBytes(commands.ToString()), default).AsTask();
        Client reader = new(client);
        await reader.ReadLineAsync();
        for (int i = 0; i < 100_000; i++) Assert.Equal($"t{i} OK Done", await reader.ReadLineAsync());
        await sending;
        await client.DisposeAsync();
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_cut_off_and_costs_little()
    {
        await using ImapHost host = new();
        await host.DeliverAsync("INBOX", Encoding.ASCII.GetBytes("Subject: large\r\n\r\n" + new string('x', 8 * 1024 * 1024)));
        await host.GivenAsync("selected INBOX");
        MemoryChannel client = host.Connect(ReadSplit.Whole, window: 64 * 1024);
        await client.SendAsync("a FETCH 1 BODY.PEEK[]\r\n"u8.ToArray(), default);
        Task session = host.LastSession;
        for (int minute = 0; minute < 10 && !session.IsCompleted; minute++)
        {
            await host.GivenAsync("time passes 1m");
            await Task.WhenAny(session, Task.Delay(50));
        }
        await session.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.InRange(host.LastConnection.Output.Sent, 1, 1024 * 1024);
        Assert.InRange(host.LastConnection.Output.Length, 0, 256 * 1024);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task A_large_part_is_decoded_in_pieces()
    {
        byte[] text = new byte[3 * 1024 * 1024];
        for (int i = 0; i < text.Length; i++) text[i] = (byte)('a' + i * 7919L % 26);
        await using ImapHost host = new();
        await host.DeliverAsync("INBOX", Encoding.ASCII.GetBytes("MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + Convert.ToBase64String(text, Base64FormattingOptions.InsertLineBreaks)));
        await host.GivenAsync("selected INBOX");
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        await using Connection client = new(channel, new SessionId("client"), TimeProvider.System, 8 * 1024 * 1024);
        string[] answers = [await AskAsync(client, "a FETCH 1 BINARY.SIZE[1]"), await AskAsync(client, "b FETCH 1 BINARY.PEEK[1]<1000000.200000>"), await AskAsync(client, "c FETCH 1 BINARY.PEEK[1]<3145000.5000>"), await AskAsync(client, "d FETCH 1 BINARY.PEEK[1]")];
        string whole = Encoding.ASCII.GetString(text);
        Assert.Equal($"* 1 FETCH (BINARY.SIZE[1] {text.Length})\r\n", answers[0]);
        Assert.Equal($"* 1 FETCH (BINARY[1]<1000000> {{200000}}\r\n{whole.AsSpan(1_000_000, 200_000)})\r\n", answers[1]);
        Assert.Equal($"* 1 FETCH (BINARY[1]<3145000> {{{text.Length - 3_145_000}}}\r\n{whole.AsSpan(3_145_000)})\r\n", answers[2]);
        Assert.Equal($"* 1 FETCH (BINARY[1] {{{text.Length}}}\r\n{whole})\r\n", answers[3]);
        // Other tests allocate meanwhile: the least of some attempts is nearest to the truth.
        long least = long.MaxValue;
        for (int i = 0; i < 20 && least > text.Length / 2; i++)
        {
            long before = GC.GetTotalAllocatedBytes();
            Assert.Equal(answers[0].Length, (await AskAsync(client, "e FETCH 1 BINARY.SIZE[1]")).Length);
            least = Math.Min(least, GC.GetTotalAllocatedBytes() - before);
        }

        Assert.InRange(least, 0, text.Length / 2);
    }

    [Fact]
    public async Task Where_no_further_keywords_are_taken_none_are_offered()
    {
        await using ImapHost host = new(new TemporaryFolder(), options => options with { KeywordOctets = 300 });
        await host.GivenAsync("INBOX has 1 messages");
        await host.GivenAsync("logged in");
        await using Connection client = new(host.Connect(ReadSplit.Whole), new SessionId("client"), TimeProvider.System);
        Assert.Contains(@"[PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)]", await AskAsync(client, "a SELECT INBOX"), StringComparison.Ordinal);
        string keyword = new('k', 60);
        await AskAsync(client, $"b STORE 1 +FLAGS ({keyword})");
        Assert.Contains($@"[PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft {keyword})]", await AskAsync(client, "c SELECT INBOX"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whole_messages_wait_for_room_in_memory()
    {
        await using ImapHost host = new();
        await host.GivenAsync("INBOX has 1 messages");
        await host.GivenAsync("selected INBOX");
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        Client client = new(channel);
        OctetHold all = await host.Stores.WholeMessages.TakeAsync(long.MaxValue, default);
        await channel.SendAsync("a APPEND Drafts CATENATE (URL \"/INBOX/;UID=1/;SECTION=HEADER\")\r\n"u8.ToArray(), default);
        Task<string> answer = client.ReadLineAsync();
        while (host.Stores.WholeMessages.Waiting == 0) await Task.Yield();
        Assert.False(answer.IsCompleted);
        all.Dispose();
        Assert.StartsWith("a OK [APPENDUID ", await answer.WaitAsync(TimeSpan.FromSeconds(60)), StringComparison.Ordinal);
        await channel.DisposeAsync();
    }

    [Fact]
    public async Task Of_a_header_beyond_all_measure_fields_are_picked_from_its_beginning()
    {
        await using ImapHost host = new();
        await host.DeliverAsync("INBOX", Encoding.ASCII.GetBytes("Subject: first\r\n" + string.Concat(Enumerable.Repeat("X-Filler: " + new string('x', 500) + "\r\n", 4_000)) + "Subject: last\r\n\r\ntext"));
        await host.GivenAsync("selected INBOX");
        await using Connection client = new(host.Connect(ReadSplit.Whole), new SessionId("client"), TimeProvider.System);
        Assert.Contains("{18}\r\nSubject: first\r\n\r\n)", await AskAsync(client, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]"), StringComparison.Ordinal);
        Assert.InRange((await AskAsync(client, "b FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Subject)]")).Length, 1_000_000, 1_100_000);
    }

    // What is said before the tagged answer, without what came before the question.
    private static async Task<string> AskAsync(Connection client, string command)
    {
        client.Output.Write(command + "\r\n");
        await client.Output.FlushAsync(default);
        StringBuilder all = new();
        string end = command[..2] + "OK ";
        while (await client.ReadLineAsync(8 * 1024 * 1024, default) is { Status: LineStatus.Complete } line)
        {
            string text = Encoding.ASCII.GetString(line.Bytes.Span);
            if (text.StartsWith(end, StringComparison.Ordinal)) break;
            if (text.StartsWith("* 1 FETCH", StringComparison.Ordinal)) all.Clear();
            all.Append(text).Append("\r\n");
        }
        return all.ToString();
    }

    [Fact]
    public async Task Much_news_goes_out_in_pieces()
    {
        await using ImapHost host = new();
        await host.GivenAsync("INBOX has 20000 messages");
        await host.GivenAsync("selected INBOX");
        MemoryChannel channel = host.Connect(ReadSplit.Whole, window: 64 * 1024);
        Connection connection = host.LastConnection;
        IMailStore store = await host.StoreAsync();
        await using IMailbox box = (await store.OpenMailboxAsync(MailboxName.Inbox, false, default)).Value;
        Uid[] all = [.. Enumerable.Range(1, 20_000).Select(i => new Uid((uint)i))];
        await store.ChangeFlagsAsync(box.Info.Id!.Value, all, new(FlagOperation.Add, SystemFlags.Deleted, KeywordSet.Empty), null, default);
        Client client = new(channel);
        for (int i = 0; i < all.Length; i++) client.Uids.Add(0);
        Task<string> flags = client.SayAsync("NOOP");
        Assert.Equal("OK Done", await flags);
        Assert.DoesNotContain(0u, client.Uids);
        await store.ExpungeAsync(box.Info.Id!.Value, null, default);
        await client.SendAsync("NOOP");
        while (connection.Output.Length == 0) await Task.Yield(); // until it waits for us to read
        Assert.InRange(connection.Output.Length, 0, 128 * 1024);
        Assert.Equal("OK Done", await client.FinishAsync());
        Assert.Empty(client.Uids);
        await channel.DisposeAsync();
    }

    [Fact]
    public async Task At_shutdown_every_client_hears_a_goodbye()
    {
        ImapHost host = new();
        await host.GivenAsync("selected INBOX");
        Client idle = new(host.Connect(ReadSplit.Whole)), silent = new(host.Connect(ReadSplit.Whole));
        await idle.IdleAsync();
        Task stopping = host.DisposeAsync().AsTask();
        foreach (Client client in (Client[])[idle, silent])
            Assert.Equal("* BYE [UNAVAILABLE] The server is going down, come back soon", await client.ReadLineAsync());
        await stopping;
    }

    [Fact]
    public async Task An_idle_client_hears_a_sign_of_life()
    {
        await using ImapHost host = new();
        await host.GivenAsync("selected INBOX");
        Client client = new(host.Connect(ReadSplit.Whole));
        await client.IdleAsync();
        await host.GivenAsync("time passes 3m");
        Assert.Equal("* OK Still here", await client.ReadLineAsync());
        await client.DoneAsync();
    }

    [Fact]
    public async Task A_broken_store_is_told_as_our_fault_and_the_session_goes_on()
    {
        await using ImapHost host = new() { BreaksStatus = true };
        await host.GivenAsync("logged in");
        Client client = new(host.Connect(ReadSplit.Whole));
        Assert.Equal("NO [SERVERBUG] Something went wrong here; it has been noted", await client.SayAsync("STATUS INBOX (MESSAGES)"));
        Assert.Equal("OK Done", await client.SayAsync("NOOP"));
    }

    [Fact]
    public async Task Mail_that_is_not_available_is_told_as_that()
    {
        await using ImapHost host = new() { BreaksStatus = true, StatusProblem = new MailUnavailableException("the disk is full", mustReconnect: false) };
        await host.GivenAsync("logged in");
        Client client = new(host.Connect(ReadSplit.Whole));
        Assert.Equal("NO [UNAVAILABLE] The mail is not available now; it has been noted, try again in a moment", await client.SayAsync("STATUS INBOX (MESSAGES)"));
        Assert.Equal("OK Done", await client.SayAsync("NOOP"));
    }

    // No tagged answer: whether the command has happened cannot be said.
    [Fact]
    public async Task A_session_whose_mail_must_be_looked_at_anew_ends()
    {
        await using ImapHost host = new() { BreaksStatus = true, StatusProblem = new MailUnavailableException("damage", mustReconnect: true) };
        await host.GivenAsync("logged in");
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        Client client = new(channel);
        await channel.SendAsync("x1 STATUS INBOX (MESSAGES)\r\n"u8.ToArray(), default);
        Assert.Equal("* BYE [UNAVAILABLE] The mail must be looked at anew; connect again in a moment", await client.ReadLineAsync());
        await Assert.ThrowsAnyAsync<Exception>(async () => await client.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Pipelined_APPENDs_share_their_wait_and_are_answered_in_order()
    {
        await using ImapHost host = new() { GatesAppends = 3 };
        await host.GivenAsync("selected INBOX");
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        Client client = new(channel);
        await channel.SendAsync(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(1, 3).Select(i => $"p{i} APPEND INBOX {{12+}}\r\nSubject: {i}\r\n\r\n")) + "p4 NOOP\r\n"), default);
        List<string> lines = [];
        while (lines is not [.., "p4 OK Done"]) lines.Add(await client.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(["p1 OK", "p2 OK", "p3 OK", "p4 OK"], lines.Where(line => line[0] == 'p').Select(line => line[..5]));
        Assert.Contains("* 3 EXISTS", lines);
        for (int i = 1; i <= 3; i++) Assert.EndsWith($" {i}] Appended", lines.Single(line => line.StartsWith($"p{i} ", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wrong_logins_wait_longer_each_time()
    {
        await using ImapHost host = new();
        host.Options = host.Options with { FailedLoginDelay = TimeSpan.FromSeconds(2) };
        Client client = new(host.Connect(ReadSplit.Whole));
        await client.ReadLineAsync();
        foreach (int seconds in (int[])[2, 4])
        {
            Task<string> answer = client.SayAsync("LOGIN ann wrong");
            await host.GivenAsync($"time passes {seconds - 1}s");
            await Task.WhenAny(answer, Task.Delay(100));
            Assert.False(answer.IsCompleted);
            while (!answer.IsCompleted)
            {
                await host.GivenAsync("time passes 1s");
                await Task.WhenAny(answer, Task.Delay(20));
            }
            Assert.StartsWith("NO [AUTHENTICATIONFAILED]", await answer, StringComparison.Ordinal);
        }
    }
}
