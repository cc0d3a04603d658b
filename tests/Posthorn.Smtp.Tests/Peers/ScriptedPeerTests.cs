using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Net;
using Posthorn.Smtp.Tests.Fakes;
using Posthorn.Testing;

namespace Posthorn.Smtp.Tests.Peers;

/// <summary>The kit's fake server does what it is told.</summary>
public sealed class ScriptedPeerTests
{
    [Fact]
    public async Task TakesAMessage()
    {
        await using ScriptedPeer peer = new();
        await using TestClient client = new(peer.Connect());
        Assert.StartsWith("220 peer.example.net", await client.ReplyAsync(), StringComparison.Ordinal);
        Assert.Contains("PIPELINING", await client.AskAsync("EHLO me"), StringComparison.Ordinal);
        await client.AskAsync("MAIL FROM:<a@example.org> SIZE=5");
        await client.AskAsync("RCPT TO:<b@example.net>");
        Assert.StartsWith("354", await client.AskAsync("DATA"), StringComparison.Ordinal);
        Assert.StartsWith("250", await client.AskAsync("..dot\r\n."), StringComparison.Ordinal);
        await client.AskAsync("MAIL FROM:<>");
        await client.AskAsync("RCPT TO:<c@example.net>");
        await client.SendAsync("BDAT 4\r\none\rBDAT 1 LAST\r\n\n");
        Assert.StartsWith("250", await client.ReplyAsync(), StringComparison.Ordinal);
        Assert.StartsWith("250", await client.ReplyAsync(), StringComparison.Ordinal);
        Assert.Equal([".dot\r\n", "one\r\n"], peer.Messages.Select(m => System.Text.Encoding.ASCII.GetString(m.Content)));
        Assert.Equal("<a@example.org> SIZE=5", peer.Messages[0].From);
        Assert.Equal(["<b@example.net>"], peer.Messages[0].To);
        Assert.Equal("EHLO me", peer.Commands[0]);
    }

    [Fact]
    public async Task RefusesHangsTricklesAndClosesWhereItIsTold()
    {
        FakeTimeProvider time = new();
        await using ScriptedPeer peer = new ScriptedPeer(time)
            .At("MAIL", new PeerAct.Say("451 4.3.0 Later"), new PeerAct.Say("250 2.1.0 Ok"))
            .At("RCPT", new PeerAct.Trickle("250 ok", TimeSpan.FromSeconds(1)))
            .At("DATA", new PeerAct.Close());
        await using TestClient client = new(peer.Connect());
        await client.ReplyAsync();
        Assert.Equal("451 4.3.0 Later", await client.AskAsync("MAIL FROM:<>"));
        Assert.Equal("250 2.1.0 Ok", await client.AskAsync("MAIL FROM:<>"));
        Assert.Equal("250 2.1.0 Ok", await client.AskAsync("MAIL FROM:<>"));
        Task<string> slow = client.AskAsync("RCPT TO:<b@example.net>");
        while (!slow.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        Assert.Equal("250 ok", await slow);
        await client.SendAsync("DATA\r\n");
        Assert.Empty(await client.RestAsync());

        peer.At("CONNECT", new PeerAct.Hang());
        await using TestClient hung = new(peer.Connect());
        Task<string?> never = hung.LineAsync();
        time.Advance(TimeSpan.FromDays(1));
        Assert.False(never.IsCompleted);
        await peer.DisposeAsync();
        Assert.Null(await never);
    }

    [Fact]
    public async Task ListensOnLoopbackWithTlsAndSpeaksLmtp()
    {
        await using ScriptedPeer peer = new() { IsLmtp = true, Certificate = TestCertificate.Shared };
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(peer.Listen());
        await using Connection connection = new(new SocketChannel(socket), new("c"), TimeProvider.System);
        await AskAsync(connection, null);
        Assert.EndsWith("250 STARTTLS", await AskAsync(connection, "LHLO me"), StringComparison.Ordinal);
        await AskAsync(connection, "STARTTLS");
        await connection.StartTlsAsync(new System.Net.Security.SslClientAuthenticationOptions
        {
            TargetHost = "mx.example.org",
#pragma warning disable CA5359 // The certificate is the test's own.
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
        }, CancellationToken.None);
        Assert.DoesNotContain("STARTTLS", await AskAsync(connection, "LHLO me"), StringComparison.Ordinal);
        await AskAsync(connection, "MAIL FROM:<>");
        await AskAsync(connection, "RCPT TO:<a@example.net>");
        await AskAsync(connection, "RCPT TO:<b@example.net>");
        await AskAsync(connection, "DATA");
        await AskAsync(connection, "hello\r\n.");
        Assert.StartsWith("250", await AskAsync(connection, null), StringComparison.Ordinal);
        Assert.Equal(2, Assert.Single(peer.Messages).To.Count);
        Assert.Equal(1, peer.ConnectionCount);
    }

    private static async Task<string> AskAsync(Connection connection, string? command)
    {
        if (command is not null) connection.Output.Write(command + "\r\n");
        await connection.Output.FlushAsync(CancellationToken.None);
        List<string> lines = [];
        do
        {
            InputLine line = await connection.ReadLineAsync(1000, CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
            Assert.Equal(LineStatus.Complete, line.Status);
            lines.Add(System.Text.Encoding.ASCII.GetString(line.Bytes.Span));
        }
        while (lines[^1].Length > 3 && lines[^1][3] == '-');
        return string.Join('\n', lines);
    }
}
