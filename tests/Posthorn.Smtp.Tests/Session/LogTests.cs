using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Posthorn.Smtp.Tests.Fakes;
using Posthorn.Testing;
using Posthorn.Transport;

namespace Posthorn.Smtp.Tests.Session;

public sealed class LogTests
{
    [Fact]
    public async Task TellsWhoAndWhatButNoSecretAndNoText()
    {
        Collector log = new();
        await using SmtpHost host = new() { Role = ListenerRole.Submission, Log = log };
        await host.GivenAsync("trusted");
        await using TestClient client = new(host.Connect(ReadSplit.Whole));
        await client.ReplyAsync();
        await client.AskAsync("HELO laptop");
        await client.AskAsync("AUTH PLAIN AGFubgB3cm9uZw==");
        await client.AskAsync("AUTH LOGIN");
        await client.AskAsync("YW5u");
        await client.AskAsync("c2VjcmV0");
        await client.AskAsync("MAIL FROM:<ann@example.org>");
        await client.AskAsync("RCPT TO:<nobody@example.org>");
        await client.AskAsync("RCPT TO:<bea@example.org>");
        await client.AskAsync("DATA");
        await client.AskAsync("Subject: confidential\r\n.");
        await client.AskAsync("QUIT");

        string all = string.Join('\n', log.Lines);
        Assert.Contains("login-failed s1 PLAIN ann WrongPassword", all, StringComparison.Ordinal);
        Assert.Contains("login s1 LOGIN ann@example.org", all, StringComparison.Ordinal);
        Assert.Contains("refused-recipient s1 q1 ann@example.org nobody@example.org 550 5.1.1", all, StringComparison.Ordinal);
        Assert.Contains("message q1 from=<ann@example.org> nrcpt=1 size=23 s1 250 2.0.0", all, StringComparison.Ordinal);
        Assert.Contains("refused s1 AUTH 535 5.7.8", all, StringComparison.Ordinal);
        Assert.DoesNotContain("refused s1 RCPT", all, StringComparison.Ordinal); // said once, with the addresses
        foreach (string secret in (string[])["secret", "wrong\0", "c2VjcmV0", "AGFubg", "confidential"])
            Assert.DoesNotContain(secret, all, StringComparison.OrdinalIgnoreCase);
    }

    private sealed class Collector : ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = [];
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => true;
        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue(formatter(state, exception));
    }
}
