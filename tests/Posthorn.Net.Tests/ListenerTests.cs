using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Testing;

namespace Posthorn.Net.Tests;

public sealed class ListenerTests : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ConnectionSet _connections = new(TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        await _connections.DisposeAsync();
        _folder.Dispose();
    }

    /// <summary>Greets, then says back each line.</summary>
    private sealed class Echo : IConnectionHandler
    {
        public ReadOnlyMemory<byte> BusyReply { get; } = "busy\r\n"u8.ToArray();

        public async Task ServeAsync(Connection connection, CancellationToken cancel)
        {
            connection.Output.Write(Encoding.ASCII.GetBytes(connection.IsSecure ? "hello tls\r\n" : "hello\r\n"));
            await connection.Output.FlushAsync(cancel);
            while (true)
            {
                InputLine line = await connection.ReadLineAsync(100, cancel);
                if (line.Status != LineStatus.Complete) return;
                connection.Output.Write(line.Bytes.Span);
                connection.Output.Write("\r\n"u8);
                await connection.Output.FlushAsync(cancel);
            }
        }
    }

    private ListenerServices Services(TlsIdentity? tls = null, ConnectionLimits? limits = null)
    {
        int next = 0;
        return new(_connections, tls, limits ?? new(), () => new SessionId($"s{Interlocked.Increment(ref next)}"), TimeProvider.System, NullLogger.Instance);
    }

    private static ListenOptions Tcp(TlsMode tls = TlsMode.None) => new("test", new IPEndPoint(IPAddress.Loopback, 0), tls);

    /// <summary>Closing over unread octets would reset the connection, and the peer might never see why.</summary>
    [Fact]
    public async Task A_last_word_arrives_though_the_peer_is_still_sending()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        using TcpClient client = new();
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        SocketChannel server = new(await listener.AcceptSocketAsync());
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(new byte[100_000]);
        await server.WaitToReceiveAsync(default);
        await server.SendAsync("bye"u8.ToArray(), default);
        Task closing = server.DisposeAsync().AsTask();
        for (int i = 0; i < 20; i++) await stream.WriteAsync(new byte[100_000]);
        byte[] answer = new byte[10];
        Assert.Equal(3, await stream.ReadAsync(answer));
        Assert.Equal(0, await stream.ReadAsync(answer));
        client.Close();
        await closing.WaitAsync(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task Serves_tcp_connections()
    {
        await using Listener listener = Listener.Bind(Tcp(), new Echo(), Services());
        listener.Start();
        using TcpClient client = new();
        await client.ConnectAsync((IPEndPoint)listener.EndPoint);
        Assert.Equal("hello", await LineAsync(client.GetStream()));
        await client.GetStream().WriteAsync("back\r\n"u8.ToArray());
        Assert.Equal("back", await LineAsync(client.GetStream()));
    }

    [Fact]
    public async Task Serves_a_unix_socket_with_its_mode_and_takes_over_a_dead_one()
    {
        string path = Path.Combine(_folder.Path, "lmtp");
        await File.WriteAllTextAsync(path, ""); // what a killed server leaves behaves the same: nobody answers
        ListenOptions options = new("lmtp", new UnixDomainSocketEndPoint(path), TlsMode.None) { SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupWrite };
        await using Listener listener = Listener.Bind(options, new Echo(), Services());
        listener.Start();
        Assert.Equal(options.SocketMode, File.GetUnixFileMode(path));
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(path));
        Assert.Equal("hello", await LineAsync(new NetworkStream(client)));
    }

    [Fact]
    public async Task A_taken_port_is_named_with_advice()
    {
        await using Listener listener = Listener.Bind(Tcp(), new Echo(), Services());
        listener.Start();
        IOException refused = Assert.Throws<IOException>(() => Listener.Bind(new("smtp", listener.EndPoint, TlsMode.None), new Echo(), Services()));
        Assert.Contains("listen.smtp", refused.Message, StringComparison.Ordinal);
        Assert.Contains("another program listens there", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_connection_too_many_hears_so()
    {
        await using Listener listener = Listener.Bind(Tcp(), new Echo(), Services(limits: new() { Total = 1 }));
        listener.Start();
        using TcpClient first = new(), second = new();
        await first.ConnectAsync((IPEndPoint)listener.EndPoint);
        Assert.Equal("hello", await LineAsync(first.GetStream()));
        await second.ConnectAsync((IPEndPoint)listener.EndPoint);
        Assert.Equal("busy", await LineAsync(second.GetStream()));
    }

    [Fact]
    public async Task Implicit_tls_uses_a_renewed_certificate_for_new_connections()
    {
        (string certificate, string key) = WriteCertificate("first.example");
        FakeTimeProvider time = new();
        using TlsIdentity tls = TlsIdentity.Load(certificate, key, time, NullLogger.Instance);
        await using Listener listener = Listener.Bind(Tcp(TlsMode.Implicit), new Echo(), Services(tls));
        listener.Start();
        Assert.Equal("CN=first.example", await SubjectAsync(listener));
        WriteCertificate("second.example");
        File.SetLastWriteTimeUtc(certificate, DateTime.UnixEpoch.AddYears(40));
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal("CN=second.example", await SubjectAsync(listener));
        await File.WriteAllTextAsync(certificate, "not a certificate");
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal("CN=second.example", await SubjectAsync(listener));
    }

    private static async Task<string> SubjectAsync(Listener listener)
    {
        using TcpClient client = new();
        await client.ConnectAsync((IPEndPoint)listener.EndPoint);
        await using SslStream tls = new(client.GetStream(), false, (_, _, _, _) => true);
        await tls.AuthenticateAsClientAsync("localhost");
        Assert.Equal("hello tls", await LineAsync(tls));
        return tls.RemoteCertificate!.Subject;
    }

    private (string Certificate, string Key) WriteCertificate(string name)
    {
        using System.Security.Cryptography.ECDsa key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        System.Security.Cryptography.X509Certificates.CertificateRequest request = new($"CN={name}", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        using System.Security.Cryptography.X509Certificates.X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(2));
        return (_folder.Write("certificate.pem", certificate.ExportCertificatePem()), _folder.Write("key.pem", key.ExportPkcs8PrivateKeyPem()));
    }

    private static async Task<string> LineAsync(Stream stream)
    {
        StringBuilder line = new();
        byte[] one = new byte[1];
        while (await stream.ReadAsync(one) == 1 && one[0] != '\n') line.Append((char)one[0]);
        return line.ToString().TrimEnd('\r');
    }
}
