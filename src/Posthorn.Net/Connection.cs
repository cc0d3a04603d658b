using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Posthorn.Core;

namespace Posthorn.Net;

/// <summary>Why a read ended that the peer did not end.</summary>
public enum StopReason
{
    /// <summary>Nothing stopped it: the peer closed.</summary>
    None,
    /// <summary>The deadline passed.</summary>
    Timeout,
    /// <summary>The server is going down.</summary>
    Shutdown,
    /// <summary>What the peer logged in with holds no more: the account is gone, or its password is another.</summary>
    Revoked,
}

/// <summary>What TLS was agreed, for logs and Received lines.</summary>
public sealed record TlsDetails(SslProtocols Protocol, TlsCipherSuite Cipher, int Bits, string? ServerName)
{
    /// <summary>As Postfix writes it in Received lines: <c>TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)</c>.</summary>
    public override string ToString() => $"{Version} with cipher {Cipher} ({Bits}/{Bits} bits)";

    /// <summary>The protocol's name, such as <c>TLSv1.3</c>.</summary>
    public string Version => Protocol switch
    {
        SslProtocols.Tls12 => "TLSv1.2",
        SslProtocols.Tls13 => "TLSv1.3",
        _ => Protocol.ToString(),
    };
}

/// <summary>One peer's connection: its bytes in and out, TLS, and its deadline. A session owns it and reads and writes from one place at a time.</summary>
/// <remarks>
/// The deadline costs no timer: whoever owns the connections (<see cref="ConnectionSet"/>) looks over all of them once a second.
/// When it passes, reading ends as if the peer had closed, <see cref="Stopped"/> says why, and the session can still say goodbye; a write that waits is broken off,
/// also one that began after reading had ended.
/// </remarks>
public sealed class Connection : IAsyncDisposable
{
    /// <summary>Unused input is bounded by this: the longest line or command part that is looked at as a whole.</summary>
    public const int DefaultInputLimit = 128 * 1024;

    /// <summary>The end of a client for which a proxy speaks without saying who it is. It is in no network, so nobody trusts it for its address.</summary>
    public static IPEndPoint Unknown { get; } = new(IPAddress.Any, 0);

    /// <summary>Octets kept of a line that is too long: enough to know its first word.</summary>
    private const int HeadLength = 16;

    private readonly TimeProvider _time;
    private ByteChannel _channel;
    private long _deadline = long.MaxValue;
    private long _loginDeadline = long.MaxValue;
    private Func<bool>? _stillHolds;
    private int _stopped;
    private EndPoint? _claimedRemote;
    private EndPoint? _claimedLocal;

    public Connection(ByteChannel channel, SessionId session, TimeProvider time, int inputLimit = DefaultInputLimit)
    {
        _channel = channel;
        _time = time;
        Session = session;
        Input = new(channel, inputLimit);
        Output = new(channel);
    }

    public SessionId Session { get; }
    public InputBuffer Input { get; }
    public OutputBuffer Output { get; }

    /// <summary>The client: behind a proxy that may say so, the one for which it speaks.</summary>
    public EndPoint RemoteEndPoint => _claimedRemote ?? _channel.RemoteEndPoint;

    /// <summary>Where the client connected to.</summary>
    public EndPoint LocalEndPoint => _claimedLocal ?? _channel.LocalEndPoint;

    /// <summary>The peer's address; loopback for a Unix socket.</summary>
    public IPAddress RemoteAddress => RemoteEndPoint is IPEndPoint ip ? Unmapped(ip.Address) : IPAddress.Loopback;

    /// <summary>True for a Unix socket, whose file permissions say who may connect.</summary>
    public bool IsUnixSocket => RemoteEndPoint is UnixDomainSocketEndPoint;

    /// <summary>What TLS was agreed; null in clear text.</summary>
    public TlsDetails? Tls { get; private set; }

    public bool IsSecure => Tls is not null;

    /// <summary>Whether what the peer logged in with still holds; null before a login. Asked by <see cref="ConnectionSet.Review"/>.</summary>
    /// <remarks>From the login on <see cref="MustLogInWithin"/> counts no more; back at null the peer has to say again who it is.</remarks>
    public Func<bool>? StillHolds
    {
        get => _stillHolds;
        set
        {
            _stillHolds = value;
            if (value is null) Seat?.Return();
            else NeedsNoLogin();
        }
    }

    /// <summary>Why reading was ended from this side.</summary>
    public StopReason Stopped => (StopReason)Volatile.Read(ref _stopped);

    /// <summary>Reading (and a waiting write) must end by then; each call sets it anew.</summary>
    public void SetDeadline(TimeSpan fromNow) =>
        Volatile.Write(ref _deadline, _time.GetTimestamp() + (long)(fromNow.TotalSeconds * _time.TimestampFrequency));

