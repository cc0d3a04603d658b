using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Posthorn.Transport.Policy.Delegation;

/// <summary>How a policy server is spoken to.</summary>
public sealed record PolicyServerOptions
{
    /// <summary>A path or an address with its port.</summary>
    public required EndPoint Place { get; init; }

    /// <summary>How long connecting and answering may take together. 100 s as Postfix's smtpd_policy_service_timeout: a client waits five minutes for its reply.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(100);

    /// <summary>How long an idle connection is kept (Postfix's smtpd_policy_service_max_idle).</summary>
    public TimeSpan MaxIdle { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>How long a connection is used in all (Postfix's smtpd_policy_service_max_ttl).</summary>
    public TimeSpan MaxAge { get; init; } = TimeSpan.FromSeconds(1000);

    /// <summary>Idle connections that are kept. 16: as many sessions as ask at once on a busy server; others connect anew.</summary>
    public int MaxKept { get; init; } = 16;
}

/// <summary>A client of the policy delegation protocol (Postfix's SMTPD_POLICY_README). Connections are used again; one that the server closed meanwhile is replaced once.</summary>
public sealed class PolicyServer(PolicyServerOptions options, TimeProvider time) : IDisposable
{
    /// <summary>The longest answer, octets: an action is one line.</summary>
    private const int MaxAnswer = 8 * 1024;

    private readonly ConcurrentStack<Kept> _idle = new();
    private volatile bool _disposed;

    private sealed record Kept(Socket Socket, long Made, long Used);

    /// <summary>How messages name it.</summary>
    public string Name => options.Place.ToString() ?? "policy server";

    /// <summary>Asks; the action's text.</summary>
    /// <param name="request">The attributes, with the empty line.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">No answer, or one that cannot be read; the message says why.</exception>
    public async ValueTask<string> AskAsync(ReadOnlyMemory<byte> request, CancellationToken cancel)
    {
        using CancellationTokenSource late = new(options.Timeout, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        try
        {
            while (Take() is { } kept)
            {
                // What is broken after a rest was closed by the server meanwhile: that is no failure yet.
                try { return await ExchangeAsync(kept.Socket, kept.Made, request, either.Token); }
                catch (IOException) { kept.Socket.Dispose(); }
                catch
                {
                    kept.Socket.Dispose(); // its answer may still come, and would be taken for that to the next question
                    throw;
                }
            }
            Socket socket = await ConnectAsync(either.Token);
            try { return await ExchangeAsync(socket, time.GetTimestamp(), request, either.Token); }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested) { throw new IOException("no answer in time"); }
    }

    public void Dispose()
    {
        _disposed = true;
        while (_idle.TryPop(out Kept? kept)) kept.Socket.Dispose();
    }

    private Kept? Take()
    {
        while (_idle.TryPop(out Kept? kept))
        {
            if (time.GetElapsedTime(kept.Used) < options.MaxIdle && time.GetElapsedTime(kept.Made) < options.MaxAge) return kept;
            kept.Socket.Dispose();
        }
        return null;
    }

    private async ValueTask<Socket> ConnectAsync(CancellationToken cancel)
    {
        Socket socket = options.Place is UnixDomainSocketEndPoint ? new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) : new(options.Place.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(options.Place, cancel);
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException(e.Message, e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async ValueTask<string> ExchangeAsync(Socket socket, long made, ReadOnlyMemory<byte> request, CancellationToken cancel)
    {
        try
        {
            for (ReadOnlyMemory<byte> left = request; left.Length > 0;) left = left[await socket.SendAsync(left, cancel)..];
            byte[] buffer = new byte[MaxAnswer];
            int length = 0;
            while (true)
            {
                int read = await socket.ReceiveAsync(buffer.AsMemory(length), cancel);
                if (read == 0) throw new IOException("the server closed the connection before its answer");
                length += read;
                if (PolicyAnswer.IsComplete(buffer.AsSpan(0, length))) break;
                if (length == buffer.Length) throw new IOException("the answer is too long");
            }
            if (!PolicyAnswer.TryParse(buffer.AsSpan(0, length), out string action)) throw new IOException("the answer has no action");
            Keep(socket, made);
            return action;
        }
        catch (SocketException e) { throw new IOException(e.Message, e); }
    }

    private void Keep(Socket socket, long made)
    {
        if (_disposed || _idle.Count >= options.MaxKept) socket.Dispose();
        else _idle.Push(new(socket, made, time.GetTimestamp()));
    }
}
