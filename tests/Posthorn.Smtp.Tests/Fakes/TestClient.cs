using System.Net.Security;
using System.Text;
using Posthorn.Core;
using Posthorn.Net;
using Posthorn.Testing;

namespace Posthorn.Smtp.Tests.Fakes;

/// <summary>A client in code, for what transcripts cannot say: TLS, floods, silence.</summary>
internal sealed class TestClient(MemoryChannel channel) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public Connection Connection { get; } = new(channel, new SessionId("client"), TimeProvider.System);
    public MemoryChannel Channel => channel;

    public async Task SendAsync(string text)
    {
        Connection.Output.Write(Encoding.Latin1.GetBytes(text));
        await Connection.Output.FlushAsync(CancellationToken.None).AsTask().WaitAsync(Patience);
    }

    /// <summary>The next line; null at the end.</summary>
    public async Task<string?> LineAsync()
    {
        InputLine line = await Connection.ReadLineAsync(10_000, CancellationToken.None).AsTask().WaitAsync(Patience);
        return line.Status == LineStatus.Ended ? null : Encoding.UTF8.GetString(line.Bytes.Span);
    }

    /// <summary>Sends a command and reads its whole reply; the lines, parted by LF.</summary>
    public async Task<string> AskAsync(string command)
    {
        await SendAsync(command + "\r\n");
        return await ReplyAsync();
    }

    public async Task<string> ReplyAsync()
    {
        StringBuilder reply = new();
        while (true)
        {
            string? line = await LineAsync();
            Assert.NotNull(line);
            reply.Append(line);
            if (line.Length < 4 || line[3] != '-') return reply.ToString();
            reply.Append('\n');
        }
    }

    /// <summary>All lines up to the end.</summary>
    public async Task<List<string>> RestAsync()
    {
        List<string> lines = [];
        while (await LineAsync() is { } line) lines.Add(line);
        return lines;
    }

    public Task StartTlsAsync() => Connection.StartTlsAsync(new SslClientAuthenticationOptions
    {
        TargetHost = "mx.example.org",
#pragma warning disable CA5359 // The certificate is the test's own.
        RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
    }, CancellationToken.None).AsTask().WaitAsync(Patience);

    public ValueTask DisposeAsync() => Connection.DisposeAsync();
}