    /// <summary>The peer has so long to log in, whatever it sends meanwhile: no deadline set beside this one lengthens it.</summary>
    public void MustLogInWithin(TimeSpan fromNow) =>
        Volatile.Write(ref _loginDeadline, _time.GetTimestamp() + (long)(fromNow.TotalSeconds * _time.TimestampFrequency));

    /// <summary>The peer may be here without a login, or has logged in.</summary>
    public void NeedsNoLogin()
    {
        Volatile.Write(ref _loginDeadline, long.MaxValue);
        Seat?.LeaveRoom();
    }

    /// <summary>Nothing ends it but the peer and the server, and the time for a login.</summary>
    public void ClearDeadline() => Volatile.Write(ref _deadline, long.MaxValue);

    /// <summary>Ends reading: the session sees the end of input with <see cref="Stopped"/> set. Callable from any thread.</summary>
    public void Stop(StopReason reason)
    {
        bool first = Interlocked.CompareExchange(ref _stopped, (int)reason, 0) == 0;
        Input.Stop();
        if (Output.IsFlushing && reason == StopReason.Timeout) _channel.Abort();
        else if (first) _channel.StopReceiving();
    }

    /// <summary>The session ends while the peer is sending: its last word must arrive all the same.</summary>
    public void ExpectMore() => _channel.ExpectsMore = true;

    /// <summary>Breaks the connection at once. Callable from any thread.</summary>
    public void Abort() => _channel.Abort();

    /// <summary>Reads one line. See <see cref="LineStatus"/>; an over-long line is skipped without being stored.</summary>
    /// <param name="limit">The longest line, octets without its end.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<InputLine> ReadLineAsync(int limit, CancellationToken cancel)
    {
        int scanned = 0;
        while (true)
        {
            int at = Input.Span[scanned..].IndexOf((byte)'\n');
            if (at >= 0) return TakeLine(scanned + at, limit);
            scanned = Input.Length;
            if (scanned > limit + 1) return await SkipLineAsync(cancel);
            if (!await Input.FillAsync(cancel)) return new(LineStatus.Ended, default, false);
        }
    }

    /// <summary>As a TLS server, lets the client take up a session again.</summary>
    public bool ResumesTls { get; init; } = true;

    /// <summary>Becomes a TLS server with a certificate of ours, as the listener wants it.</summary>
    /// <exception cref="AuthenticationException">The handshake failed.</exception>
    /// <exception cref="IOException">The connection was lost.</exception>
    public ValueTask StartTlsAsync(TlsIdentity identity, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(identity);
        return StartTlsAsync(ResumesTls ? identity.ServerOptions : identity.OptionsWithoutResumption, cancel);
    }

    /// <summary>Becomes a TLS server on this connection. What was buffered in clear text is thrown away (RFC 3207 section 4.2).</summary>
    /// <exception cref="AuthenticationException">The handshake failed.</exception>
    /// <exception cref="IOException">The connection was lost.</exception>
    public async ValueTask StartTlsAsync(SslServerAuthenticationOptions options, CancellationToken cancel)
    {
        Input.Clear();
        SslStream tls = new(Bare().AsStream(), leaveInnerStreamOpen: false);
        await UseTlsAsync(tls, tls.AuthenticateAsServerAsync(options, cancel), tls.TargetHostName);
    }

    /// <summary>Becomes a TLS client on this connection.</summary>
    /// <exception cref="AuthenticationException">The handshake or the certificate check failed.</exception>
    /// <exception cref="IOException">The connection was lost.</exception>
    public async ValueTask StartTlsAsync(SslClientAuthenticationOptions options, CancellationToken cancel)
    {
        Input.Clear();
        SslStream tls = new(Bare().AsStream(), leaveInnerStreamOpen: false);
        await UseTlsAsync(tls, tls.AuthenticateAsClientAsync(options, cancel), options.TargetHost);
    }

    /// <summary>True once both directions are compressed.</summary>
    public bool IsCompressed { get; private set; }

    /// <summary>TLS or compression can begin: false while the peer has not ended the compression that was in use before.</summary>
    public bool CanLayer => Bare() is not DeflateChannel;

    /// <summary>Compresses both directions from here on (RFC 4978). What was written must have been flushed; the peer sends nothing before it has our word.</summary>
    public void StartCompression()
    {
        Input.Clear();
        _channel = new DeflateChannel(Bare());
        Input.Channel = Output.Channel = _channel;
        IsCompressed = true;
    }

