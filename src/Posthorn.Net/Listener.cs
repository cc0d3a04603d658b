using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.Extensions.Logging;
using Posthorn.Core;

namespace Posthorn.Net;

/// <summary>What a protocol does with a connection, from the greeting to the goodbye.</summary>
public interface IConnectionHandler
{
    /// <summary>Serves one connection until it ends. Exceptions that escape are logged and end that connection only.</summary>
    Task ServeAsync(Connection connection, CancellationToken cancel);

    /// <summary>The line sent when there are too many connections, with CRLF; empty sends nothing.</summary>
    ReadOnlyMemory<byte> BusyReply { get; }

    /// <summary>Which part of all connections its sessions may take; null leaves them what others need not have.</summary>
    ConnectionShare? Share => null;
}

/// <summary>Accepts connections on one socket and runs a session for each.</summary>
public sealed class Listener : IAsyncDisposable
{
    /// <summary>Pending connections the kernel may hold; bursts of reconnecting clients after a restart are large.</summary>
    private const int Backlog = 1024;

    private readonly ListenOptions _options;
    private readonly IConnectionHandler _handler;
    private readonly ListenerServices _services;
    private readonly Socket _socket;
    private readonly CancellationTokenSource _stop = new();
    private Task _accepting = Task.CompletedTask;

    private Listener(ListenOptions options, IConnectionHandler handler, ListenerServices services, Socket socket) =>
        (_options, _handler, _services, _socket) = (options, handler, services, socket);

    public string Name => _options.Name;

    public TlsMode Tls => _options.Tls;

    /// <summary>Where it really listens, with the port that was taken.</summary>
    public EndPoint EndPoint => _socket.LocalEndPoint ?? _options.EndPoint;

    /// <summary>Binds the socket; nothing is accepted before <see cref="Start"/>.</summary>
    /// <exception cref="IOException">The place is taken or may not be bound; the message says which and what to do.</exception>
    public static Listener Bind(ListenOptions options, IConnectionHandler handler, ListenerServices services)
    {
        if (options.Tls == TlsMode.Implicit && services.Tls is null) throw new IOException($"listen.{options.Name}: TLS needs a certificate");
        Socket socket = options.EndPoint is UnixDomainSocketEndPoint unix
            ? BindUnix(unix, options)
            : BindTcp((IPEndPoint)options.EndPoint, options.Name);
        return new(options, handler, services, socket);
    }

    public void Start()
    {
        _socket.Listen(Backlog);
        _accepting = AcceptLoopAsync();
        _services.Log.Listening(Name, EndPoint.ToString() ?? "");
    }

