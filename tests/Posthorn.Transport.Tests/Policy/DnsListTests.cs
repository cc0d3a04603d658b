using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Transport.Policy;
using Posthorn.Transport.Policy.Rules;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Tests.Fakes;
using Posthorn.Trust.Dane;

namespace Posthorn.Transport.Tests.Policy;

/// <summary>DNS lists whose answers come from many threads, late, or never.</summary>
public sealed class DnsListTests
{
    private const int Count = 300;
    private readonly FakeTimeProvider _time = new();
    private readonly List<CheckRemark> _remarks = [];

    [Fact]
    public async Task Answers_that_come_at_once_from_everywhere_are_told_one_by_one_and_in_order()
    {
        using SlowDns dns = new();
        DnsList[] lists = [.. Enumerable.Range(0, Count).Select(i => DnsList.Read($"{(i % 3 == 0 ? "client-name:" : "")}l{i}.example")!)];
        foreach (DnsList list in lists) dns.Inner.Hosts[list.Subject == DnsListSubject.ClientName ? $"client.example.net.{list.Zone}" : $"7.100.51.198.{list.Zone}"] = [IPAddress.Parse("127.0.0.2")];
        dns.Inner.Names[TransportRig.Stranger.Address] = ["client.example.net"];
        dns.Inner.Hosts["client.example.net"] = [TransportRig.Stranger.Address];
        await using SessionChecks checks = Open(new IsListed(lists, Count), dns);
        Task<SmtpReply?> reply = checks.ConnectAsync(default).AsTask();
        await dns.AskedAsync(Count);
        dns.Release();
        Assert.Equal(554, (await reply.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken))?.Code);
        Assert.Equal(lists.Select(list => list.Zone), _remarks.Where(remark => !remark.IsDecision).Select(remark => remark.By));
        Assert.Equal(1, dns.NamesAsked);
    }

    [Fact]
    public async Task A_list_that_is_late_counts_nothing_and_is_waited_for_once()
    {
        using SlowDns dns = new();
        await using SessionChecks checks = Open(new IsListed([DnsList.Read("slow.example")!, DnsList.Read("dead.example")!], 1), dns);
        Task<SmtpReply?> reply = checks.ConnectAsync(default).AsTask();
        await dns.AskedAsync(2);
        Assert.False(reply.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Null(await reply.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken));
        Assert.Equal(["the list does not answer", "the list does not answer"], _remarks.Select(remark => remark.Text));
        Assert.Null(await checks.ConnectAsync(default)); // no clock moves here
        dns.Release();
    }

    private SessionChecks Open(IsListed condition, SlowDns dns)
    {
        Rule rule = new() { Place = "rules:1", Stage = CheckStage.Connect, Conditions = [condition], Action = new FixedAction(new PolicyAction.Refuse(new(554, "5.7.1", "Listed"))) };
        CheckSet set = new([new RuleSet([rule], new(new FakeDirectory(), dns) { Time = _time })], new(dns, _time));
        return SessionChecks.Open(set, TransportRig.Stranger, NullLogger.Instance, _remarks)!;
    }

    // Answers on threads of their own, all at once, when it is told to.
    private sealed class SlowDns : IMailDns, IDisposable
    {
        private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly SemaphoreSlim _asked = new(0);
        private int _names;

        public FakeDns Inner { get; } = new();
        public int NamesAsked => _names;

        public void Release() => _go.TrySetResult();

        public void Dispose() => _asked.Dispose();

        public async Task AskedAsync(int count)
        {
            for (int i = 0; i < count; i++) Assert.True(await _asked.WaitAsync(TimeSpan.FromSeconds(60)));
        }

        public async ValueTask<AddressAnswer> FindAddressesAsync(string host, AddressFamily family, CancellationToken cancel)
        {
            if (host == "client.example.net") return await Inner.FindAddressesAsync(host, family, cancel);
            _asked.Release();
            await _go.Task;
            return await Inner.FindAddressesAsync(host, family, cancel);
        }

        public async ValueTask<NameAnswer> FindNamesAsync(IPAddress address, CancellationToken cancel)
        {
            Interlocked.Increment(ref _names);
            await Task.Yield();
            return await Inner.FindNamesAsync(address, cancel);
        }

        public bool CanValidate => Inner.CanValidate;
        public ValueTask<MxAnswer> FindMxAsync(DomainName domain, CancellationToken cancel) => Inner.FindMxAsync(domain, cancel);
        public ValueTask<TlsaAnswer> FindTlsaAsync(string name, CancellationToken cancel) => Inner.FindTlsaAsync(name, cancel);
        public ValueTask<TextAnswer> FindTextAsync(string name, CancellationToken cancel) => Inner.FindTextAsync(name, cancel);
        public ValueTask<bool> IsSecureAliasAsync(string name, CancellationToken cancel) => Inner.IsSecureAliasAsync(name, cancel);
    }
}
