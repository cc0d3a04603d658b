using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Posthorn.Bench.Compare.Servers;

/// <summary>A few IMAP commands, one after another, to set a scene.</summary>
internal static class Imap
{
    internal static void Run(int port, string user, params string[] commands)
    {
        using TcpClient client = new();
        client.Connect(IPAddress.Loopback, port);
        using StreamReader reader = new(client.GetStream(), Encoding.Latin1);
        _ = reader.ReadLine();
        foreach (string command in (string[])[$"LOGIN {user} pass", .. commands, "LOGOUT"])
        {
            client.GetStream().Write(Encoding.ASCII.GetBytes($"x {command}\r\n"));
            string? line;
            do line = reader.ReadLine() ?? throw new IOException("the server closed the connection");
            while (!line.StartsWith("x ", StringComparison.Ordinal));
            if (!line.StartsWith("x OK", StringComparison.Ordinal)) throw new IOException($"{command}: {line}");
        }
    }
}
