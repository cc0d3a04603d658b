using System.Net;
using System.Net.Sockets;
using Posthorn.Net;

namespace Posthorn.Transport.Remote;

/// <summary>Opens connections to other servers. An edge that tests fake.</summary>
public interface ISmtpConnector
{
    /// <exception cref="IOException">The other side cannot be reached; the message says why.</exception>
    ValueTask<ByteChannel> ConnectAsync(EndPoint endPoint, IPAddress? bind, CancellationToken cancel);
}

/// <summary>Opens sockets.</summary>
public sealed class SocketConnector : ISmtpConnector
{
    public async ValueTask<ByteChannel> ConnectAsync(EndPoint endPoint, IPAddress? bind, CancellationToken cancel)
    {
        Socket? socket = null;
        try
        {
            socket = endPoint is UnixDomainSocketEndPoint
                ? new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
                : new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            if (bind is not null) socket.Bind(new IPEndPoint(bind, 0));
            await socket.ConnectAsync(endPoint, cancel);
            return new SocketChannel(socket);
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            throw new IOException(e.Message, e);
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }
}
