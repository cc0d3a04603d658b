namespace Posthorn.Bench.Load;

/// <summary>One session of the driver: a connection at a time, what is still to be sent, and what came.</summary>
internal abstract class Wire(int port)
{
    private readonly byte[] _input = new byte[16 * 1024];
    private int _filled;
    private int _connections;
    private ReadOnlyMemory<byte> _unsent;

    internal int Descriptor { get; private set; } = -1;

    internal bool IsDone { get; private set; }

    /// <summary>Set when a new connection was begun, which the loop has to watch.</summary>
    internal bool IsNew { get; set; }

    internal void Begin()
    {
        Descriptor = Native.Connect(port);
        (_filled, _unsent, IsNew) = (0, default, true);
        _connections++;
    }

    /// <summary>Something can be read or written.</summary>
    internal void Ready()
    {
        Flush();
        while (!IsDone && Descriptor >= 0)
        {
            int room = _input.Length - _filled;
            if (room == 0) throw new IOException($"a reply line of the server is longer than {_input.Length} octets");
            int got = Native.Receive(Descriptor, _input.AsSpan(_filled));
            if (got < 0)
            {
                int error = System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
                if (error == Native.EAgain) return;
                if (error == Native.EIntr) continue;
                throw Native.Failed("recv");
            }

            if (got == 0)
            {
                Ended();
                return;
            }

            _filled += got;
            int connection = _connections;
            Consume();
            if (_connections != connection || got < room) return;
        }
    }

    /// <summary>A line of the server, without its end.</summary>
    protected abstract void Line(ReadOnlySpan<byte> line);

    /// <summary>The server closed the connection.</summary>
    protected virtual void Ended() => throw new IOException("the server closed the connection in the middle");

    protected void Send(ReadOnlyMemory<byte> bytes)
    {
        _unsent = _unsent.IsEmpty ? bytes : (byte[])[.. _unsent.Span, .. bytes.Span];
        Flush();
    }

    protected void Close(bool done)
    {
        _ = Native.Close(Descriptor);
        Descriptor = -1;
        IsDone = done;
    }

    private void Flush()
    {
        while (!_unsent.IsEmpty)
        {
            int sent = Native.Send(Descriptor, _unsent.Span);
            if (sent < 0)
            {
                int error = System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
                if (error == Native.EAgain) return;
                if (error == Native.EIntr) continue;
                throw Native.Failed("send");
            }

            _unsent = _unsent[sent..];
        }
    }

    private void Consume()
    {
        int connection = _connections;
        int at = 0;
        while (_connections == connection && _input.AsSpan(at, _filled - at).IndexOf((byte)'\n') is >= 0 and int end)
        {
            ReadOnlySpan<byte> line = _input.AsSpan(at, end);
            if (line is [.., (byte)'\r']) line = line[..^1];
            at += end + 1;
            Line(line);
        }

        if (_connections != connection) return; // another connection, another input
        _input.AsSpan(at, _filled - at).CopyTo(_input);
        _filled -= at;
    }
}