    /// <summary>Stops accepting; open sessions go on.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _socket.Dispose();
        await _accepting;
        if (_options.EndPoint is UnixDomainSocketEndPoint unix) File.Delete(unix.ToString());
        _stop.Dispose();
    }

    private async Task AcceptLoopAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _socket.AcceptAsync(_stop.Token);
                _ = RunAsync(socket);
            }
            catch (OperationCanceledException) { return; }
            catch (ObjectDisposedException) { return; }
            catch (SocketException e)
            {
                // Out of file descriptors or a peer that left at once: the listener itself must live.
                _services.Log.AcceptFailed(Name, e.Message);
                try { await Task.Delay(TimeSpan.FromMilliseconds(100), _services.Time, _stop.Token); }
                catch (OperationCanceledException) { return; }
            }
        }
    }

    private async Task RunAsync(Socket socket)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the accept loop goes on at once
        Connection connection = new(new SocketChannel(socket), _services.NewSession(), _services.Time) { ResumesTls = _options.ResumesTls };
        await using (connection)
        {
#pragma warning disable CA1031 // The session loop's last net: one connection's trouble must not end the server.
            try { await ServeAsync(connection); }
            catch (OperationCanceledException) { /* stopped */ }
            catch (IOException) { /* the peer went away while it was written to */ }
            catch (Exception e) { _services.Log.SessionFailed(e, connection.Session, Name); }
#pragma warning restore CA1031
            finally { _services.Connections.Remove(connection); }
        }
    }

    private async Task ServeAsync(Connection connection)
    {
        ConnectionSet all = _services.Connections;
        bool isProxy = !_options.Proxies.IsEmpty && !connection.IsUnixSocket && _options.Proxies.Contains(connection.RemoteAddress);
        if (!isProxy && IsTooMuch(connection) || !all.TryAdd(connection, _handler.Share, _services.Limits, isProxy))
        {
            await TurnAwayAsync(connection);
            return;
        }
        if (isProxy)
        {
            if (!await TryProxyAsync(connection)) return;
            if (IsTooMuch(connection))
            {
                await TurnAwayAsync(connection);
                return;
            }
            all.Attribute(connection);
        }
        _services.Log.Connected(connection.Session, Name, connection.RemoteEndPoint.ToString() ?? "");
        if (_options.Tls == TlsMode.Implicit && !await TryHandshakeAsync(connection)) return;
        await _handler.ServeAsync(connection, CancellationToken.None);
        _services.Log.Disconnected(connection.Session, Name);
    }

    private bool IsTooMuch(Connection connection)
    {
        ConnectionLimits limits = _services.Limits;
        IPAddress address = connection.RemoteAddress;
        bool isCounted = !connection.IsUnixSocket && !limits.Exempt.Contains(address) && !address.Equals(Connection.Unknown.Address);
        return isCounted && _services.Rates.Add(address, 1, limits.Rate) || _services.Connections.IsFull(address, limits);
    }

    private async Task TurnAwayAsync(Connection connection)
    {
        _services.Log.TooManyConnections(Name, connection.RemoteAddress.ToString());
        if (_options.Tls == TlsMode.Implicit || _handler.BusyReply.IsEmpty) return;
        connection.Output.Write(_handler.BusyReply.Span);
        await connection.Output.FlushAsync(_stop.Token);
    }

    // TLS comes behind the header, so not an octet more is read.
    private async Task<bool> TryProxyAsync(Connection connection)
    {
        string proxy = connection.RemoteEndPoint.ToString() ?? "";
        connection.SetDeadline(_services.Limits.ProxyHeader);
        ProxyHeader? header = await connection.ReadProxyHeaderAsync(CancellationToken.None);
        connection.ClearDeadline();
        if (header is null)
        {
            _services.Log.NoProxyHeader(Name, proxy);
            return false;
        }
        // Without a source it may be the proxy's own health check, or anybody: the rights of the proxy's address are not theirs.
        IPEndPoint source = header.Source ?? Connection.Unknown;
        connection.ActFor(source, header.Destination);
        _services.Log.Proxied(connection.Session, Name, proxy, header.Source is null ? "unknown" : source.ToString());
        return true;
    }

    private async Task<bool> TryHandshakeAsync(Connection connection)
    {
        connection.SetDeadline(_services.Limits.Handshake);
        try
        {
            await connection.StartTlsAsync(_services.Tls!, CancellationToken.None);
            _services.Log.TlsStarted(connection.Session, connection.Tls!.ToString());
            return true;
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            _services.Log.TlsFailed(connection.Session, Name, e.Message);
            return false;
        }
    }

    private static Socket BindTcp(IPEndPoint endPoint, string name)
    {
        Socket socket = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // .NET lets a listening socket take over a port in TIME_WAIT by itself; its ReuseAddress would also let a second server share the port.
            if (endPoint.AddressFamily == AddressFamily.InterNetworkV6) socket.DualMode = endPoint.Address.Equals(IPAddress.IPv6Any);
            socket.Bind(endPoint);
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            string advice = e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another program listens there; stop it or choose another port",
                SocketError.AccessDenied => "ports below 1024 need CAP_NET_BIND_SERVICE or socket activation",
                SocketError.AddressNotAvailable => "this machine does not have that address",
                _ => e.Message,
            };
            throw new IOException($"listen.{name}: cannot bind {endPoint}: {advice}", e);
        }
    }

    private static Socket BindUnix(UnixDomainSocketEndPoint endPoint, ListenOptions options)
    {
        string path = endPoint.ToString();
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (IsStale(endPoint, path)) File.Delete(path);
            socket.Bind(endPoint);
            File.SetUnixFileMode(path, options.SocketMode);
            if (options.SocketGroup is { } group) UnixGroup.Give(path, group);
            return socket;
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new IOException($"listen.{options.Name}: cannot bind {path}: {e.Message}", e);
        }
    }

    // A socket file that nobody answers on was left by a process that died.
    private static bool IsStale(UnixDomainSocketEndPoint endPoint, string path)
    {
        if (!File.Exists(path)) return false;
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(endPoint);
            return false;
        }
        catch (SocketException) { return true; }
    }
}

/// <summary>What all listeners share.</summary>
/// <param name="Connections">All open connections.</param>
/// <param name="Tls">The certificate; listeners with TLS from the first byte need it.</param>
/// <param name="Limits">Bounds on connections.</param>
/// <param name="NewSession">Makes ids.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">Where events go.</param>
public sealed record ListenerServices(ConnectionSet Connections, TlsIdentity? Tls, ConnectionLimits Limits, Func<SessionId> NewSession, TimeProvider Time, ILogger Log)
{
    /// <summary>Counts new connections by address.</summary>
    public AddressRates Rates { get; } = new(Time);
}
