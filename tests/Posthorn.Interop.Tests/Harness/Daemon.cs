using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Posthorn.Interop.Tests.Harness;

/// <summary>A program that runs beside a test and ends with it.</summary>
internal sealed class Daemon : IDisposable
{
    private readonly Process _process;
    private bool _isOver;

    private Daemon(Process process) => _process = process;

    public static Daemon Start(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return new(process);
    }

    public void Dispose()
    {
        if (_isOver) return;
        _isOver = true;
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }
}

/// <summary>Ports that nobody uses now.</summary>
internal static class Ports
{
    /// <summary>A port that is free for TCP and UDP on loopback; for programs that cannot take one by themselves.</summary>
    public static int Free()
    {
        while (true)
        {
            using Socket tcp = new(SocketType.Stream, ProtocolType.Tcp);
            tcp.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            int port = ((IPEndPoint)tcp.LocalEndPoint!).Port;
            using Socket udp = new(SocketType.Dgram, ProtocolType.Udp);
            try { udp.Bind(new IPEndPoint(IPAddress.Loopback, port)); }
            catch (SocketException) { continue; }
            return port;
        }
    }
}
