using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Testing;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;

namespace Posthorn.Transport.Tests.Remote;

/// <summary>Each recipient goes to its own next hop, whatever else goes to its domain (RFC 5321 section 5.1).</summary>
public sealed class HopTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private OutboundRig Rig(string table, Func<OutboundOptions, OutboundOptions>? change = null)
    {
        LookupTables tables = new(new() { Tables = new Dictionary<string, LookupSource> { ["transport"] = new(LookupType.Hash, _folder.Write("transport", table)) } }, TimeProvider.System, NullLogger.Instance);
        return new(options => options with { Outbound = (change is null ? options.Outbound : change(options.Outbound)) with { TransportTables = ["transport"], KeepIdle = TimeSpan.FromSeconds(2) } }, tables: tables);
    }

    private static string[] Took(ScriptedPeer peer) => [.. peer.Messages.SelectMany(message => message.To).Select(to => to.Split(' ')[0]).Order(StringComparer.Ordinal)];

    [Theory]
    [InlineData(true, "ann@far.example", "bob@far.example")]
    [InlineData(true, "bob@far.example", "ann@far.example")]
    [InlineData(false, "ann@far.example", "bob@far.example")]
    [InlineData(false, "bob@far.example", "ann@far.example")]
    public async Task Entries_for_single_users_count_for_them_alone(bool together, string first, string second)
    {
        await using OutboundRig rig = Rig("ann@far.example smtp:[one.example]\nfar.example smtp:[two.example]\n");
        rig.Dns.Hosts["one.example"] = [IPAddress.Parse("203.0.113.1")];
        rig.Dns.Hosts["two.example"] = [IPAddress.Parse("203.0.113.2")];
        ScriptedPeer one = rig.AddPeer("203.0.113.1"), two = rig.AddPeer("203.0.113.2");
        if (together) await rig.SendAsync(first, second);
        else
        {
            await rig.SendAsync(first);
            await rig.UntilAsync(() => rig.Rig.Queue.Count == 0 && rig.Idle == 1, "a connection at rest");
            await rig.SendAsync(second);
        }
        await rig.UntilEmptyAsync();
        Assert.Equal(["<ann@far.example>"], Took(one));
        Assert.Equal(["<bob@far.example>"], Took(two));
    }

    [Theory]
    [InlineData("gone@far.example", "ann@far.example")]
    [InlineData("ann@far.example", "gone@far.example")]
    public async Task A_refusal_counts_for_whom_it_is_meant(string first, string second)
    {
        await using OutboundRig rig = Rig("gone@far.example error:5.1.1 gone\n");
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "far.example");
        await rig.SendAsync(first, second);
        await rig.UntilEmptyAsync();
        Assert.Equal(["<ann@far.example>"], Took(peer));
        string report = Assert.Single(await rig.Rig.MailAsync(rig.Rig.Ann));
        Assert.Contains("gone@far.example", report, StringComparison.Ordinal);
        Assert.DoesNotContain("Final-Recipient: rfc822; ann@far.example", report, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_lmtp_server_may_be_named()
    {
        await using OutboundRig rig = Rig("far.example lmtp:inet:store.example:2424\n");
        rig.Dns.Hosts["store.example"] = [IPAddress.Parse("203.0.113.1")];
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", peer: new() { IsLmtp = true });
        await rig.SendAsync("ann@far.example");
        await rig.UntilEmptyAsync();
        Assert.Equal(["<ann@far.example>"], Took(peer));
    }

    [Fact]
    public async Task Mail_that_the_administrator_holds_back_does_not_leave_by_the_fallback()
    {
        await using OutboundRig rig = Rig("far.example retry:4.4.1 the line is down\n", outbound => outbound with { Fallback = new NextHop.Host("fallback.example", 25) });
        rig.Dns.Hosts["fallback.example"] = [IPAddress.Parse("203.0.113.1")];
        ScriptedPeer peer = rig.AddPeer("203.0.113.1");
        await rig.SendAsync("ann@far.example");
        await rig.UntilWaitingAsync(1, 1);
        Assert.Equal(0, peer.ConnectionCount);
        Assert.Equal("450 4.4.1 the line is down", Assert.Single(rig.Rig.Queued).LastReply(0)!.ToString());
    }

    [Theory]
    [InlineData("x@local")]
    [InlineData("x@LOCAL")]
    public async Task A_foreign_domain_is_none_of_our_own_keys(string recipient)
    {
        await using OutboundRig rig = Rig("");
        ScriptedPeer peer = rig.AddPeer("203.0.113.1", "local");
        await rig.SendAsync(recipient);
        await rig.UntilEmptyAsync();
        Assert.Single(peer.Messages);
    }
}
