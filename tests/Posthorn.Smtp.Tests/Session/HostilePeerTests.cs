using System.Text;
using Posthorn.Net;
using Posthorn.Smtp.Tests.Fakes;
using Posthorn.Testing;
using Posthorn.Transport;

namespace Posthorn.Smtp.Tests.Session;

/// <summary>Peers that flood, stall, trickle or never read.</summary>
public sealed class HostilePeerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("NOOP\r\n")]
    [InlineData("MAIL FROM:<bob@example.net>\r\nRSET\r\n")]
    [InlineData("FOO\r\n")]
    [InlineData("\r\n")]
    [InlineData("\n")]
    [InlineData("\0\r\n")]
    public async Task AHundredThousandCommandsInOnePacketEndIn421(string command)
    {
        await using SmtpHost host = new();
        await using TestClient client = new(host.Connect(ReadSplit.Whole, window: 64 * 1024 * 1024));
        await client.SendAsync("HELO client.example.net\r\n" + string.Concat(Enumerable.Repeat(command, 100_000)));
        List<string> replies = await client.RestAsync();
        Assert.Equal("421 4.7.0 Too many errors", replies[^1]);
        Assert.True(replies.Count < 400);
    }

    [Fact]
    public async Task AClientThatNeverReadsIsGivenUp()
    {
        await using SmtpHost host = new();
        host.Options = host.Options with { MaxIdleCommands = int.MaxValue };
        // The server's replies fill the small window; the client goes on sending.
        await using TestClient client = new(host.Connect(ReadSplit.Whole, window: 1024));
        Task flood = FloodAsync(client);
        await host.PassTimeToTheEndAsync(1).AsTask().WaitAsync(Patience);
        await flood.WaitAsync(Patience);
        Assert.Equal(StopReason.Timeout, host.Connections[0].Stopped);
    }

    [Fact]
    public async Task AGoodbyeThatNobodyReadsIsGivenUp()
    {
        await using SmtpHost host = new();
        await using TestClient client = new(host.Connect(ReadSplit.Whole, window: 1024));
        await client.Channel.SendAsync(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("NOOP\r\n", 119)) + "QUIT\r\n"), CancellationToken.None);
        await host.PassTimeToTheEndAsync(1).AsTask().WaitAsync(Patience);
    }

    [Fact]
    public async Task AMessageThatTricklesIsGivenUpThoughEachBlockIsInTime()
    {
        await using SmtpHost host = new();
        host.Options = host.Options with { MinDataRate = 100, DataTimeout = TimeSpan.FromMinutes(1) };
        await using TestClient client = new(host.Connect(ReadSplit.Whole));
        await client.SendAsync("HELO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n");
        for (int i = 0; i < 5; i++) await client.ReplyAsync();
        // The session may begin to listen long after the clock was moved: so it goes on until the session has seen the time pass.
        long started = TimeProvider.System.GetTimestamp();
        try
        {
            while (host.Connections[0].Stopped == StopReason.None && TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(60))
            {
                await client.SendAsync("x");
                host.Time.Advance(TimeSpan.FromSeconds(5));
                await Task.Yield();
            }
        }
        catch (IOException) { /* it was closed while we sent */ }
        Assert.Equal("421 4.4.2 Timeout, closing the connection", (await client.RestAsync())[^1]);
        Assert.Empty(host.Transport.Taken);
    }

    [Fact]
    public async Task AFastMessageMayTakeLongerThanOneTimeout()
    {
        await using SmtpHost host = new();
        host.Options = host.Options with { MinDataRate = 10, DataTimeout = TimeSpan.FromSeconds(60) };
        await using TestClient client = new(host.Connect(ReadSplit.Whole));
        await client.SendAsync("HELO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n");
        for (int i = 0; i < 5; i++) await client.ReplyAsync();
        string kilobyte = new string('x', 998) + "\r\n";
        for (int i = 1; i <= 20; i++)
        {
            await client.SendAsync(kilobyte);
            while (host.Transport.Octets < i * 1000) await Task.Yield();
            host.Time.Advance(TimeSpan.FromSeconds(20));
            await Task.Yield();
        }
        Assert.StartsWith("250 ", await client.AskAsync("."), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFailedLoginWaitsAloneAndOthersGoOn()
    {
        await using SmtpHost host = new() { Role = ListenerRole.Submission };
        await host.GivenAsync("trusted");
        host.Options = host.Options with { AuthFailureDelay = TimeSpan.FromSeconds(30) };
        await using TestClient guesser = new(host.Connect(ReadSplit.Whole));
        await using TestClient other = new(host.Connect(ReadSplit.Whole));
        await guesser.ReplyAsync();
        await guesser.AskAsync("HELO a");
        Task delayed = host.Time.NextTimerAsync();
        Task<string> guess = guesser.AskAsync("AUTH PLAIN AGFubgB3cm9uZw==");
        await other.ReplyAsync();
        await other.AskAsync("HELO b");
        Assert.StartsWith("235 ", await other.AskAsync("AUTH PLAIN AGFubgBzZWNyZXQ="), StringComparison.Ordinal);
        await delayed.WaitAsync(Patience);
        Assert.False(guess.IsCompleted);
        host.Time.Advance(TimeSpan.FromSeconds(30));
        Assert.StartsWith("535 ", await guess, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhoTalksBeforeTheGreetingIsSentAway()
    {
        await using SmtpHost host = new();
        host.Options = host.Options with { GreetingDelay = TimeSpan.FromSeconds(6) };
        await using TestClient spammer = new(host.Connect(ReadSplit.Whole));
        await spammer.SendAsync("HELO spam.example\r\nMAIL FROM:<eve@example.com>\r\n");
        Assert.Equal(["521 5.5.1 Protocol error: wait for the greeting"], await spammer.RestAsync());

        Task delayed = host.Time.NextTimerAsync();
        await using TestClient honest = new(host.Connect(ReadSplit.Whole));
        Task<string> greeting = honest.ReplyAsync();
        await delayed.WaitAsync(Patience);
        host.Time.Advance(TimeSpan.FromSeconds(6));
        Assert.StartsWith("220 ", await greeting, StringComparison.Ordinal);
        Assert.Equal("250 mx.example.org", await honest.AskAsync("HELO client.example.net"));
    }

    [Theory]
    [InlineData("EHLO", "MAIL FROM:<bob@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nhello\r\n.\r\n", "250|250|521")]
    [InlineData("EHLO", "XFORWARD NAME=localhost\r\nXFORWARD SOURCE=LOCAL\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<ann@example.org>\r\nQUIT\r\n", "250|250|250|250|221")]
    [InlineData("EHLO", "EHLO b\r\nMAIL FROM:<bob@example.net>\r\n", "521")]
    [InlineData("EHLO", "MAIL FROM:<bob@example.net>\r\nRCPT TO:<ann@example.org>\r\nRSET\r\nNOOP\r\nQUIT\r\n", "250|250|250|250|221")]
    // Without EHLO there is no pipelining at all.
    [InlineData("HELO", "MAIL FROM:<bob@example.net>\r\nRCPT TO:<ann@example.org>\r\nQUIT\r\n", "521")]
    [InlineData("HELO", "NOOP\r\nQUIT\r\n", "521")]
    [InlineData("HELO", "XFORWARD NAME=localhost\r\nXFORWARD SOURCE=LOCAL\r\nMAIL FROM:<bob@example.net>\r\n", "250|250|250")]
    [InlineData("HELO", "QUIT\r\nQUIT\r\n", "221")]
    [InlineData(null, "NOOP\r\nNOOP\r\n", "521")]
    public async Task WhoGoesOnWhereItHasToWaitIsSentAway(string? hello, string commands, string codes)
    {
        await using SmtpHost host = new();
        await host.GivenAsync("on early-talk-check");
        await host.GivenAsync("on xforward");
        MemoryChannel channel = host.Connect(ReadSplit.Whole);
        await using TestClient client = new(channel);
        await client.ReplyAsync();
        if (hello is not null) await client.AskAsync($"{hello} a");
        await client.SendAsync(commands);
        channel.CloseWriting();
        Assert.Equal(codes, string.Join('|', (await client.RestAsync()).Select(line => line[..3])));
        Assert.Empty(host.Transport.Taken);
    }

    [Fact]
    public async Task RefusalsAfterTheTenthComeSlowly()
    {
        await using SmtpHost host = new();
        await host.GivenAsync("limit tarpit-after 2");
        await using TestClient guesser = new(host.Connect(ReadSplit.Whole));
        await guesser.ReplyAsync();
        await guesser.AskAsync("HELO a");
        await guesser.AskAsync("MAIL FROM:<>");
        for (int i = 0; i < 2; i++) Assert.StartsWith("550 ", await guesser.AskAsync($"RCPT TO:<nobody{i}@example.org>"), StringComparison.Ordinal);
        Task delayed = host.Time.NextTimerAsync();
        Task<string> slow = guesser.AskAsync("RCPT TO:<nobody3@example.org>");
        await delayed.WaitAsync(Patience);
        Assert.False(slow.IsCompleted);
        host.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.StartsWith("550 ", await slow, StringComparison.Ordinal);
        Assert.StartsWith("250 ", await guesser.AskAsync("RCPT TO:<ann@example.org>"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALargeMessageIsHandedOverInPiecesAndNeverHeld()
    {
        await using SmtpHost host = new();
        await using TestClient client = new(host.Connect(ReadSplit.Whole, window: 256 * 1024));
        await client.ReplyAsync();
        await client.AskAsync("HELO c.example");
        await client.AskAsync("MAIL FROM:<>");
        await client.AskAsync("RCPT TO:<ann@example.org>");
        await client.AskAsync("DATA");
        StringBuilder text = new();
        for (int i = 0; i < 20_000; i++) text.Append(i % 7 == 0 ? ".dot " : "line ").Append(i).Append(" of a message with some text in it\r\n");
        string stuffed = text.ToString().Replace("\r\n.", "\r\n..", StringComparison.Ordinal);
        Assert.StartsWith("250 ", await client.AskAsync("." + stuffed + "."), StringComparison.Ordinal);
        TakenMessage message = Assert.Single(host.Transport.Taken);
        Assert.Equal(text.ToString(), Encoding.ASCII.GetString(message.Content));
        Assert.InRange(message.Pieces, 2, 20_000);
    }

    [Fact]
    public async Task AMessageFarOverTheLimitIsNotKept()
    {
        await using SmtpHost host = new();
        host.Transport.MaxMessageSize = 1_000_000;
        await using TestClient client = new(host.Connect(ReadSplit.Whole));
        await client.ReplyAsync();
        await client.AskAsync("HELO c.example");
        await client.AskAsync("MAIL FROM:<>");
        await client.AskAsync("RCPT TO:<ann@example.org>");
        await client.AskAsync("DATA");
        string block = string.Concat(Enumerable.Repeat(new string('x', 70) + "\r\n", 1000));
        for (int i = 0; i < 100; i++)
        {
            await client.SendAsync(block);
            // Dropped as soon as it is known; an intake that is written to after its end fails the test.
            if (i == 99) Assert.InRange(host.Transport.OpenIntakes, 0, 1);
        }
        Assert.Equal("552 5.3.4 Message size exceeds fixed limit", await client.AskAsync("."));
        Assert.Equal(0, host.Transport.OpenIntakes);
        Assert.StartsWith("250 ", await client.AskAsync("NOOP"), StringComparison.Ordinal);
    }

    private static async Task FloodAsync(TestClient client)
    {
        try
        {
            while (true)
                await client.Channel.SendAsync(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("HELP\r\n", 50))), CancellationToken.None);
        }
        catch (IOException) { /* given up */ }
    }
}
