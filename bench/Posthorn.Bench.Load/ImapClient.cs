using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Posthorn.Bench.Load;

/// <summary>An IMAP session that waits for each answer and looks at its last line only, so that it costs little beside the server.</summary>
public sealed class ImapClient : IDisposable
{
    // The last line of an answer lies in it: that of LOGIN has all capabilities.
    private const int TailLength = 4096;

    private static readonly SslClientAuthenticationOptions FullHandshake = Options(resume: false), Resumable = Options(resume: true);

    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly byte[] _buffer;
    private readonly byte[] _tail = new byte[TailLength];
    private int _tailLength;
    private int _tag;

    /// <summary>Connects and reads the banner.</summary>
    /// <param name="port">On 127.0.0.1.</param>
    /// <param name="tls">Whether TLS begins with the first octet.</param>
    /// <param name="resume">Whether a TLS session of before is taken up.</param>
    /// <param name="buffer">Octets that are read at once; few where there are many sessions.</param>
    /// <param name="from">The address to connect from, where one would have too many connections.</param>
    public ImapClient(int port, bool tls = false, bool resume = false, int buffer = 1 << 18, IPAddress? from = null)
    {
        _buffer = new byte[buffer];
        _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (from is not null) _socket.Bind(new IPEndPoint(from, 0));
            _socket.Connect(IPAddress.Loopback, port);
            _stream = new NetworkStream(_socket);
            if (tls)
            {
                SslStream secured = new(_stream);
                _stream = secured;
                secured.AuthenticateAsClient(resume ? Resumable : FullHandshake);
            }

            ReadLine();
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends a command and reads to the end of its answer; the number of octets read.</summary>
    /// <exception cref="IOException">The answer is not OK, or the connection ended.</exception>
    public long Run(string command)
    {
        byte[] tag = NextTag();
        _stream.Write([.. tag, .. Encoding.UTF8.GetBytes($" {command}\r\n")]);
        return ReadTo(tag, command);
    }

    /// <summary>Sends several commands at once and reads all answers.</summary>
    public void Run(IReadOnlyList<string> commands)
    {
        byte[] tag = [];
        using MemoryStream all = new();
        foreach (string command in commands)
        {
            all.Write(tag = NextTag());
            all.Write(Encoding.UTF8.GetBytes($" {command}\r\n"));
        }

        _stream.Write(all.ToArray());
        ReadTo(tag, commands[^1]);
    }

    /// <summary>Appends messages, many under way.</summary>
    public void Append(string mailbox, IEnumerable<byte[]> messages)
    {
        foreach (byte[][] some in messages.Chunk(40))
        {
            using MemoryStream batch = new();
            byte[] tag = [];
            foreach (byte[] message in some)
            {
                batch.Write(tag = NextTag());
                batch.Write(Encoding.ASCII.GetBytes($" APPEND {mailbox} {{{message.Length}+}}\r\n"));
                batch.Write(message);
                batch.Write("\r\n"u8);
            }

            _stream.Write(batch.ToArray());
            ReadTo(tag, "APPEND");
        }
    }

    /// <summary>Sends IDLE and reads the server's consent.</summary>
    public void Idle()
    {
        _stream.Write([.. NextTag(), .. " IDLE\r\n"u8]);
        ReadLine();
    }

    /// <summary>Waits for a line that the server sends by itself.</summary>
    public string ReadLine()
    {
        int filled = 0;
        while (filled == 0 || _buffer[filled - 1] != '\n')
        {
            int got = _stream.Read(_buffer.AsSpan(filled));
            if (got == 0) throw new IOException("the server closed the connection");
            filled += got;
        }

        return Encoding.UTF8.GetString(_buffer, 0, filled);
    }

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }

    // A word that is in no message.
    private byte[] NextTag() => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"zQ{_tag++:D7}w"));

    private long ReadTo(byte[] tag, string command)
    {
        _tailLength = 0;
        long octets = 0;
        byte[] start = [.. tag, (byte)' '];
        while (true)
        {
            int got = _stream.Read(_buffer);
            if (got == 0) throw new IOException($"{command}: the server closed the connection");
            octets += got;
            Keep(_buffer.AsSpan(0, got));
            ReadOnlySpan<byte> tail = _tail.AsSpan(0, _tailLength);
            if (tail[^1] != '\n') continue;
            int at = tail.LastIndexOf(start);
            if (at < 0) continue;
            tail = tail[(at + start.Length)..];
            if (!tail.StartsWith("OK"u8)) throw new IOException($"{command}: {Encoding.UTF8.GetString(tail)}");
            return octets;
        }
    }

    private void Keep(ReadOnlySpan<byte> read)
    {
        if (read.Length < TailLength)
        {
            int old = Math.Min(_tailLength, TailLength - read.Length);
            _tail.AsSpan(_tailLength - old, old).CopyTo(_tail);
            _tailLength = old;
        }
        else
        {
            _tailLength = 0;
            read = read[^TailLength..];
        }

        read.CopyTo(_tail.AsSpan(_tailLength));
        _tailLength += read.Length;
    }

    private static SslClientAuthenticationOptions Options(bool resume) => new()
    {
        TargetHost = "bench.test",
        AllowTlsResume = resume,
        RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.Subject == "CN=bench.test", // made for this run, signed by nobody
    };
}
