using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Net;
using Posthorn.Smtp.Tests.Fakes;
using Posthorn.Testing;
using Posthorn.Transport;

namespace Posthorn.Smtp.Tests.Commands;

public sealed class StartTlsTests : IDisposable
{
    private readonly DirectoryInfo _folder = System.IO.Directory.CreateTempSubdirectory("posthorn-smtp");
    private readonly TlsIdentity _identity;

    public StartTlsTests()
    {
        (string certificate, string key) = TestCertificate.WritePem(TestCertificate.Shared, _folder.FullName);
        _identity = TlsIdentity.Load(certificate, key, TimeProvider.System, NullLogger.Instance);
    }

    public static IEnumerable<TheoryDataRow<ReadSplit>> Splits => [new(ReadSplit.Whole), new(ReadSplit.Bytes), new(ReadSplit.Random(7))];

    [Theory]
    [MemberData(nameof(Splits))]
    public async Task ForgetsEverythingSaidInClear(ReadSplit split)
    {
        await using SmtpHost host = new() { Identity = _identity };
        await using TestClient client = new(host.Connect(split));
        await client.ReplyAsync();
        Assert.Contains("250 STARTTLS", await client.AskAsync("EHLO clear.example.net"), StringComparison.Ordinal);
        await client.AskAsync("MAIL FROM:<bob@example.net>");
        Assert.Equal("220 2.0.0 Ready to start TLS", await client.AskAsync("STARTTLS"));
        await client.StartTlsAsync();

        Assert.Equal("503 5.5.1 Say hello first", await client.AskAsync("RCPT TO:<ann@example.org>"));
        string hello = await client.AskAsync("EHLO secure.example.net");
        Assert.DoesNotContain("STARTTLS", hello, StringComparison.Ordinal);
        Assert.DoesNotContain("AUTH", hello, StringComparison.Ordinal);
        Assert.Equal("503 5.5.1 Need MAIL first", await client.AskAsync("RCPT TO:<ann@example.org>"));
        Assert.Equal("503 5.5.1 TLS is active already", await client.AskAsync("STARTTLS"));

        Assert.Contains("REQUIRETLS", hello, StringComparison.Ordinal);
        await client.AskAsync("MAIL FROM:<bob@example.net> REQUIRETLS");
        await client.AskAsync("RCPT TO:<ann@example.org>");
        await client.AskAsync("DATA");
        Assert.StartsWith("250 ", await client.AskAsync("over TLS\r\n."), StringComparison.Ordinal);
        Envelope envelope = Assert.Single(host.Transport.Taken).Envelope;
        Assert.Equal("secure.example.net", envelope.Client.Helo);
        Assert.True(envelope.RequiresTls);
        Assert.StartsWith("TLSv1.", envelope.Client.Tls!.ToString(), StringComparison.Ordinal);
    }

    /// <summary>RFC 3207 section 4.2: what is pipelined behind STARTTLS never happened.</summary>
    [Fact]
    public async Task ClearTextBehindItIsThrownAway()
    {
        await using SmtpHost host = new() { Identity = _identity };
        await using TestClient client = new(host.Connect(ReadSplit.Whole));
        await client.ReplyAsync();
        await client.AskAsync("EHLO clear.example.net");
        await client.SendAsync("STARTTLS\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<ann@example.org>\r\n");
        Assert.Equal("220 2.0.0 Ready to start TLS", await client.ReplyAsync());
        await client.StartTlsAsync();
        Assert.StartsWith("250-", await client.AskAsync("EHLO secure.example.net"), StringComparison.Ordinal);
        Assert.Equal("503 5.5.1 Need MAIL first", await client.AskAsync("DATA"));
    }

    [Fact]
    public async Task AHandshakeThatIsNoneEndsTheConnection()
    {
        await using SmtpHost host = new() { Identity = _identity };
        await using TestClient client = new(host.Connect(ReadSplit.Whole));
        await client.ReplyAsync();
        await client.AskAsync("EHLO clear.example.net");
        await client.AskAsync("STARTTLS");
        await client.SendAsync("EHLO this is not TLS\r\n");
        foreach (string line in await client.RestAsync()) Assert.DoesNotContain("250", line, StringComparison.Ordinal);
        await host.Sessions[0].WaitAsync(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task AHandshakeThatNeverComesIsGivenUp()
    {
        await using SmtpHost host = new() { Identity = _identity };
        await using TestClient client = new(host.Connect(ReadSplit.Whole));
        await client.ReplyAsync();
        await client.AskAsync("EHLO clear.example.net");
        await client.AskAsync("STARTTLS");
        DateTimeOffset before = host.Time.GetUtcNow();
        await host.PassTimeAsync(1);
        await host.Sessions[0].WaitAsync(TimeSpan.FromSeconds(60));
        Assert.True(host.Time.GetUtcNow() - before >= host.Options.HandshakeTimeout);
        Assert.Empty(await client.RestAsync());
    }

    [Theory]
    [InlineData(TlsMode.StartTls)]
    [InlineData(TlsMode.Implicit)]
    public async Task SubmissionOffersLoginUnderTls(TlsMode mode)
    {
        await using SmtpHost host = new() { Identity = _identity, Role = ListenerRole.Submission, Tls = mode };
        await using TestClient client = new(host.Connect(ReadSplit.Whole));
        if (mode == TlsMode.StartTls)
        {
            await client.ReplyAsync();
            await client.AskAsync("EHLO laptop");
            Assert.StartsWith("538 5.7.11", await client.AskAsync("AUTH PLAIN AGFubgBzZWNyZXQ="), StringComparison.Ordinal);
            await client.AskAsync("STARTTLS");
        }
        await client.StartTlsAsync();
        if (mode == TlsMode.Implicit) Assert.StartsWith("220 ", await client.ReplyAsync(), StringComparison.Ordinal);
        string hello = await client.AskAsync("EHLO laptop");
        Assert.EndsWith("250 AUTH PLAIN LOGIN", hello, StringComparison.Ordinal);
        Assert.DoesNotContain("STARTTLS", hello, StringComparison.Ordinal);
        Assert.StartsWith("530 5.7.0 Auth", await client.AskAsync("MAIL FROM:<ann@example.org>"), StringComparison.Ordinal);
        Assert.StartsWith("235 2.7.0", await client.AskAsync("AUTH PLAIN AGFubgBzZWNyZXQ="), StringComparison.Ordinal);
        Assert.StartsWith("250 2.1.0", await client.AskAsync("MAIL FROM:<ann@example.org>"), StringComparison.Ordinal);
        Assert.StartsWith("503 5.5.1 Logged in", await client.AskAsync("AUTH PLAIN AGFubgBzZWNyZXQ="), StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _identity.Dispose();
        _folder.Delete(recursive: true);
    }
}
