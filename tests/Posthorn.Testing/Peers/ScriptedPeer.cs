using System.Collections.Concurrent;
using System.Net;
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
    private readonly Script<string, PeerAct> _acts = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentQueue<PeerMessage> _messages = new();
    private readonly ConcurrentQueue<string> _commands = new();
    private readonly ConcurrentBag<Connection> _connections = [];
    private readonly ConcurrentBag<Task> _sessions = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly TimeProvider _time;
    private readonly LoopbackListener _listener;
    private int _count;
    private int _disposed;

    public ScriptedPeer(TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _listener = new(Serve);
    }

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

    /// <summary>How much either side of a connection in memory writes before the other must read. With a few octets an answer is read before the next act begins.</summary>
    public int Window { get; init; } = 1024 * 1024;

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
        _acts.Add(point, acts);
        return this;
    }

    /// <summary>A connection in memory: the client's end.</summary>
    public MemoryChannel Connect(ReadSplit? peerReads = null)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(peerReads ?? ReadSplit.Whole, Window);
        Serve(server);
        return client;
    }

    /// <summary>Listens on a free port of 127.0.0.1.</summary>
    public IPEndPoint Listen() => _listener.EndPoint;

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        await _stop.CancelAsync();
        await _listener.DisposeAsync();
        foreach (Connection connection in _connections) connection.Abort();
        await Task.WhenAll(_sessions);
        _stop.Dispose();
    }

    internal TimeProvider Time => _time;

    /// <summary>The next act at a point; null for the usual answer.</summary>
    internal PeerAct? Next(string point) => _acts.Next(point);

    internal void Heard(string command)
    {
        if (Taken is null) _commands.Enqueue(command);
    }

    internal void Took(PeerMessage message)
    {
        if (Taken is null) _messages.Enqueue(message);
        else Taken(message);
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
