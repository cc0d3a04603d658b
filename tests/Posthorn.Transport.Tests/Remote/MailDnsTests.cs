using System.Net;
using System.Net.Sockets;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Testing;
using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>The real resolver and the real connector, against servers on loopback.</summary>
public sealed class MailDnsTests
{
    [Fact]
    public async Task Questions_are_asked_and_answers_told_apart()
    {
        await using DnsServer server = new();
        server.Mx("two.example", 20, "b.example").Mx("two.example", 10, "a.example").Mx("null.example", 0, ".").Address("plain.example", "192.0.2.5")
            .Address("both.example", "192.0.2.6").Address("both.example", "2001:db8::6").Cname("alias.example", "both.example").Fail("broken.example");
        MailDns dns = new([server.EndPoint]);

        MxAnswer two = await dns.FindMxAsync(DomainName.Create("two.example"), default);
        Assert.Equal(DnsStatus.Found, two.Status);
        Assert.Equal([new(10, "a.example"), new(20, "b.example")], two.Hosts.OrderBy(host => host.Preference));
        MxAnswer none = await dns.FindMxAsync(DomainName.Create("null.example"), default);
        Assert.Equal(new MxHost(0, "."), Assert.Single(none.Hosts));
        Assert.Equal(DnsStatus.NoData, (await dns.FindMxAsync(DomainName.Create("plain.example"), default)).Status);
        Assert.Equal(DnsStatus.NoDomain, (await dns.FindMxAsync(DomainName.Create("missing.example"), default)).Status);
        Assert.Equal(DnsStatus.Failed, (await dns.FindMxAsync(DomainName.Create("broken.example"), default)).Status);
        Assert.Equal([IPAddress.Parse("2001:db8::6")], (await dns.FindAddressesAsync("both.example", AddressFamily.InterNetworkV6, default)).Addresses);
        Assert.Equal([IPAddress.Parse("192.0.2.6")], (await dns.FindAddressesAsync("alias.example", AddressFamily.InterNetwork, default)).Addresses);
        Assert.Equal(DnsStatus.NoData, (await dns.FindAddressesAsync("plain.example", AddressFamily.InterNetworkV6, default)).Status);
    }

    [Fact]
    public async Task Sockets_connect_or_say_why_not()
    {
        await using ScriptedPeer peer = new();
        SocketConnector connector = new();
        await using (ByteChannel channel = await connector.ConnectAsync(peer.Listen(), IPAddress.Loopback, default))
        {
            byte[] greeting = new byte[4];
            Assert.Equal(4, await channel.ReceiveAsync(greeting, default));
            Assert.Equal("220 "u8.ToArray(), greeting);
        }
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // bound, but nobody listens
        await Assert.ThrowsAsync<IOException>(async () => await connector.ConnectAsync(taken.LocalEndPoint!, null, default));
    }
}
