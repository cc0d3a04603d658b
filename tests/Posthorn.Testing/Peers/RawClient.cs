using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Posthorn.Testing;

/// <summary>A client that says exactly what a test wants, line by line.</summary>
public sealed class RawClient : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly TcpClient _tcp;
    private Stream _stream;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start, _end;

    private RawClient(TcpClient tcp) => (_tcp, _stream) = (tcp, tcp.GetStream());

    public static async Task<RawClient> ConnectAsync(int port)
    {
        TcpClient tcp = new() { NoDelay = true };
        await tcp.ConnectAsync("127.0.0.1", port);
        return new(tcp);
    }

    public async Task StartTlsAsync()
    {
        SslStream tls = new(_stream, false, (_, _, _, _) => true);
        await tls.AuthenticateAsClientAsync("localhost");
        (_stream, _start, _end) = (tls, 0, 0);
    }

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _stream.WriteAsync(bytes).AsTask().WaitAsync(Patience);

    /// <summary>The next line without CRLF; null when the server has closed, be it within a line.</summary>
    public async Task<string?> LineAsync()
    {
        List<byte> line = [];
        while (true)
        {
            if (_start == _end)
            {
                try { (_start, _end) = (0, await _stream.ReadAsync(_buffer).AsTask().WaitAsync(Patience)); }
                catch (IOException) { _end = 0; }
                if (_end == 0) return null;
            }
            byte next = _buffer[_start++];
            if (next == '\n') return Encoding.Latin1.GetString([.. line]).TrimEnd('\r');
            line.Add(next);
        }
    }

    /// <summary>Reads exactly so many bytes.</summary>
    public async Task<byte[]> BytesAsync(int count)
    {
        byte[] bytes = new byte[count];
        int done = Math.Min(count, _end - _start);
        _buffer.AsSpan(_start, done).CopyTo(bytes);
        _start += done;
        await _stream.ReadExactlyAsync(bytes.AsMemory(done)).AsTask().WaitAsync(Patience);
        return bytes;
    }

    /// <summary>An SMTP reply: all its lines.</summary>
    public async Task<string> ReplyAsync()
    {
        StringBuilder reply = new();
        while (await LineAsync() is { } line)
        {
            reply.Append(line).Append('\n');
            if (line.Length < 4 || line[3] != '-') return reply.ToString();
        }
        return reply.ToString();
    }

    public async Task<string> CommandAsync(string line)
    {
        await SendAsync(line + "\r\n");
        return await ReplyAsync();
    }

    /// <summary>IMAP lines up to and with the tagged one.</summary>
    public async Task<List<string>> TaggedAsync(string tag)
    {
        List<string> lines = [];
        while (await LineAsync() is { } line)
        {
            lines.Add(line);
            if (line.StartsWith(tag + " ", StringComparison.Ordinal)) break;
        }
        return lines;
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _tcp.Dispose();
    }
}
