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
    public async Task What_has_waited_for_IDLE_comes_a_moment_after_the_continuation_where_it_is_compressed()
    {
        await using ImapHost host = new();
        await host.GivenAsync("INBOX has 2 messages");
        await host.GivenAsync("selected INBOX");
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        await new Client(client).SayAsync("COMPRESS DEFLATE");
        await using DeflateStream answers = new(client.AsStream(), CompressionMode.Decompress);
        using StreamReader reader = new(answers, Encoding.ASCII);
        await host.GivenAsync("INBOX loses 1");
        await client.SendAsync(Deflated("a IDLE\r\n", end: false), default);
        Assert.Equal("+ idling", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        Task<string?> news = reader.ReadLineAsync();
        Assert.False(news.IsCompleted);
        await host.GivenAsync("time passes 1s");
        Assert.Equal("* 1 EXPUNGE", await news.WaitAsync(TimeSpan.FromSeconds(30)));
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

    // RFC 8437 section 4.1: each side ends its compression behind the command and its answer. A login may follow at once (section 3), and compression anew.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task UNAUTHENTICATE_ends_compression(bool atOnce)
    {
        await using ImapHost host = new();
        await host.GivenAsync("logged in");
        MemoryChannel client = host.Connect(atOnce ? ReadSplit.Whole : ReadSplit.Random(3));
        Client clear = new(client);
        for (int round = 0; round < 3; round++)
        {
            Assert.Equal("OK Compression starts now", await clear.SayAsync("COMPRESS DEFLATE"));
            byte[] packet = [.. Deflated("u1 NOOP\r\nu2 UNAUTHENTICATE\r\n"), .. "u3 LOGIN ann nna\r\nu4 NOOP\r\n"u8];
            if (atOnce) await client.SendAsync(packet, default);
            else foreach (byte one in packet) await client.SendAsync(new[] { one }, default);
            MemoryStream answers = new();
            byte[] buffer = new byte[512];
            while (!Encoding.Latin1.GetString(answers.ToArray()).EndsWith("u4 OK Done\r\n", StringComparison.Ordinal))
            {
                int read = await client.ReceiveAsync(buffer, default).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
                Assert.NotEqual(0, read);
                answers.Write(buffer, 0, read);
            }

            answers.Position = 0;
            // One octet at a time, so that nothing behind the end of the compressed data is taken.
            await using DeflateStream inflate = new(new Octets(answers), CompressionMode.Decompress, leaveOpen: true);
            using StreamReader text = new(inflate, Encoding.ASCII);
            string compressed = await text.ReadToEndAsync();
            Assert.StartsWith("u1 OK Done\r\nu2 OK [CAPABILITY ", compressed, StringComparison.Ordinal);
            Assert.EndsWith("Nobody is logged in\r\n", compressed, StringComparison.Ordinal);
            string rest = Encoding.ASCII.GetString(answers.ToArray().AsSpan((int)answers.Position));
            Assert.StartsWith("u3 OK [CAPABILITY ", rest, StringComparison.Ordinal);
            Assert.Contains(" COMPRESS=DEFLATE ", rest, StringComparison.Ordinal);
            Assert.False(host.LastConnection.IsCompressed);
            Assert.True(host.LastConnection.CanLayer);
        }

        await client.DisposeAsync();
    }

    // RFC 8437 section 3: NO is no answer, and whatever happened nobody is logged in any more.
    [Fact]
    public async Task UNAUTHENTICATE_that_fails_ends_the_session()
    {
        await using ImapHost host = new() { BreaksLeaving = true };
        host.Options = host.Options with { MaxConnectionsPerAccount = 1 };
        await host.GivenAsync("logged in");
        for (int i = 0; i < 2; i++) // the account's connection is counted off too
        {
            MemoryChannel client = host.Connect(ReadSplit.Whole);
            Client clear = new(client);
            await client.SendAsync("u1 UNAUTHENTICATE\r\nu2 LOGIN bob bob\r\n"u8.ToArray(), default);
            Assert.Equal("* BYE [UNAVAILABLE] The session could not be ended; connect again", await clear.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)));
            await host.LastSession.WaitAsync(TimeSpan.FromSeconds(60));
            Assert.Equal(0, await client.ReceiveAsync(new byte[8], default));
            await client.DisposeAsync();
        }
    }

    // Where the end cannot be told from what follows, the session ends rather than guess.
    [Fact]
    public async Task More_clear_text_behind_the_end_than_is_looked_at_ends_the_session()
    {
        await using ImapHost host = new();
        await host.GivenAsync("logged in");
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        await new Client(client).SayAsync("COMPRESS DEFLATE");
        byte[] packet = [.. Deflated("u1 UNAUTHENTICATE\r\n"), .. Encoding.ASCII.GetBytes($"u2 ID (\"x\" \"{new string('x', 2000)}\")\r\n")];
        await client.SendAsync(packet, default);
        await host.LastSession.WaitAsync(TimeSpan.FromSeconds(60));
        await client.DisposeAsync();
    }

    // A peer that goes on compressing is understood, but nothing else can be layered over that.
    [Fact]
    public async Task Compression_that_one_side_does_not_end_is_not_doubled()
    {
        await using ImapHost host = new();
        await host.GivenAsync("logged in");
        MemoryChannel client = host.Connect(ReadSplit.Whole);
        await new Client(client).SayAsync("COMPRESS DEFLATE");
        await client.SendAsync(Deflated("u1 UNAUTHENTICATE\r\nu2 LOGIN ann nna\r\nu3 COMPRESS DEFLATE\r\nu4 LOGOUT\r\n", end: false), default);
        MemoryStream answers = new();
        byte[] buffer = new byte[512];
        for (int read; (read = await client.ReceiveAsync(buffer, default).AsTask().WaitAsync(TimeSpan.FromSeconds(60))) > 0;) answers.Write(buffer, 0, read);
        Assert.Contains("\r\nu3 NO [COMPRESSIONACTIVE] ", Encoding.Latin1.GetString(answers.ToArray()), StringComparison.Ordinal);
        await client.DisposeAsync();
    }

    private static byte[] Deflated(string text, bool end = true)
    {
        using MemoryStream packet = new();
        DeflateStream deflate = new(packet, CompressionLevel.SmallestSize, leaveOpen: true);
        deflate.Write(Encoding.ASCII.GetBytes(text));
        deflate.Flush();
        byte[] open = packet.ToArray();
        deflate.Dispose();
        return end ? packet.ToArray() : open;
    }

    private sealed class Octets(MemoryStream inner) : MemoryStream
    {
        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, Math.Min(count, 1));
        public override int Read(Span<byte> buffer) => inner.Read(buffer[..Math.Min(buffer.Length, 1)]);
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));
        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer, offset, count));
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
