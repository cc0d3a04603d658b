using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Testing;

namespace Posthorn.Net.Tests;

/// <summary>The PROXY protocol, versions 1 and 2: the header, and listeners behind proxies.</summary>
public sealed class ProxyTests : IAsyncDisposable
{
    private static readonly byte[] Signature = "\r\n\r\n\0\r\nQUIT\n"u8.ToArray();
    private readonly ConnectionSet _connections = new(TimeProvider.System);

    public ValueTask DisposeAsync() => _connections.DisposeAsync();

    [Theory]
    [InlineData("PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\r\n", "192.0.2.1:4711", "192.0.2.2:25")]
    [InlineData("PROXY TCP6 2001:db8::1 2001:db8::2 4711 25\r\n", "[2001:db8::1]:4711", "[2001:db8::2]:25")]
    [InlineData("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 25\r\n", "192.0.2.1:1", "[2001:db8::2]:25")]
    [InlineData("PROXY UNKNOWN\r\n", null, null)]
    [InlineData("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", null, null)]
    public void Lines_of_version_1(string line, string? source, string? destination)
    {
        ProxyHeader? header = ProxyHeader.Read(Encoding.ASCII.GetBytes(line));
        Assert.NotNull(header);
        Assert.Equal((source, destination), (header.Source?.ToString(), header.Destination?.ToString()));
    }

    [Theory]
    [InlineData("PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n")]
    [InlineData("PROXY TCP4 192.0.2.1 192.0.2.2 4711 70000\r\n")]
    [InlineData("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n")]
    [InlineData("PROXY TCP4 3221225985 192.0.2.2 1 2\r\n")]
    [InlineData("PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n")]
    [InlineData("PROXY TCP6 fe80::1%1 2001:db8::2 1 2\r\n")]
    [InlineData("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n")]
    [InlineData("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n")]
    [InlineData("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n")]
    [InlineData("EHLO client.example.net\r\n")]
    [InlineData("PROXY UNKNOWN 01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r\n")]
    public void What_is_no_line_of_version_1(string line)
    {
        byte[] octets = Encoding.ASCII.GetBytes(line);
        Assert.Null(ProxyHeader.Read(octets));
        Assert.Contains(Enumerable.Range(0, octets.Length + 1), n => ProxyHeader.Wanted(octets.AsSpan(0, n)) == -1 || n == octets.Length && ProxyHeader.Wanted(octets) == 0);
    }

    [Fact]
    public void Headers_of_version_2()
    {
        byte[] v4 = [.. Signature, 0x21, 0x11, 0, 15, 192, 0, 2, 1, 192, 0, 2, 2, 0x12, 0x67, 0, 25, 4, 0, 0];
        Assert.Equal(("192.0.2.1:4711", "192.0.2.2:25"), (ProxyHeader.Read(v4)!.Source!.ToString(), ProxyHeader.Read(v4)!.Destination!.ToString()));
        byte[] v6 = [.. Signature, 0x21, 0x21, 0, 36, .. IPAddress.Parse("2001:db8::1").GetAddressBytes(), .. IPAddress.Parse("2001:db8::2").GetAddressBytes(), 0x12, 0x67, 0, 25];
        Assert.Equal("[2001:db8::1]:4711", ProxyHeader.Read(v6)!.Source!.ToString());
        Assert.Null(ProxyHeader.Read([.. Signature, 0x20, 0, 0, 0])!.Source); // LOCAL: a health check
        Assert.Null(ProxyHeader.Read([.. Signature, 0x21, 0x31, 0, 1, 0])!.Source); // a Unix socket
        Assert.Null(ProxyHeader.Read([.. Signature, 0x21, 0x11, 0, 4, 1, 2, 3, 4])); // addresses that are cut off
        Assert.Null(ProxyHeader.Read([.. Signature, 0x11, 0x11, 0, 0])); // another version
        Assert.Null(ProxyHeader.Read([.. Signature, 0x22, 0x11, 0, 0])); // another command
        Assert.Equal(-1, ProxyHeader.Wanted([.. Signature, 0x21, 0x11, 0xFF, 0xFF])); // more than anybody needs
    }

    /// <summary>Any octets: no exception, never asked for what is there already, and asked for one octet at a time it comes to the same.</summary>
    [Fact]
    public void Any_octets() => Gen.OneOf(
        Gen.Byte.Array[0, 200],
        Gen.Byte.Array[0, 80].Select(rest => (byte[])[.. Signature, .. rest]),
        Gen.Select(Gen.Byte.Array[0, 40], Gen.Int[0, 3], Gen.Int[0, 5]).Select((rest, command, family) => (byte[])[.. Signature, (byte)(0x20 | command), (byte)(family << 4 | 1), 0, (byte)rest.Length, .. rest]),
        Gen.String[Gen.Char["0123456789.: TCP46UNKNOWN\r\nabcdef"], 0, 110].Select(text => Encoding.ASCII.GetBytes("PROXY " + text))).Sample(octets =>
    {
        for (int n = 0; n <= octets.Length; n++)
        {
            int wanted = ProxyHeader.Wanted(octets.AsSpan(0, n));
            if (wanted > 0) continue;
            ProxyHeader? header = wanted < 0 ? null : ProxyHeader.Read(octets.AsSpan(0, n));
            // Reading as much as is asked for at once takes no octet more.
            int at = 0;
            while (at <= n && ProxyHeader.Wanted(octets.AsSpan(0, at)) is > 0 and int more) at += more;
            Assert.True(wanted < 0 || at == n, $"{at} of {n}");
            if (header is { Source: { } source, Destination: { } destination }) Assert.NotNull(source.Address.ToString() + destination.Port);
            return;
        }
    });

