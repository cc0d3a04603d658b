using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Core;
using Posthorn.Net;

namespace Posthorn.Testing;

/// <summary>A message that a <see cref="ScriptedPeer"/> took.</summary>
/// <param name="From">The arguments of MAIL, behind <c>FROM:</c>.</param>
/// <param name="To">The arguments of each RCPT that it answered with 2xx, behind <c>TO:</c>.</param>
/// <param name="Content">The message, transparency undone.</param>
/// <param name="Connection">The number of the connection that brought it, from 1.</param>
public sealed record PeerMessage(string From, IReadOnlyList<string> To, byte[] Content, int Connection);

/// <summary>
/// A fake SMTP or LMTP server for tests of clients. It takes everything, until it is told to hang, trickle, refuse or close at some verb:
/// <c>peer.At("RCPT", new PeerAct.Say("550 5.1.1 Nobody"))</c>. Points are the verbs, <c>CONNECT</c> for the greeting and <c>.</c> for the end of a message (DATA or BDAT LAST).
/// </summary>
/// <remarks>Several acts at one point are used one for each time; the last one stays. Scripts count over all connections.</remarks>
public sealed class ScriptedPeer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, ConcurrentQueue<PeerAct>> _acts = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentQueue<PeerMessage> _messages = new();
    private readonly ConcurrentQueue<string> _commands = new();
    private readonly ConcurrentBag<Connection> _connections = [];
    private readonly ConcurrentBag<Task> _sessions = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly TimeProvider _time;
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;
    private int _count;
    private int _disposed;

    public ScriptedPeer(TimeProvider? time = null) => _time = time ?? TimeProvider.System;

    /// <summary>Its name in greeting and EHLO.</summary>
    public string Name { get; init; } = "peer.example.net";

    /// <summary>LMTP: knows LHLO, and answers a message once for each recipient (each answer is a point <c>.</c> of its own).</summary>
    public bool IsLmtp { get; init; }

    /// <summary>What EHLO announces; STARTTLS is added when there is a certificate.</summary>
    public IReadOnlyList<string> Extensions { get; init; } = ["PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"];

    /// <summary>For STARTTLS, or from the first byte.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>What is sent beside the certificate.</summary>
    public X509Certificate2Collection Issuers { get; init; } = [];

    /// <summary>TLS begins with the first byte.</summary>
    public bool IsTlsImplicit { get; init; }

    /// <summary>Gets each message after it was taken; with it nothing is kept here, for peers that take very many.</summary>
    public Action<PeerMessage>? Taken { get; init; }

    /// <summary>Messages taken, in order.</summary>
    public IReadOnlyList<PeerMessage> Messages => [.. _messages];

    /// <summary>Every command line, over all connections.</summary>
    public IReadOnlyList<string> Commands => [.. _commands];

    /// <summary>Connections made so far.</summary>
    public int ConnectionCount => Volatile.Read(ref _count);

    /// <summary>Adds acts for a point of the conversation.</summary>
    public ScriptedPeer At(string point, params ReadOnlySpan<PeerAct> acts)
    {
        ConcurrentQueue<PeerAct> queue = _acts.GetOrAdd(point, _ => new());
        foreach (PeerAct act in acts) queue.Enqueue(act);
        return this;
    }

    /// <summary>A connection in memory: the client's end.</summary>
    public MemoryChannel Connect(ReadSplit? peerReads = null)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(peerReads ?? ReadSplit.Whole);
        Serve(server);
        return client;
    }

    /// <summary>Listens on a free port of 127.0.0.1.</summary>
    public IPEndPoint Listen()
    {
        if (_listener is null)
        {
            _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _listener.Listen();
            _accepting = AcceptAsync(_listener);
        }
        return (IPEndPoint)_listener.LocalEndPoint!;
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        await _stop.CancelAsync();
        _listener?.Dispose();
        await _accepting;
        foreach (Connection connection in _connections) connection.Abort();
        await Task.WhenAll(_sessions);
        _stop.Dispose();
    }

    internal TimeProvider Time => _time;

    /// <summary>The next act at a point; null for the usual answer.</summary>
    internal PeerAct? Next(string point)
    {
        if (!_acts.TryGetValue(point, out ConcurrentQueue<PeerAct>? queue)) return null;
        if (queue.Count == 1) return queue.TryPeek(out PeerAct? last) ? last : null;
        return queue.TryDequeue(out PeerAct? next) ? next : null;
    }

    internal void Heard(string command)
    {
        if (Taken is null) _commands.Enqueue(command);
    }

    internal void Took(PeerMessage message)
    {
        if (Taken is null) _messages.Enqueue(message);
        else Taken(message);
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (!_stop.IsCancellationRequested)
        {
            try { Serve(new SocketChannel(await listener.AcceptAsync(_stop.Token))); }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException) { return; }
        }
    }

    private void Serve(ByteChannel channel)
    {
        int number = Interlocked.Increment(ref _count);
        Connection connection = new(channel, new($"peer{number}"), _time);
        _connections.Add(connection);
        _sessions.Add(RunAsync(connection, number));
    }

    private async Task RunAsync(Connection connection, int number)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await using (connection)
        {
            try { await new ScriptedSession(this, connection, number).RunAsync(_stop.Token); }
            catch (Exception e) when (e is OperationCanceledException or IOException or System.Security.Authentication.AuthenticationException) { /* the client left, or the test is over */ }
        }
    }
}
