using System.Net;
using System.Net.Sockets;
using Posthorn.Net;

namespace Posthorn.Testing;

/// <summary>Takes connections on a free port of 127.0.0.1 for a peer of tests, from the first time that somebody asks for its address.</summary>
internal sealed class LoopbackListener(Action<ByteChannel> serve) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private Socket? _socket;
    private Task _accepting = Task.CompletedTask;

    internal IPEndPoint EndPoint
    {
        get
        {
            if (_socket is null)
            {
                _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
                _socket.Listen();
                _accepting = AcceptAsync(_socket);
            }
            return (IPEndPoint)_socket.LocalEndPoint!;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _socket?.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync(Socket socket)
    {
        while (!_stop.IsCancellationRequested)
        {
            try { serve(new SocketChannel(await socket.AcceptAsync(_stop.Token))); }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException) { return; }
        }
    }
}
