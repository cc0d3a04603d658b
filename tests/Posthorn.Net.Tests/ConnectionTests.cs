using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Testing;

namespace Posthorn.Net.Tests;

public sealed class ConnectionTests
{
    private readonly FakeTimeProvider _time = new();

    private (MemoryChannel Client, Connection Server) Pair(ReadSplit split, int limit = 256)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(split);
        return (client, new(server, new SessionId("s1"), _time, limit));
    }

    public static IEnumerable<TheoryDataRow<int>> Splits => [new(0), new(1), new(2)];

    private static ReadSplit Split(int kind) => kind switch { 0 => ReadSplit.Whole, 1 => ReadSplit.Bytes, _ => ReadSplit.Random(7) };

    [Theory]
    [MemberData(nameof(Splits))]
    public async Task Lines_come_whole_however_they_were_cut(int kind)
    {
        (MemoryChannel client, Connection server) = Pair(Split(kind));
        await client.SendAsync(Encoding.ASCII.GetBytes("one\r\n\r\nthree\nfour\rstill four\r\n"), default);
        client.CloseWriting();
        Assert.Equal(["one", "", "three*", "four\rstill four"], await ReadAllAsync(server, 100));
    }

    [Theory]
    [MemberData(nameof(Splits))]
    public async Task A_line_over_the_limit_is_skipped_and_the_next_one_read(int kind)
    {
        (MemoryChannel client, Connection server) = Pair(Split(kind));
        await client.SendAsync(Encoding.ASCII.GetBytes(new string('x', 10) + "\r\n" + new string('y', 11) + "\r\n" + new string('z', 5000) + "\r\nlast\r\n"), default);
        client.CloseWriting();
        Assert.Equal([new string('x', 10), "TOO LONG", "TOO LONG", "last"], await ReadAllAsync(server, 10));
    }

    [Fact]
    public async Task The_buffer_never_holds_more_than_its_bound()
    {
        (MemoryChannel client, Connection server) = Pair(ReadSplit.Whole, limit: 128);
        await client.SendAsync(new byte[1000], default);
        while (!server.Input.IsFull) Assert.True(await server.Input.FillAsync(default));
        Assert.Equal(128, server.Input.Length);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await server.Input.FillAsync(default));
    }

    [Fact]
    public async Task A_passed_deadline_ends_reading_and_says_why_and_the_goodbye_still_goes_out()
    {
        (MemoryChannel client, Connection server) = Pair(ReadSplit.Whole);
        await using ConnectionSet all = new(_time);
        all.Add(server);
        server.SetDeadline(TimeSpan.FromMinutes(5));
        ValueTask<InputLine> reading = server.ReadLineAsync(100, default);
        _time.Advance(TimeSpan.FromMinutes(4));
        Assert.False(reading.IsCompleted);
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(LineStatus.Ended, (await reading).Status);
        Assert.Equal(StopReason.Timeout, server.Stopped);
        server.Output.Write("bye\r\n"u8);
        await server.Output.FlushAsync(default);
        byte[] buffer = new byte[10];
        Assert.Equal(5, await client.ReceiveAsync(buffer, default));
    }

    [Fact]
    public async Task A_goodbye_that_nobody_reads_is_broken_off_though_the_deadline_has_ended_reading_before()
    {
        (MemoryChannel _, MemoryChannel channel) = MemoryChannel.Pair(ReadSplit.Whole, window: 16);
        Connection server = new(channel, new SessionId("s1"), _time, 256);
        await using ConnectionSet all = new(_time);
        all.Add(server);
        server.SetDeadline(TimeSpan.FromMinutes(5));
        _time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(StopReason.Timeout, server.Stopped);
        server.Output.Write(new byte[100]);
        server.SetDeadline(TimeSpan.FromSeconds(5));
        ValueTask flushing = server.Output.FlushAsync(default);
        Assert.False(flushing.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(10));
        await Assert.ThrowsAsync<IOException>(async () => await flushing.AsTask().WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task Stopping_all_waits_for_goodbyes_and_breaks_who_stays()
    {
        (MemoryChannel _, Connection polite) = Pair(ReadSplit.Whole);
        (MemoryChannel _, Connection stubborn) = Pair(ReadSplit.Whole);
        ConnectionSet all = new(_time);
        all.Add(polite);
        all.Add(stubborn);
        Task stopping = all.StopAllAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(StopReason.Shutdown, polite.Stopped);
        all.Remove(polite);
        Assert.False(stopping.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(6));
        await stopping;
        await Assert.ThrowsAsync<IOException>(async () =>
        {
            stubborn.Output.Write("x"u8);
            await stubborn.Output.FlushAsync(default);
        });
    }

    [Fact]
    public void Connections_are_counted_by_address_and_an_ipv6_network_counts_as_one()
    {
        ConnectionSet all = new(_time);
        foreach (string address in (string[])["192.0.2.10", "192.0.2.10", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"])
            all.Add(new(MemoryChannel.Pair(ReadSplit.Whole, clientAddress: address).Server, new SessionId(address), _time));
        Assert.Equal(2, all.CountFrom(System.Net.IPAddress.Parse("192.0.2.10")));
        Assert.Equal(2, all.CountFrom(System.Net.IPAddress.Parse("2001:db8::9")));
        Assert.Equal(0, all.CountFrom(System.Net.IPAddress.Parse("192.0.2.11")));
        Assert.Equal(5, all.Count);
    }

    private static async Task<List<string>> ReadAllAsync(Connection server, int limit)
    {
        List<string> lines = [];
        while (true)
        {
            InputLine line = await server.ReadLineAsync(limit, default);
            if (line.Status == LineStatus.Ended) return lines;
            lines.Add(line.Status == LineStatus.TooLong ? "TOO LONG" : Encoding.ASCII.GetString(line.Bytes.Span) + (line.EndsInBareLf ? "*" : ""));
        }
    }
}
