using System.IO.Compression;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Net;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Session;

/// <summary>TLS and compression under a session.</summary>
public sealed class LayersTests
{
    [Fact]
    public async Task STARTTLS_throws_away_what_was_sent_in_clear_text()
    {
        using TemporaryFiles files = new();
        await using ImapHost host = new() { Tls = files.Identity() };
        host.Directory.TrustsEveryNetwork = false;
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        Client clear = new(client);
        Assert.Contains("STARTTLS LOGINDISABLED]", await clear.ReadLineAsync(), StringComparison.Ordinal);
        await client.SendAsync("a1 STARTTLS\r\na2 LOGIN ann nna\r\n"u8.ToArray(), default);
        Assert.Equal("a1 OK Begin TLS now", await clear.ReadLineAsync());
#pragma warning disable CA5359 // The certificate is the test's own.
        await using SslStream tls = new(client.AsStream(), false, (_, _, _, _) => true);
#pragma warning restore CA5359
        await tls.AuthenticateAsClientAsync("mail.example.org");
        await tls.WriteAsync("b1 CAPABILITY\r\nb2 LOGIN ann nna\r\nb3 STARTTLS\r\n"u8.ToArray());
        using StreamReader reader = new(tls);
        string capability = (await reader.ReadLineAsync())!;
        Assert.Contains("AUTH=PLAIN", capability, StringComparison.Ordinal);
        Assert.DoesNotContain("STARTTLS", capability, StringComparison.Ordinal);
        Assert.StartsWith("b1 OK", await reader.ReadLineAsync(), StringComparison.Ordinal);
        Assert.StartsWith("b2 OK [CAPABILITY", await reader.ReadLineAsync(), StringComparison.Ordinal);
        Assert.StartsWith("b3 BAD", await reader.ReadLineAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_peer_that_flushes_partially_is_answered_at_once()
    {
        await using ImapHost host = new();
        await host.GivenAsync("logged in");
        MemoryChannel client = host.Connect(ReadSplit.Random(7));
        Client clear = new(client);
        Assert.Equal("OK Compression starts now", await clear.SayAsync("COMPRESS DEFLATE"));
        await using DeflateStream answers = new(client.AsStream(), CompressionMode.Decompress);
        using StreamReader reader = new(answers, Encoding.ASCII);
        // Made by zlib: "a2 NOOP", "a3 NOOP" flushed with Z_PARTIAL_FLUSH, "a4 LOGOUT" with Z_SYNC_FLUSH (RFC 4978 section 3, trap 31).
        await client.SendAsync(Convert.FromHexString("4a3452f0f3f70fe0e50208"), default);
        Assert.Equal("a2 OK Done", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        await client.SendAsync(Convert.FromHexString("a04463280320"), default);
        Assert.Equal("a3 OK Done", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        await client.SendAsync(Convert.FromHexString("80124d147cfcddfd434378b900000000ffff"), default);
        Assert.Equal("* BYE Goodbye", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Many_commands_in_a_small_packet_are_all_answered()
    {
        await using ImapHost host = new();
        await host.GivenAsync("logged in");
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        await new Client(client).SayAsync("COMPRESS DEFLATE");
        using MemoryStream packet = new();
        await using DeflateStream deflate = new(packet, CompressionLevel.SmallestSize);
        for (int i = 0; i < 5000; i++) await deflate.WriteAsync("a NOOP\r\n"u8.ToArray());
        await deflate.FlushAsync();
        await client.SendAsync(packet.ToArray(), default);
        await using DeflateStream answers = new(client.AsStream(), CompressionMode.Decompress);
        using StreamReader reader = new(answers, Encoding.ASCII);
        for (int i = 0; i < 5000; i++) Assert.Equal("a OK Done", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Bytes_that_are_not_deflate_end_the_session()
    {
        await using ImapHost host = new();
        await host.GivenAsync("logged in");
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        Client clear = new(client);
        await clear.SayAsync("COMPRESS DEFLATE");
        await client.SendAsync("a2 NOOP\r\n"u8.ToArray(), default);
        await host.LastSession.WaitAsync(TimeSpan.FromSeconds(30));
        await client.DisposeAsync();
    }

    private sealed class TemporaryFiles : IDisposable
    {
        private readonly DirectoryInfo _folder = System.IO.Directory.CreateTempSubdirectory("posthorn-imap");

        public TlsIdentity Identity()
        {
            using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            CertificateRequest request = new("CN=mail.example.org", key, HashAlgorithmName.SHA256);
            using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
            string crt = Path.Combine(_folder.FullName, "crt.pem"), pem = Path.Combine(_folder.FullName, "key.pem");
            File.WriteAllText(crt, certificate.ExportCertificatePem());
            File.WriteAllText(pem, key.ExportPkcs8PrivateKeyPem());
            return TlsIdentity.Load(crt, pem, TimeProvider.System, NullLogger.Instance);
        }

        public void Dispose() => _folder.Delete(recursive: true);
    }
}