    [Fact]
    public async Task A_listener_believes_the_proxies_that_it_knows_and_tls_comes_behind_the_header()
    {
        using TemporaryFolder folder = new();
        (string certificate, string key) = TestCertificate.WritePem(TestCertificate.Shared, folder.Path);
        using TlsIdentity tls = TlsIdentity.Load(certificate, key, TimeProvider.System, NullLogger.Instance);
        await using Listener listener = Listener.Bind(new("imaps", new IPEndPoint(IPAddress.Loopback, 0), TlsMode.Implicit) { Proxies = new([IPNetwork.Parse("127.0.0.0/8")]) }, new SaysWho(), Services(tls));
        listener.Start();
        using TcpClient client = new();
        await client.ConnectAsync((IPEndPoint)listener.EndPoint, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync("PROXY TCP4 192.0.2.77 192.0.2.1 4711 993\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
#pragma warning disable CA5359 // The certificate is the test's own.
        await using SslStream secure = new(client.GetStream(), false, (_, _, _, _) => true);
#pragma warning restore CA5359
        await secure.AuthenticateAsClientAsync("mail.example.org");
        Assert.Equal("192.0.2.77:4711 at 192.0.2.1:993", await RestAsync(secure));
    }

    [Theory]
    [InlineData("PROXY TCP4 192.0.2.77 192.0.2.1 4711 25\r\n", "127.0.0.0/8", "192.0.2.77:4711 at 192.0.2.1:25")]
    [InlineData("PROXY UNKNOWN\r\n", "127.0.0.0/8", "0.0.0.0:0")] // not the proxy, which may be trusted for its address
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "127.0.0.0/8", "0.0.0.0:0")] // LOCAL
    [InlineData("EHLO x\r\n", "127.0.0.0/8", "")]
    [InlineData("PROXY TCP4 192.0.2.77 192.0.2.1 4711 25\r\n", "10.0.0.0/8", "127.0.0.1")]
    public async Task Only_named_networks_may_and_they_must(string header, string proxies, string expected)
    {
        await using Listener listener = Listener.Bind(new("smtp", new IPEndPoint(IPAddress.Loopback, 0), TlsMode.None) { Proxies = new([IPNetwork.Parse(proxies)]) }, new SaysWho(), Services());
        listener.Start();
        using TcpClient client = new();
        await client.ConnectAsync((IPEndPoint)listener.EndPoint, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(header), TestContext.Current.CancellationToken);
        string answer = await RestAsync(client.GetStream());
        if (expected.Length == 0) Assert.Equal("", answer);
        else Assert.StartsWith(expected, answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Limits_by_address_are_those_of_the_clients_behind_a_proxy()
    {
        ConnectionLimits limits = new() { Rate = new(2, TimeSpan.FromHours(1)) };
        await using Listener listener = Listener.Bind(new("smtp", new IPEndPoint(IPAddress.Loopback, 0), TlsMode.None) { Proxies = new([IPNetwork.Parse("127.0.0.0/8")]) }, new SaysWho(), Services(null, limits));
        listener.Start();
        List<string> answers = [];
        foreach (string address in (string[])["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:1::1"])
        {
            using TcpClient client = new();
            await client.ConnectAsync((IPEndPoint)listener.EndPoint, TestContext.Current.CancellationToken);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"PROXY TCP6 {address} 2001:db8::25 4711 25\r\n"), TestContext.Current.CancellationToken);
            answers.Add(await RestAsync(client.GetStream()));
        }
        Assert.Equal(["[2001:db8::1]:4711 at [2001:db8::25]:25", "[2001:db8::2]:4711 at [2001:db8::25]:25", "busy\r\n", "[2001:db8:1::1]:4711 at [2001:db8::25]:25"], answers);
    }

    [Fact]
    public async Task Health_checks_without_a_source_are_not_counted_by_address()
    {
        ConnectionLimits limits = new() { Rate = new(2, TimeSpan.FromHours(1)) };
        await using Listener listener = Listener.Bind(new("smtp", new IPEndPoint(IPAddress.Loopback, 0), TlsMode.None) { Proxies = new([IPNetwork.Parse("127.0.0.0/8")]) }, new SaysWho(), Services(null, limits));
        listener.Start();
        for (int i = 0; i < 5; i++)
        {
            using TcpClient client = new();
            await client.ConnectAsync((IPEndPoint)listener.EndPoint, TestContext.Current.CancellationToken);
            await client.GetStream().WriteAsync("PROXY UNKNOWN\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
            Assert.StartsWith("0.0.0.0:0", await RestAsync(client.GetStream()), StringComparison.Ordinal);
        }
    }

    private ListenerServices Services(TlsIdentity? tls = null, ConnectionLimits? limits = null) =>
        new(_connections, tls, limits ?? new(), () => new SessionId("s1"), TimeProvider.System, NullLogger.Instance);

    private static async Task<string> RestAsync(Stream stream)
    {
        using MemoryStream all = new();
        try { await stream.CopyToAsync(all).WaitAsync(TimeSpan.FromSeconds(60)); }
        catch (IOException) { /* reset: there was something that nobody read */ }
        return Encoding.ASCII.GetString(all.ToArray());
    }

    private sealed class SaysWho : IConnectionHandler
    {
        public ReadOnlyMemory<byte> BusyReply { get; } = "busy\r\n"u8.ToArray();

        public async Task ServeAsync(Connection connection, CancellationToken cancel)
        {
            connection.Output.Write(Encoding.ASCII.GetBytes($"{connection.RemoteEndPoint} at {connection.LocalEndPoint}"));
            await connection.Output.FlushAsync(cancel);
        }
    }
}
