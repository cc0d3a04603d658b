using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Posthorn.Bench.Queue;

/// <summary>A mail server that takes everything, or fails at random: refuses for now, hangs up at any verb, answers late.</summary>
internal sealed class SinkServer : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stop = new();
    private readonly Action<string> _took;
    private readonly Task _accepting;

    /// <param name="took">Gets the Message-ID of each message before its sender gets the answer.</param>
    public SinkServer(Action<string> took)
    {
        _took = took;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(1000);
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>How often a verb fails, of 1.</summary>
    public double Faults { get; set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket socket;
            try { socket = await _listener.AcceptAsync(_stop.Token); }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException) { return; }
            _ = ServeAsync(socket);
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            await using NetworkStream stream = new(socket, ownsSocket: true);
            using StreamReader reader = new(stream, Encoding.Latin1, false, 8192);
            await SayAsync(stream, "220 sink ESMTP");
            while (await reader.ReadLineAsync(_stop.Token) is { } line)
            {
                string verb = line.Length < 4 ? line : line[..4].ToUpperInvariant();
                if (verb != "QUIT" && Fails() is { } fault)
                {
                    if (fault == 0) return;
                    await Task.Delay(TimeSpan.FromMilliseconds(fault), TimeProvider.System, _stop.Token);
                    if (fault % 2 == 0)
                    {
                        await SayAsync(stream, "451 4.3.0 Not now");
                        continue;
                    }
                }
                if (verb == "DATA")
                {
                    await SayAsync(stream, "354 Go");
                    string id = "";
                    while (await reader.ReadLineAsync(_stop.Token) is { } text && text != ".")
                        if (id.Length == 0 && text.StartsWith("Message-ID: ", StringComparison.OrdinalIgnoreCase)) id = text[12..];
                    if (Fails() == 0) return; // the worst moment: the message is there, the answer is not
                    _took(id);
                    await SayAsync(stream, "250 2.0.0 Ok");
                }
                else if (verb == "EHLO") await SayAsync(stream, "250-sink\r\n250-PIPELINING\r\n250 8BITMIME");
                else if (verb == "QUIT")
                {
                    await SayAsync(stream, "221 Bye");
                    return;
                }
                else await SayAsync(stream, "250 2.0.0 Ok");
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException) { /* that connection is over */ }
    }

    // Null: no fault; 0: hang up; else wait so many milliseconds, and refuse for now where they are even.
    private int? Fails()
    {
        if (Faults <= 0) return null;
#pragma warning disable CA5394 // Nothing secret hangs on it.
        return Random.Shared.NextDouble() >= Faults ? null : Random.Shared.Next(3) == 0 ? 0 : Random.Shared.Next(1, 2000);
#pragma warning restore CA5394
    }

    private static ValueTask SayAsync(NetworkStream stream, string line) => stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"));
}
