using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Servers;

/// <summary>Postfix's smtp-sink, which takes all mail, keeps none and counts it.</summary>
internal sealed class MailSink : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private readonly Process _process;
    private readonly Thread _reader;
    private volatile int _messages;

    internal MailSink(int port)
    {
        _process = Process.Start(new ProcessStartInfo("/usr/sbin/smtp-sink", ["-c", "-u", "nobody", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), "1000"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        _reader = new(Read) { IsBackground = true };
        _reader.Start();
        WaitUntilListening(port);
    }

    internal ServerMeter Meter => new([_process.Id]);

    internal void WaitFor(int messages)
    {
        long start = Stopwatch.GetTimestamp();
        while (_messages < messages)
        {
            if (_process.HasExited) throw new IOException($"smtp-sink ended with status {_process.ExitCode}");
            if (Stopwatch.GetElapsedTime(start) > Patience) throw new IOException($"the sink has {_messages} of {messages} messages");
            Thread.Sleep(2);
        }
    }

    // A server that finds nobody there thinks the destination dead, and comes back after minutes.
    private void WaitUntilListening(int port)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(start) < Patience && !_process.HasExited) { Thread.Sleep(5); }
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    // It writes one line over and over: "sess=3 quit=1 mesg=2", parted by CR alone.
    private void Read()
    {
        StringBuilder line = new();
        try
        {
            for (int c = _process.StandardOutput.Read(); c >= 0; c = _process.StandardOutput.Read())
            {
                if (c is not ('\r' or '\n'))
                {
                    line.Append((char)c);
                    continue;
                }
                string text = line.ToString();
                line.Clear();
                int at = text.IndexOf("mesg=", StringComparison.Ordinal);
                if (at >= 0 && int.TryParse(text.AsSpan(at + 5), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out int count)) _messages = count;
            }
        }
        catch (IOException) { /* it has been ended */ }
        catch (InvalidOperationException) { /* the same */ }
    }
}
