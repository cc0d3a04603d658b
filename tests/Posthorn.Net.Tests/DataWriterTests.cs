using System.Text;
using CsCheck;
using Posthorn.Core;
using Posthorn.Testing;

namespace Posthorn.Net.Tests;

public sealed class DataWriterTests
{
    [Theory]
    [InlineData("", ".\r\n")]
    [InlineData("a\r\n", "a\r\n.\r\n")]
    [InlineData("a", "a\r\n.\r\n")]
    [InlineData(".\r\n..\r\na.b\r\n", "..\r\n...\r\na.b\r\n.\r\n")]
    [InlineData("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n")]
    [InlineData("a\r.\rb\r\n", "a . b\r\n.\r\n")]
    [InlineData("a\r\n.\r", "a\r\n..\r\n.\r\n")]
    public void Dots_are_doubled_and_line_ends_mended(string content, string expected) => Assert.Equal(expected, Write(content, int.MaxValue));

    [Fact]
    public void No_split_makes_a_difference_and_nothing_can_be_smuggled() =>
        Gen.Select(Gen.OneOf("a", ".", "\r", "\n", "\r\n", "bcd").Array[0, 30], Gen.Int[1, 5]).Sample((parts, piece) =>
        {
            string written = Write(string.Concat(parts), piece);
            Assert.Equal(Write(string.Concat(parts), int.MaxValue), written);
            Assert.EndsWith(".\r\n", written, StringComparison.Ordinal);
            string[] lines = written[..^3].Split("\r\n");
            Assert.All(lines, line => Assert.True(line != "." && !line.Contains('\r') && !line.Contains('\n')));
        }, iter: 5000);

    private static string Write(string content, int piece)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(ReadSplit.Whole);
        Connection connection = new(client, new SessionId("t"), TimeProvider.System);
        DataWriter writer = new(connection.Output);
        byte[] bytes = Encoding.ASCII.GetBytes(content);
        for (int at = 0; at < bytes.Length; at += Math.Min(piece, bytes.Length)) writer.Write(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)));
        writer.Finish();
        connection.Output.FlushAsync(default).AsTask().GetAwaiter().GetResult();
        byte[] sent = new byte[4096];
        int read = server.ReceiveAsync(sent, default).AsTask().GetAwaiter().GetResult();
        return Encoding.ASCII.GetString(sent, 0, read);
    }
}
