using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Core;
using Posthorn.Directory.Lookups;
using Posthorn.Net;
using Posthorn.Testing;
using Posthorn.Transport.Accept;
using Posthorn.Transport.Queue;
using Posthorn.Transport.Remote;
using Posthorn.Transport.Remote.Security;

namespace Posthorn.Transport.Tests.Fakes;

/// <summary>A transport with its queue at work, a DNS and scripted servers at addresses. The clock stands still unless a test moves it.</summary>
internal sealed class OutboundRig : ISmtpConnector, IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly Dictionary<string, ScriptedPeer> _peers = [];
    private readonly ConcurrentQueue<string> _dialled = new();
    private readonly QueueRunner _runner;
    private readonly TemporaryFolder _folder = new();

    public OutboundRig(Func<TransportOptions, TransportOptions>? change = null, IHttpsClient? https = null, IDeliveryPlanner? planner = null, LookupTables? tables = null)
    {
        TransportOptions options = new() { Hostname = "mail.example.org", OwnEndPoints = [new(IPAddress.Parse("192.0.2.1"), 25)] };
        Rig = new(change is null ? options : change(options), planner, tables: tables);
        Tally = new(Path.Combine(_folder.Path, "reports"), Rig.Time, NullLogger.Instance);
        StsPolicies? sts = https is null ? null : new(Dns, https, () => Rig.Transport.Options, Path.Combine(_folder.Path, "sts"), Rig.Time, NullLogger.Instance);
        _runner = new(Rig.Transport, Dns, this, sts, Tally);
        _runner.Start();
    }

    /// <summary>For a hop whose server shows the kit's certificate: it is known by that.</summary>
    public static TlsPolicy Known { get; } = new(OutboundTls.Fingerprint) { Fingerprints = [Convert.ToHexString(SHA256.HashData(TestCertificate.Shared.RawData))] };

    public TransportRig Rig { get; }
    public FakeDns Dns { get; } = new();
    public TlsTally Tally { get; }

    /// <summary>A family of addresses to which there is no way.</summary>
    public AddressFamily NoWayTo { get; set; } = AddressFamily.Unspecified;

    /// <summary>The addresses that were dialled, in order.</summary>
    public IReadOnlyList<string> Dialled => [.. _dialled];

    /// <summary>A server at an address; with a domain, its only MX.</summary>
    public ScriptedPeer AddPeer(string address, string? domain = null, ScriptedPeer? peer = null)
    {
        peer ??= new();
        _peers.Add(address, peer);
        if (domain is not null) AddMx(domain, (10, $"mx.{domain}", address));
        return peer;
    }

    public void AddMx(string domain, params (int Preference, string Name, string Address)[] hosts)
    {
        Dns.Mx[domain] = [.. hosts.Select(host => new MxHost(host.Preference, host.Name))];
        foreach ((_, string name, string address) in hosts) Dns.Hosts[name] = [IPAddress.Parse(address)];
    }

    public ValueTask<ByteChannel> ConnectAsync(EndPoint endPoint, IPAddress? bind, CancellationToken cancel)
    {
        string address = endPoint is IPEndPoint ip ? ip.Address.ToString() : endPoint.ToString()!;
        _dialled.Enqueue(address);
        if (endPoint.AddressFamily == NoWayTo) throw new IOException("Network is unreachable", new SocketException((int)SocketError.NetworkUnreachable));
        return _peers.TryGetValue(address, out ScriptedPeer? peer) ? ValueTask.FromResult<ByteChannel>(peer.Connect()) : throw new IOException("Connection refused");
    }

    /// <summary>Ann sends a message.</summary>
    public Task<AcceptOutcome> SendAsync(params string[] recipients) => SendAsync(Rig.Envelope(Rig.User, "ann@example.org", recipients));

    public async Task<AcceptOutcome> SendAsync(Envelope envelope, string text = "From: ann@example.org\nDate: x\nMessage-ID: <1@x>\nSubject: hi\n\nText\n.dot\n..\n")
    {
        AcceptOutcome outcome = await Rig.SendAsync(envelope, text);
        Assert.True(outcome.Overall.IsPositive, outcome.Overall.ToString());
        return outcome;
    }

    /// <summary>Waits, by the real clock, until something is so.</summary>
    public async Task UntilAsync(Func<bool> isSo, string what = "what the test waits for")
    {
        using CancellationTokenSource late = new(Patience);
        while (true)
        {
            Task news = Rig.Queue.News;
            if (isSo()) return;
            try { await news.WaitAsync(TimeSpan.FromMilliseconds(20), late.Token); }
            catch (TimeoutException)
            {
                // Not everything is news of the queue; and the clock may have been moved just before the queue set its alarm.
                Rig.Queue.Announce();
            }
            catch (OperationCanceledException) { Assert.Fail($"Did not come: {what}"); }
        }
    }

    /// <summary>Waits until an account has a message like that, and gives all that it has.</summary>
    public async Task<IReadOnlyList<string>> UntilMailAsync(MailAccount account, Func<string, bool> isIt)
    {
        using CancellationTokenSource late = new(Patience);
        while (true)
        {
            IReadOnlyList<string> mail = await Rig.MailAsync(account);
            if (mail.Any(isIt)) return mail;
            Assert.False(late.IsCancellationRequested, "the mail did not come");
            await Task.Yield();
        }
    }

    public Task UntilEmptyAsync() => UntilAsync(() => Rig.Queue.Count == 0, "an empty queue");

    /// <summary>Waits until nothing is being tried, with so many messages waiting.</summary>
    public Task UntilWaitingAsync(int messages, int attempts) =>
        UntilAsync(() => Rig.Queue.Read((entries, schedule) => entries.Count == messages && schedule.Running == 0 && entries.Values.All(entry => entry.Attempts >= attempts)), $"{messages} waiting after {attempts} attempts");

    /// <summary>Connections that rest.</summary>
    public int Idle => _runner.Idle.Count;

    /// <summary>Ends the queue's work; messages whose content has begun have a minute by the rig's clock.</summary>
    public Task StopAsync(CancellationToken hurry = default) => _runner.StopAsync(TimeSpan.FromMinutes(1), hurry);

    /// <summary>Breaks off whatever is under way.</summary>
    public Task BreakOffAsync() => _runner.StopAsync(TimeSpan.Zero, CancellationToken.None);

    public static string Text(PeerMessage message) => Encoding.Latin1.GetString(message.Content);

    public async ValueTask DisposeAsync()
    {
        await _runner.DisposeAsync();
        foreach (ScriptedPeer peer in _peers.Values) await peer.DisposeAsync();
        Rig.Dispose();
        _folder.Dispose();
    }
}
