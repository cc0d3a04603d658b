using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Testing;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>Tables in Postfix's transport(5) format: their values, and when they are asked.</summary>
public sealed class TransportTableTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("smtp:[mail.example.net]", "mail.example.net", 25, false)]
    [InlineData("relay:[mail.example.net]:587", "mail.example.net", 587, false)]
    [InlineData(":[192.0.2.1]:submission", "192.0.2.1", 587, false)]
    [InlineData("SMTP:[ipv6:2001:db8::1]:2525", "2001:db8::1", 2525, false)]
    [InlineData("smtp:example.net", "example.net", 25, true)]
    [InlineData("smtp:example.net:2525", "example.net", 2525, true)]
    public void Hosts(string value, string name, int port, bool byMx) => Assert.Equal(new NextHop.Host(name, port) { IsByMx = byMx }, TransportEntry.Read(value));

    [Theory]
    [InlineData(":")]
    [InlineData("smtp:")]
    public void The_recipients_own_servers(string value) => Assert.Equal(new NextHop.Mx(), TransportEntry.Read(value));

    [Fact]
    public void Lmtp()
    {
        Assert.Equal(new UnixDomainSocketEndPoint("/run/dovecot/lmtp"), Assert.IsType<NextHop.Lmtp>(TransportEntry.Read("lmtp:unix:/run/dovecot/lmtp")).EndPoint);
        Assert.Equal(IPEndPoint.Parse("127.0.0.1:2424"), Assert.IsType<NextHop.Lmtp>(TransportEntry.Read("lmtp:inet:127.0.0.1:2424")).EndPoint);
        Assert.Equal(new DnsEndPoint("store.example.net", 24), Assert.IsType<NextHop.Lmtp>(TransportEntry.Read("lmtp:[store.example.net]")).EndPoint);
    }

    [Theory]
    [InlineData("error:5.1.2 no such place", "550 5.1.2 no such place")]
    [InlineData("error:mailbox closed", "550 5.0.0 mailbox closed")]
    [InlineData("error:", "550 5.0.0 Mail for this recipient is not delivered")]
    [InlineData("retry:4.4.1 the line is down", "450 4.4.1 the line is down")]
    [InlineData("retry:5.4.1 is no code of this class", "450 4.0.0 5.4.1 is no code of this class")]
    [InlineData("nothing", "451 4.3.5 The transport table says \"nothing\": expected transport:nexthop")]
    [InlineData("maildrop:", "451 4.3.5 The transport table says \"maildrop:\": there is no transport maildrop here")]
    [InlineData("smtp:[", "451 4.3.5 The transport table says \"smtp:[\": expected a domain, or [a host], with a port or without")]
    [InlineData("smtp:[]:25", "451 4.3.5 The transport table says \"smtp:[]:25\": expected a domain, or [a host], with a port or without")]
    [InlineData("smtp:example.net:70000", "451 4.3.5 The transport table says \"smtp:example.net:70000\": expected a domain, or [a host], with a port or without")]
    [InlineData("lmtp:unix:", "451 4.3.5 The transport table says \"lmtp:unix:\": expected lmtp:unix:/path or lmtp:inet:host:port")]
    public void Refusals(string value, string reply) => Assert.Equal(reply, Assert.IsType<NextHop.Refuse>(TransportEntry.Read(value)).Reply.ToString());

    [Fact]
    public async Task Tables_are_asked_after_routes_and_before_the_relay_host()
    {
        MailRouter router = Router("ann@far.example smtp:[one]\nfar.example smtp:[two]\n.far.example smtp:[three]\nplain.example :\n",
            new() { Routes = [new("routed.far.example", new NextHop.Host("route", 25))], Relay = new NextHop.Host("relay", 25) });
        Assert.Equal("one", await HostAsync("ann@far.example"));
        Assert.Equal("two", await HostAsync("x@far.example"));
        Assert.Equal("three", await HostAsync("x@sub.far.example"));
        Assert.Equal("route", await HostAsync("x@routed.far.example"));
        Assert.Equal("relay", await HostAsync("x@other.example"));
        Assert.IsType<NextHop.Mx>(await HopAsync("x@plain.example"));
        Assert.IsType<Route.Local>(await router.FindAsync(EmailAddress.Parse("ann@example.org"), ReversePath.Null, TestContext.Current.CancellationToken));

        ValueTask<NextHop> HopAsync(string to) => router.HopOfAsync(EmailAddress.Parse(to), ReversePath.Null, TestContext.Current.CancellationToken);
        async Task<string> HostAsync(string to) => Assert.IsType<NextHop.Host>(await HopAsync(to)).Name;
    }

    [Fact]
    public async Task A_domain_without_brackets_is_looked_up()
    {
        FakeDns dns = new();
        dns.Mx["hub.example"] = [new(10, "mx.hub.example")];
        MailRouter router = Router("* smtp:hub.example:2525\n", new(), dns);
        Route.Hosts hosts = Assert.IsType<Route.Hosts>(await router.FindAsync(EmailAddress.Parse("x@far.example"), ReversePath.Null, TestContext.Current.CancellationToken));
        Assert.Equal(["mx.hub.example"], hosts.Names);
        Assert.Equal(2525, hosts.Port);
    }

    [Fact]
    public async Task A_table_that_cannot_be_read_lets_mail_wait()
    {
        MailRouter router = Router(null, new());
        Route.None none = Assert.IsType<Route.None>(await router.FindAsync(EmailAddress.Parse("x@far.example"), ReversePath.Null, TestContext.Current.CancellationToken));
        Assert.Equal(451, none.Reply.Code);
    }

    private MailRouter Router(string? table, OutboundOptions outbound, FakeDns? dns = null)
    {
        string path = table is null ? Path.Combine(_folder.Path, "missing") : _folder.Write("transport", table);
        LookupTables tables = new(new() { Tables = new Dictionary<string, LookupSource> { ["transport"] = new(LookupType.Hash, path) } }, TimeProvider.System, NullLogger.Instance);
        TransportOptions options = new() { Hostname = "mail.example.org", Outbound = outbound with { TransportTables = ["transport"] } };
        return new(dns ?? new(), new FakeDirectory(), () => options, tables);
    }
}
