using System.Net.Security;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Net;
using Posthorn.Testing;

namespace Posthorn.ManageSieve.Tests.Session;

public sealed class BoundsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Fifty_thousand_commands_in_one_packet_are_answered_in_order()
    {
        await using ManageSieveHost host = new();
        await host.GivenAsync("logged in");
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        StringBuilder commands = new();
        for (int i = 0; i < 50_000; i++) commands.Append("NOOP \"").Append(i).Append("\"\r\n");
        Task sending = client.SendAsync(Encoding.ASCII.GetBytes(commands.ToString()), default).AsTask();
        LineReader reader = new(client.AsStream());
        for (int i = 0; i < 50_000; i++) Assert.Equal($"OK (TAG \"{i}\") \"Done\"", await reader.NextAsync());
        await sending;
        await client.DisposeAsync();
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_cut_off_and_costs_little()
    {
        await using ManageSieveHost host = new();
        await host.GivenAsync("logged in");
        await host.GivenAsync("script big #\\{900000*x}");
        MemoryChannel client = host.Connect(ReadSplit.Whole, window: 64 * 1024);
        Task sending = SendManyAsync(client, "GETSCRIPT \"big\"\r\n", 100);
        Task session = host.LastSession;
        for (int minute = 0; minute < 10 && !session.IsCompleted; minute++)
        {
            await host.GivenAsync("time passes 1m");
            await Task.WhenAny(session, Task.Delay(50));
        }
        await session.WaitAsync(Patience);
        Assert.InRange(host.LastConnection.Output.Sent, 1, 2 * 1024 * 1024);
        await client.DisposeAsync();
        await ((Task)sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    [Fact]
    public async Task A_flood_without_a_line_end_holds_no_more_than_a_line()
    {
        await using ManageSieveHost host = new();
        MemoryChannel client = host.Connect(ReadSplit.Whole, window: 64 * 1024);
        LineReader reader = new(client.AsStream());
        while (!(await reader.NextAsync()).StartsWith("OK", StringComparison.Ordinal)) { }
        byte[] piece = Encoding.ASCII.GetBytes(new string('x', 32 * 1024));
        for (int i = 0; i < 300; i++)
        {
            await client.SendAsync(piece, default).AsTask().WaitAsync(Patience);
            Assert.InRange(host.LastConnection.Input.Length, 0, 64 * 1024);
        }
        await client.SendAsync("\r\nNOOP\r\n"u8.ToArray(), default);
        Assert.StartsWith("NO \"A command may have", await reader.NextAsync(), StringComparison.Ordinal);
        Assert.Equal("OK \"Done\"", await reader.NextAsync());
        await client.DisposeAsync();
    }

    [Fact]
    public async Task A_huge_literal_is_thrown_away_as_it_comes_and_refused()
    {
        await using ManageSieveHost host = new();
        await host.GivenAsync("logged in");
        MemoryChannel client = host.Connect(ReadSplit.Whole, window: 64 * 1024);
        LineReader reader = new(client.AsStream());
        await client.SendAsync("PUTSCRIPT \"a\" {8388608+}\r\n"u8.ToArray(), default);
        byte[] piece = new byte[64 * 1024];
        for (int i = 0; i < 128; i++)
        {
            await client.SendAsync(piece, default).AsTask().WaitAsync(Patience);
            Assert.InRange(host.LastConnection.Input.Length, 0, 128 * 1024);
        }
        await client.SendAsync("\r\nLISTSCRIPTS\r\n"u8.ToArray(), default);
        Assert.StartsWith("NO (QUOTA/MAXSIZE)", await reader.NextAsync(), StringComparison.Ordinal);
        Assert.Equal("OK \"0 scripts\"", await reader.NextAsync());
        await client.DisposeAsync();
    }

    [Fact]
    public async Task At_shutdown_every_client_hears_a_goodbye()
    {
        ManageSieveHost host = new();
        await host.GivenAsync("logged in");
        LineReader idle = new(host.Connect(ReadSplit.Whole).AsStream());
        Task stopping = host.DisposeAsync().AsTask();
        Assert.Equal("BYE (TRYLATER) \"The server is going down, come back soon\"", await idle.NextAsync());
        await stopping.WaitAsync(Patience);
    }

    [Fact]
    public async Task Wrong_logins_wait_longer_each_time()
    {
        await using ManageSieveHost host = new();
        host.Options = host.Options with { FailedLoginDelay = TimeSpan.FromSeconds(2) };
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        LineReader reader = new(client.AsStream());
        while (!(await reader.NextAsync()).StartsWith("OK", StringComparison.Ordinal)) { }
        foreach (int seconds in (int[])[2, 4])
        {
            await client.SendAsync("AUTHENTICATE \"PLAIN\" \"AGFubgB4\"\r\n"u8.ToArray(), default);
            Task<string> answer = reader.NextAsync();
            await host.GivenAsync($"time passes {seconds - 1}s");
            await Task.WhenAny(answer, Task.Delay(100));
            Assert.False(answer.IsCompleted);
            while (!answer.IsCompleted)
            {
                await host.GivenAsync("time passes 1s");
                await Task.WhenAny(answer, Task.Delay(20));
            }
            Assert.Equal("NO \"Wrong name or password\"", await answer);
        }
    }

    [Fact]
    public async Task TLS_begins_clean_and_tells_the_capabilities_again()
    {
        using TemporaryFolder folder = new();
        (string certificate, string key) = TestCertificate.WritePem(TestCertificate.Shared, folder.Path);
        await using ManageSieveHost host = new() { Tls = TlsIdentity.Load(certificate, key, TimeProvider.System, NullLogger.Instance) };
        await host.GivenAsync("strict network");
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        LineReader clear = new(client.AsStream());
        List<string> before = await clear.ToOkAsync();
        Assert.Contains("\"STARTTLS\"", before);
        Assert.Contains("\"SASL\" \"SCRAM-SHA-256 SCRAM-SHA-1\"", before);
        // What is sent behind STARTTLS in clear text must not be run under TLS.
        await client.SendAsync("STARTTLS\r\nLOGOUT\r\n"u8.ToArray(), default);
        Assert.Equal("OK \"Begin TLS now\"", await clear.NextAsync());
        await using SslStream tls = new(client.AsStream(), leaveInnerStreamOpen: true, (_, _, _, _) => true);
        await tls.AuthenticateAsClientAsync("mx.example.org").WaitAsync(Patience);
        LineReader secret = new(tls);
        List<string> after = await secret.ToOkAsync();
        Assert.DoesNotContain("\"STARTTLS\"", after);
        Assert.Contains("\"SASL\" \"SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN\"", after);
        await tls.WriteAsync("STARTTLS\r\nAUTHENTICATE \"PLAIN\" \"AGFubgBubmE=\"\r\nLISTSCRIPTS\r\n"u8.ToArray());
        Assert.Equal("NO \"TLS is in use\"", await secret.NextAsync());
        Assert.Equal("OK \"Logged in\"", await secret.NextAsync());
        Assert.Equal("OK \"0 scripts\"", await secret.NextAsync());
    }

    private static async Task SendManyAsync(MemoryChannel client, string text, int times)
    {
        for (int i = 0; i < times; i++) await client.SendAsync(Encoding.ASCII.GetBytes(text), default);
    }
}

/// <summary>Reads lines one after another.</summary>
internal sealed class LineReader(Stream stream)
{
    private readonly List<byte> _pending = [];
    private readonly byte[] _buffer = new byte[16 * 1024];
    private int _start;

    public async Task<string> NextAsync()
    {
        while (true)
        {
            int at = _pending.IndexOf((byte)'\n', _start);
            if (at >= 0)
            {
                string line = Encoding.UTF8.GetString(_pending.GetRange(_start, at - _start).ToArray()).TrimEnd('\r');
                _start = at + 1;
                return line;
            }
            _pending.RemoveRange(0, _start);
            _start = 0;
            int read = await stream.ReadAsync(_buffer).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
            if (read == 0) throw new IOException("The server closed.");
            _pending.AddRange(_buffer.AsSpan(0, read));
        }
    }

    public async Task<List<string>> ToOkAsync()
    {
        List<string> lines = [];
        while (lines is not [.., ['O', 'K', ..]]) lines.Add(await NextAsync());
        return lines;
    }
}
