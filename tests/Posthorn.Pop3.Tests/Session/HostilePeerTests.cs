using System.Net.Security;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Testing;

namespace Posthorn.Pop3.Tests.Session;

/// <summary>Peers that flood, stall or never read; TLS; any octets at all.</summary>
public sealed class HostilePeerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("XYZZY\r\n")]
    [InlineData("\r\n")]
    [InlineData("STAT\r\n")]
    [InlineData("\0\n")]
    public async Task AHundredThousandBadCommandsInOnePacketEndTheSession(string command)
    {
        await using Pop3Host host = new();
        await using MemoryChannel client = host.Connect(ReadSplit.Whole, 64 * 1024 * 1024);
        await client.SendAsync(Encoding.Latin1.GetBytes(string.Concat(Enumerable.Repeat(command, 100_000))), default);
        string all = await RestAsync(client);
        Assert.EndsWith("-ERR Too many errors\r\n", all, StringComparison.Ordinal);
        Assert.True(all.Length < 2000);
    }

    [Fact]
    public async Task AClientThatNeverReadsIsGivenUp()
    {
        await using Pop3Host host = new();
        await host.DeliverAsync(Encoding.ASCII.GetBytes("Subject: large\r\n\r\n" + string.Concat(Enumerable.Repeat("line of text\r\n", 20_000))));
        await using MemoryChannel client = host.Connect(ReadSplit.Whole, 1024);
        await client.SendAsync("USER ann\r\nPASS nna\r\nRETR 1\r\nRETR 1\r\n"u8.ToArray(), default);
        await host.GivenAsync("silence").AsTask().WaitAsync(Patience);
        Assert.Equal(StopReason.Timeout, host.Connections[0].Stopped);
    }

    [Fact]
    public async Task WhoAsksOnAndOnWithoutALoginIsSentAwayInTime()
    {
        await using Pop3Host host = new();
        await using Connection client = new(host.Connect(ReadSplit.Whole), new SessionId("client"), TimeProvider.System);
        Assert.StartsWith("+OK", await LineAsync(client), StringComparison.Ordinal);
        for (int i = 0; i < 3; i++)
        {
            Assert.StartsWith("+OK", await AskAsync(client, "CAPA"), StringComparison.Ordinal);
            while (await LineAsync(client) != ".") { }
            host.Time.Advance(TimeSpan.FromSeconds(59));
        }
        Assert.Equal(StopReason.None, host.Connections[0].Stopped);
        host.Time.Advance(TimeSpan.FromSeconds(10));
        await host.Sessions[0].WaitAsync(Patience);
        Assert.Equal(StopReason.Timeout, host.Connections[0].Stopped);
    }

    [Fact]
    public async Task StlsForgetsWhatWasSaidInClearAndThenOffersLogin()
    {
        using TemporaryFolder folder = new();
        (string certificate, string key) = TestCertificate.WritePem(TestCertificate.Shared, folder.Path);
        await using Pop3Host host = new() { Tls = TlsIdentity.Load(certificate, key, TimeProvider.System, NullLogger.Instance) };
        await host.GivenAsync("strict network");
        await using Connection client = new(host.Connect(ReadSplit.Whole), new SessionId("client"), TimeProvider.System);
        Assert.StartsWith("+OK", await LineAsync(client), StringComparison.Ordinal);
        Assert.Equal("+OK Begin TLS", await AskAsync(client, "STLS\r\nUSER injected"));
        await client.StartTlsAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "mail.example.org",
#pragma warning disable CA5359 // The certificate is the test's own.
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
        }, default);
        Assert.Equal("-ERR Say USER first", await AskAsync(client, "PASS nna"));
        Assert.Equal("-ERR TLS is on already", await AskAsync(client, "STLS"));
        Assert.Equal("+OK Capabilities", await AskAsync(client, "CAPA"));
        List<string> capabilities = [];
        while (await LineAsync(client) is { } line && line != ".") capabilities.Add(line);
        Assert.Contains("SASL PLAIN LOGIN", capabilities);
        Assert.DoesNotContain("STLS", capabilities);
        Assert.Equal("+OK 0 messages (0 octets)", await AskAsync(client, "AUTH PLAIN AGFubgBubmE="));
    }

    [Fact]
    public async Task EveryRealMessageComesBackByteByByte()
    {
        await using Pop3Host host = new();
        Random random = new(7);
        List<byte[]> sent = [];
        for (int i = 0; i < 40; i++)
        {
            StringBuilder text = new("Subject: x\r\n\r\n");
            for (int line = random.Next(200); line > 0; line--) text.Append('.', random.Next(3)).Append('a', random.Next(900)).Append("\r\n");
            sent.Add(Encoding.ASCII.GetBytes(text.ToString()));
            await host.DeliverAsync(sent[^1]);
        }
        await using Connection client = new(host.Connect(ReadSplit.Random(3)), new SessionId("client"), TimeProvider.System);
        await LineAsync(client);
        await AskAsync(client, "USER ann");
        await AskAsync(client, "PASS nna");
        for (int i = 0; i < sent.Count; i++)
        {
            Assert.Equal($"+OK {sent[i].Length} octets", await AskAsync(client, $"RETR {i + 1}"));
            StringBuilder got = new();
            while (await LineAsync(client) is { } line && line != ".") got.Append(line.StartsWith('.') ? line[1..] : line).Append("\r\n");
            Assert.Equal(Encoding.ASCII.GetString(sent[i]), got.ToString());
        }
    }

    [Fact]
    public void AnyOctetsAreAnsweredAndTheSessionEnds() => Gen.OneOf("USER ", "PASS ", "AUTH PLAIN ", "LIST ", "RETR 1", "TOP 1 ", "DELE ", "UIDL", "QUIT", "\r\n", "\n", " ", "ann", "nna", "1", "\0", "\u00ff", "*", "=", "CAPA\r\n")
        .Array[0, 40].Sample(words => PlayAsync(string.Concat(words)).GetAwaiter().GetResult(), iter: 300, threads: 1);

    private static async Task PlayAsync(string text)
    {
        await using Pop3Host host = new();
        await host.GivenAsync("messages 2");
        await using MemoryChannel client = host.Connect(ReadSplit.Random(text.Length));
        await client.SendAsync(Encoding.Latin1.GetBytes(text), default);
        client.CloseWriting();
        string all = await RestAsync(client);
        await host.Sessions[0].WaitAsync(Patience);
        Assert.StartsWith("+OK", all, StringComparison.Ordinal);
        Assert.DoesNotContain("broken here", all, StringComparison.Ordinal);
    }

    private static async Task<string> RestAsync(MemoryChannel client)
    {
        List<byte> all = [];
        byte[] buffer = new byte[8192];
        while (await client.ReceiveAsync(buffer, default).AsTask().WaitAsync(Patience) is var read && read > 0) all.AddRange(buffer.AsSpan(0, read));
        return Encoding.Latin1.GetString([.. all]);
    }

    private static async Task<string> AskAsync(Connection client, string command)
    {
        client.Output.Write(Encoding.ASCII.GetBytes(command + "\r\n"));
        await client.Output.FlushAsync(default);
        return await LineAsync(client);
    }

    private static async Task<string> LineAsync(Connection client)
    {
        InputLine line = await client.ReadLineAsync(10_000, default).AsTask().WaitAsync(Patience);
        Assert.Equal(LineStatus.Complete, line.Status);
        return Encoding.Latin1.GetString(line.Bytes.Span);
    }
}