    /// <summary>Sends nothing compressed from here on, and takes what the peer sends so until it ends that too (RFC 8437 section 4.1). What was written must have been flushed.</summary>
    /// <exception cref="IOException">The connection is lost.</exception>
    public async ValueTask EndCompressionAsync()
    {
        if (_channel is not DeflateChannel deflate) return;
        IsCompressed = false;
        Output.IsFlushing = true;
        try { await deflate.EndSendingAsync(); }
        catch (ObjectDisposedException e) { throw new IOException("The connection is closed.", e); }
        finally { Output.IsFlushing = false; }
    }

    /// <summary>The peer speaks for somebody else from here on. Whether it may is the caller's to know.</summary>
    public void ActFor(EndPoint remote, EndPoint? local) => (_claimedRemote, _claimedLocal) = (remote, local ?? _claimedLocal);

    /// <summary>Reads what a proxy says first, and no octet more; null when that is no PROXY header, or the peer is gone.</summary>
    internal async ValueTask<ProxyHeader?> ReadProxyHeaderAsync(CancellationToken cancel)
    {
        byte[] header = [];
        int length = 0;
        while (ProxyHeader.Wanted(header.AsSpan(0, length)) is > 0 and int wanted)
        {
            if (header.Length < length + wanted) Array.Resize(ref header, Math.Max(128, length + wanted));
            int read = await _channel.ReceiveAsync(header.AsMemory(length, wanted), cancel);
            if (read == 0) return null;
            length += read;
        }
        return ProxyHeader.Read(header.AsSpan(0, length));
    }

    /// <summary>True when the deadline has passed.</summary>
    internal bool IsOverdue(long timestamp) => timestamp > Volatile.Read(ref _deadline) || timestamp > Volatile.Read(ref _loginDeadline);

    /// <summary>Its place among all connections; null where nobody counts them.</summary>
    internal Seat? Seat { get; set; }

    public async ValueTask DisposeAsync()
    {
        Input.Release();
        Output.Release();
        await _channel.DisposeAsync();
    }

    // Without the compression that has ended on both sides.
    private ByteChannel Bare()
    {
        if (_channel is DeflateChannel { IsOver: true } over) Input.Channel = Output.Channel = _channel = over.Below;
        return _channel;
    }

    private async ValueTask UseTlsAsync(SslStream tls, Task handshake, string? serverName)
    {
        try { await handshake; }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
        _channel = new StreamChannel(tls, _channel);
        Input.Channel = Output.Channel = _channel;
        string name = string.IsNullOrEmpty(tls.TargetHostName) ? serverName ?? "" : tls.TargetHostName;
        Tls = new(tls.SslProtocol, tls.NegotiatedCipherSuite, Bits(tls.NegotiatedCipherSuite), name.Length > 0 ? name : null);
    }

    // SslStream.CipherStrength is obsolete; the suite's name says it.
    private static int Bits(TlsCipherSuite suite)
    {
        string name = suite.ToString();
        return name.Contains("256", StringComparison.Ordinal) && !name.Contains("AES_128", StringComparison.Ordinal) ? 256 : 128;
    }

    private InputLine TakeLine(int newline, int limit)
    {
        bool crlf = newline > 0 && Input.Span[newline - 1] == (byte)'\r';
        int length = crlf ? newline - 1 : newline;
        ReadOnlyMemory<byte> line = Input.Memory[..length];
        Input.Advance(newline + 1);
        return length > limit ? new(LineStatus.TooLong, line[..Math.Min(length, HeadLength)], !crlf) : new(LineStatus.Complete, line, !crlf);
    }

    private async ValueTask<InputLine> SkipLineAsync(CancellationToken cancel)
    {
        byte[] head = Input.Span[..Math.Min(Input.Length, HeadLength)].ToArray();
        while (true)
        {
            int at = Input.Span.IndexOf((byte)'\n');
            if (at >= 0)
            {
                Input.Advance(at + 1);
                return new(LineStatus.TooLong, head, false);
            }
            Input.Clear();
            if (!await Input.FillAsync(cancel)) return new(LineStatus.Ended, default, false);
        }
    }

    private static IPAddress Unmapped(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}

/// <summary>How a line came in.</summary>
public enum LineStatus
{
    /// <summary>A whole line.</summary>
    Complete,
    /// <summary>A line over the limit; it was skipped, but for its first octets.</summary>
    TooLong,
    /// <summary>The input ended, perhaps within a line; see <see cref="Connection.Stopped"/>.</summary>
    Ended,
}

/// <summary>A line without its end.</summary>
/// <param name="Status">How it came in.</param>
/// <param name="Bytes">Its bytes, valid until the next read.</param>
/// <param name="EndsInBareLf">It ended in LF without CR.</param>
public readonly record struct InputLine(LineStatus Status, ReadOnlyMemory<byte> Bytes, bool EndsInBareLf);
