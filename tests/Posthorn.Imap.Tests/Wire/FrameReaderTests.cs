using Microsoft.Extensions.Time.Testing;
using Posthorn.Imap.Wire;
using Posthorn.Net;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Wire;

public sealed class FrameReaderTests
{
    [Fact]
    public async Task A_large_message_passes_through_in_pieces()
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(ReadSplit.Whole, window: 64 * 1024);
        await using Connection connection = new(server, new("s"), new FakeTimeProvider());
        using FrameReader frames = new(connection, new() { HostName = "test" }, _ => true, connection.Input.FillAsync);
        const int Size = 20 * 1024 * 1024;
        Task sending = SendAsync(client, Size);
        Frame frame = await frames.ReadAsync(default);
        Assert.Equal((FrameStatus.Message, (long)Size), (frame.Status, frame.Literal.Length));
        Collector sink = new() { Keeps = false };
        Assert.True(await frames.CopyLiteralAsync(frame.Literal, sink, default));
        Assert.Equal(FrameStatus.Command, (await frames.ReadRestAsync(default)).Status);
        await sending;
        Assert.Equal(Size, sink.Length);
        Assert.InRange(sink.LargestWrite, 1, Connection.DefaultInputLimit);
        await client.DisposeAsync();
    }

    private static async Task SendAsync(MemoryChannel client, int size)
    {
        await client.SendAsync(System.Text.Encoding.ASCII.GetBytes($"a APPEND x {{{size}+}}\r\n"), default);
        byte[] piece = new byte[1 << 16];
        for (int sent = 0; sent < size; sent += piece.Length) await client.SendAsync(piece, default);
        await client.SendAsync("\r\n"u8.ToArray(), default);
    }
}
