using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>A server with mail filters before it, and the ways to hand mail in.</summary>
internal sealed class FilterServer(PosthornProcess process, DnsServer dns) : IAsyncDisposable
{
    public static Account Ann { get; } = new("ann@posthorn.test", "ann@posthorn.test", "secret");
    public static Account Bob { get; } = new("bob@posthorn.test", "bob@posthorn.test", "secret");
    public static Account Carl { get; } = new("carl@posthorn.test", "carl@posthorn.test", "secret");

    public PosthornProcess Process => process;

    /// <summary>Starts it; 127.0.0.1 may relay, the rest of loopback is strange.</summary>
    public static async Task<FilterServer> StartAsync(TemporaryFolder folder, string filters)
    {
        (string certificate, string key) = TestCertificate.WritePem(TestCertificate.Shared, folder.Path);
        folder.Write("users", string.Concat(new[] { Ann, Bob, Carl }.Select(account => $"{account.Login}:{{PLAIN}}{account.Password}::::::\n")));
        folder.Write("aliases", "later@posthorn.test ann@posthorn.test\n");
        // Names of clients are looked up for the filters: a resolver that answers at once, and knows nobody.
        DnsServer dns = new();
        return new(await PosthornProcess.ServeAsync(folder.Write("posthorn.toml", $"""
            hostname = "mail.posthorn.test"
            data = "data"
            [[domain]]
            name = "posthorn.test"
            aliases = "aliases"
            [auth]
            passwd-file = "users"
            [tls]
            certificate = "{certificate}"
            key = "{key}"
            [listen]
            smtp = ["127.0.0.1:0"]
            submission = ["127.0.0.1:0"]
            imaps = ["127.0.0.1:0"]
            [network]
            trusted = ["127.0.0.1"]
            [dns]
            servers = ["{dns.EndPoint}"]
            {filters}
            """)), dns);
    }

    /// <summary>Hands a message in from an address of loopback: the last reply, or the first that says no.</summary>
    public async Task<string> SendAsync(string message, string to = "ann@posthorn.test", string from = "eve@sender.example", string source = "127.0.0.3")
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(source), 0));
        await socket.ConnectAsync(IPAddress.Loopback, process.Port("smtp"));
        await using NetworkStream stream = new(socket);
        using StreamReader reader = new(stream, Encoding.Latin1);
        string reply = await ReplyAsync(reader);
        foreach (string line in (string[])["EHLO client.sender.example", $"MAIL FROM:<{from}>", .. to.Split(' ').Select(address => $"RCPT TO:<{address}>"), "DATA", message.ReplaceLineEndings("\r\n") + "."])
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(line + "\r\n"));
            reply = await ReplyAsync(reader);
            if (reply[0] is not ('2' or '3')) break;
        }
        return reply;
    }

    /// <summary>The stored message, from the first line behind our own on.</summary>
    public static string WithoutTrace(byte[] message)
    {
        string text = Encoding.Latin1.GetString(message).ReplaceLineEndings("\n");
        int received = text.IndexOf("Received: ", StringComparison.Ordinal);
        return text[(text.IndexOf('\n', text.IndexOf(";\n", received, StringComparison.Ordinal) + 2) + 1)..];
    }

    /// <summary>Waits until something accepts on a port.</summary>
    public static async Task ReadyAsync(int port)
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        while (true)
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), patience.Token);
                return;
            }
            catch (SocketException) { await Task.Delay(50, patience.Token); }
        }
    }

    public static string Filter(string name, int port, string more = "") => string.Create(CultureInfo.InvariantCulture, $"[[milter]]\nname = \"{name}\"\naddress = \"inet:127.0.0.1:{port}\"\n{more}\n");

    public async ValueTask DisposeAsync()
    {
        await process.DisposeAsync();
        await dns.DisposeAsync();
    }

    private static async Task<string> ReplyAsync(StreamReader reader)
    {
        StringBuilder reply = new();
        while (await reader.ReadLineAsync() is { } line)
        {
            reply.Append(reply.Length > 0 ? "\n" : "").Append(line);
            if (line.Length < 4 || line[3] == ' ') break;
        }
        return reply.ToString();
    }
}
