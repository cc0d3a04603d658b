using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Testing;

namespace Posthorn.Net.Tests;

public sealed class ConnectionSharesTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly ConnectionShare Imap = new("imap", NeedsLogin: true), Pop3 = new("pop3", NeedsLogin: true), Smtp = new("smtp", NeedsLogin: false);

    private readonly FakeTimeProvider _time = new();
    private readonly ConnectionSet _all;

    public ConnectionSharesTests() => _all = new(_time);

    public ValueTask DisposeAsync() => _all.DisposeAsync();

    [Fact]
    public void Clients_without_a_login_have_a_part_for_each_protocol()
    {
        ConnectionLimits limits = new() { BeforeLogin = 2 };
        Connection first = Come(), second = Come();
        Assert.True(_all.TryAdd(first, Imap, limits));
        Assert.True(_all.TryAdd(second, Imap, limits));
        Assert.False(_all.TryAdd(Come(), Imap, limits));
        Assert.True(_all.TryAdd(Come(), Pop3, limits));
        first.StillHolds = () => true; // logged in
        Assert.True(_all.TryAdd(Come(), Imap, limits));
        Assert.False(_all.TryAdd(Come(), Imap, limits));
        _all.Remove(second);
        Assert.True(_all.TryAdd(Come(), Imap, limits));
    }

    [Fact]
    public void Whoever_waited_longest_without_a_login_makes_room()
    {
        ConnectionLimits limits = new() { BeforeLogin = 2, LoginGrace = TimeSpan.FromSeconds(10) };
        Connection user = Come(), first = Come(), second = Come();
        Assert.True(_all.TryAdd(user, Imap, limits));
        user.StillHolds = () => true;
        Assert.True(_all.TryAdd(first, Imap, limits));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.True(_all.TryAdd(second, Imap, limits));
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.True(_all.TryAdd(Come(), Imap, limits));
        Assert.Equal([StopReason.None, StopReason.Timeout, StopReason.None], [user.Stopped, first.Stopped, second.Stopped]);
        Assert.False(_all.TryAdd(Come(), Imap, limits)); // the second has waited for six seconds only
        Assert.Equal(StopReason.None, second.Stopped);
    }

    [Fact]
    public void Who_logs_out_waits_again()
    {
        ConnectionLimits limits = new() { BeforeLogin = 1 };
        Connection connection = Come();
        Assert.True(_all.TryAdd(connection, Imap, limits));
        connection.StillHolds = () => true;
        connection.StillHolds = null;
        Assert.False(_all.TryAdd(Come(), Imap, limits));
    }

    [Fact]
    public void Mail_transfer_has_its_part_and_leaves_others_theirs()
    {
        ConnectionLimits limits = new() { Total = 4, Transfer = 1, BeforeLogin = 4 };
        for (int i = 0; i < 3; i++) Assert.True(_all.TryAdd(Come(), i == 0 ? Pop3 : Imap, limits));
        Assert.False(_all.TryAdd(Come(), Imap, limits));
        Assert.False(_all.TryAdd(Come(), null, limits));
        Connection mail = Come();
        Assert.True(_all.TryAdd(mail, Smtp, limits));
        Assert.False(_all.TryAdd(Come(), Smtp, limits));
        _all.Remove(mail);
        Assert.True(_all.TryAdd(Come(), Smtp, limits));
    }

    [Fact]
    public void A_small_total_leaves_everybody_a_place()
    {
        ConnectionLimits limits = new() { Total = 2 };
        Assert.True(_all.TryAdd(Come(), Smtp, limits));
        Assert.True(_all.TryAdd(Come(), Imap, limits));
        Assert.False(_all.TryAdd(Come(), Imap, limits));
    }

    [Theory]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:2::1", true)]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:200::1", false)]
    public void Larger_networks_of_ipv6_are_counted_too(string first, string second, bool isSame56)
    {
        ConnectionLimits by56 = new() { Per56 = 1 }, by48 = new() { Per48 = 1 };
        Connection connection = Come(first);
        Assert.True(_all.TryAdd(connection, Imap, by56));
        Assert.Equal(isSame56, _all.IsFull(IPAddress.Parse(second), by56));
        Assert.True(_all.IsFull(IPAddress.Parse(second), by48));
        Assert.False(_all.IsFull(IPAddress.Parse("2001:db8:1::1"), by48));
        _all.Remove(connection);
        Assert.False(_all.IsFull(IPAddress.Parse(second), by48));
    }

    [Fact]
    public async Task Nothing_lengthens_the_time_for_a_login()
    {
        Connection slow = Come(), quick = Come();
        Assert.True(_all.TryAdd(slow, Imap, new()));
        Assert.True(_all.TryAdd(quick, Imap, new()));
        slow.MustLogInWithin(TimeSpan.FromMinutes(3));
        quick.MustLogInWithin(TimeSpan.FromMinutes(3));
        quick.StillHolds = () => true;
        for (int i = 0; i < 4; i++)
        {
            slow.SetDeadline(TimeSpan.FromMinutes(10));
            quick.SetDeadline(TimeSpan.FromMinutes(10));
            _time.Advance(TimeSpan.FromMinutes(1));
        }
        Assert.Equal(StopReason.Timeout, slow.Stopped);
        Assert.Equal(StopReason.None, quick.Stopped);
        Assert.Equal(LineStatus.Ended, (await slow.ReadLineAsync(100, default)).Status);
    }

    [Fact]
    public async Task A_peer_that_never_pauses_is_not_heard_after_the_end()
    {
        using Socket listening = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listening.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listening.Listen();
        using Socket peer = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await peer.ConnectAsync(listening.LocalEndPoint!);
        await using Connection connection = new(new SocketChannel(await listening.AcceptAsync()), new SessionId("s1"), _time);
        byte[] lines = new byte[64 * 1024];
        "NOOP\r\n"u8.CopyTo(lines.AsSpan(lines.Length - 6));
        Task talking = Task.Run(async () =>
        {
            try { while (true) await peer.SendAsync(lines); }
            catch (SocketException) { /* it was cut off */ }
        });
        for (int i = 0; i < 10; i++) Assert.Equal(LineStatus.Complete, (await connection.ReadLineAsync(100_000, default)).Status);
        connection.Stop(StopReason.Revoked);
        int heard = 0;
        while ((await connection.ReadLineAsync(100_000, default).AsTask().WaitAsync(Patience)).Status != LineStatus.Ended) Assert.InRange(++heard, 0, 3);
        await connection.DisposeAsync();
        await talking.WaitAsync(Patience);
    }

    private Connection Come(string address = "192.0.2.7") => new(MemoryChannel.Pair(ReadSplit.Whole, clientAddress: address).Server, new SessionId("s"), _time);
}
