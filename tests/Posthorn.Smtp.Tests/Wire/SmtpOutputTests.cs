using System.Text;
using Posthorn.Net;
using Posthorn.Smtp.Wire;
using Posthorn.Testing;
using Posthorn.Transport;

namespace Posthorn.Smtp.Tests.Wire;

public sealed class SmtpOutputTests
{
    [Fact]
    public Task OneLine() => WritesAsync(new(250, "2.0.0", "Ok"), "250 2.0.0 Ok\r\n");

    [Fact]
    public Task SeveralLinesCarryCodeAndStatus() => WritesAsync(new(550, "5.7.1", "one\ntwo\n"), "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 \r\n");

    [Fact]
    public Task WithoutStatus() => WritesAsync(new(354, "", ""), "354 \r\n");

    /// <summary>Texts may quote what a remote server or a peer has said: they cannot end the line or start another reply.</summary>
    [Fact]
    public Task NothingInATextEndsTheLine() => WritesAsync(new(550, "5.1.1", "a\r250 b\0c\tä"), "550 5.1.1 a?250 b?c??\r\n");

    /// <summary>RFC 5321 section 4.5.3.1.5: reply lines have 512 octets at most.</summary>
    [Theory]
    [InlineData(480, 1)]
    [InlineData(481, 2)]
    [InlineData(5000, 11)]
    public async Task LongTextsAreCut(int length, int lines)
    {
        string written = await WriteAsync(new(550, "5.7.100", new string('x', length)));
        string[] each = written.Split("\r\n")[..^1];
        Assert.Equal(lines, each.Length);
        Assert.All(each, line => Assert.InRange(line.Length, 12, 510));
        Assert.Equal(length, written.Count(c => c == 'x'));
        Assert.StartsWith("550 ", each[^1], StringComparison.Ordinal);
    }

    private static async Task WritesAsync(SmtpReply reply, string expected) => Assert.Equal(expected, await WriteAsync(reply));

    private static async Task<string> WriteAsync(SmtpReply reply)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(ReadSplit.Whole);
        Connection connection = new(server, new("s"), TimeProvider.System);
        connection.Output.Write(reply);
        await connection.Output.FlushAsync(CancellationToken.None);
        await connection.DisposeAsync();
        byte[] buffer = new byte[10_000];
        int length = await client.ReceiveAsync(buffer, CancellationToken.None);
        await client.DisposeAsync();
        return Encoding.Latin1.GetString(buffer, 0, length);
    }
}
