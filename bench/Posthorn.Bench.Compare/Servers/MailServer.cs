using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Servers;

/// <summary>A server under test: set up in a folder of its own, started and stopped as often as a row wants.</summary>
internal abstract class MailServer(string folder, int users) : IDisposable
{
    private const int Stop = 19, Continue = 18, Terminate = 15;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    internal abstract string Name { get; }
    internal string Folder { get; } = folder;
    internal int Users { get; } = users;
    internal int SmtpPort { get; } = FreePort();
    internal int LmtpPort { get; } = FreePort();
    internal int ImapPort { get; } = FreePort();
    internal int ImapsPort { get; } = FreePort();

    /// <summary>The domain of which the mail goes on, and the port of 127.0.0.1 where it goes.</summary>
    internal const string RelayedDomain = "relay.test";
    internal int SinkPort { get; } = FreePort();

    /// <summary>The processes that everything else descends from; empty while it does not run.</summary>
    internal List<int> Roots { get; } = [];

    internal ServerMeter Meter => new(Roots.ToArray());

    /// <summary>What the server is and how it was built.</summary>
    internal abstract string Version { get; }

    /// <summary>Where a mailbox of an account lies; INBOX when it is empty.</summary>
    internal string Maildir(int user, string mailbox) => Path.Combine(Folder, "mail", $"user{user}", mailbox is "" or "INBOX" ? "" : "." + mailbox);

    /// <summary>Starts it and returns the seconds from there to the first banners of SMTP and IMAP.</summary>
    /// <param name="wrapper">A program with arguments that is to run it, such as a tracer.</param>
    internal double Start(params IReadOnlyList<string> wrapper)
    {
        Directory.CreateDirectory(Path.Combine(Folder, "log"));
        long start = Stopwatch.GetTimestamp();
        Launch(wrapper);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Ends it in order and waits for that.</summary>
    internal void End()
    {
        Resume();
        IReadOnlyList<int> all = Meter.Processes();
        foreach (int root in Roots) Native.Kill(root, Terminate);
        long start = Stopwatch.GetTimestamp();
        while (all.Any(IsAlive))
        {
            if (Stopwatch.GetElapsedTime(start) > Patience) throw new IOException($"{Name} does not end; its log is in {Folder}/log");
            Thread.Sleep(5);
        }

        Roots.Clear();
    }

    /// <summary>Holds all its processes, so that what it has put off does not disturb the other server's turn.</summary>
    internal void Pause() => Signal(Stop);

    internal void Resume() => Signal(Continue);

    /// <summary>Waits until it does nothing.</summary>
    internal void WaitUntilQuiet()
    {
        double before = Meter.Cpu();
        for (int i = 0; i < 100; i++)
        {
            Thread.Sleep(100);
            double now = Meter.Cpu();
            if (now - before < 0.015) return;
            before = now;
        }
    }

    public void Dispose()
    {
        if (Roots.Count > 0) End();
    }

    /// <summary>Starts the processes, names their <see cref="Roots"/> and returns when SMTP and IMAP have said their banners.</summary>
    protected abstract void Launch(IReadOnlyList<string> wrapper);

    protected void WaitForBanner(int port)
    {
        long start = Stopwatch.GetTimestamp();
        byte[] first = new byte[1];
        while (Stopwatch.GetElapsedTime(start) < Patience)
        {
            try
            {
                using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 1000 };
                socket.Connect(IPAddress.Loopback, port);
                if (socket.Receive(first) == 1) return;
            }
            catch (SocketException)
            {
                // Nobody listens yet.
            }

            Thread.Sleep(1);
        }

        throw new IOException($"{Name} has no banner on port {port}; its log is in {Folder}/log");
    }

    /// <summary>Accounts, certificate and empty folders, the same for every server.</summary>
    protected void MakeFolder()
    {
        Directory.CreateDirectory(Path.Combine(Folder, "mail"));
        Directory.CreateDirectory(Path.Combine(Folder, "tls"));
        File.WriteAllLines(Path.Combine(Folder, "users"), Enumerable.Range(0, Users).Select(i => $"user{i}:{{PLAIN}}pass::::::"));
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=bench.test", key, HashAlgorithmName.SHA256);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        File.WriteAllText(Path.Combine(Folder, "tls", "cert.pem"), certificate.ExportCertificatePem());
        string keyFile = Path.Combine(Folder, "tls", "key.pem");
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(keyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    protected static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private void Signal(int signal)
    {
        foreach (int process in Meter.Processes()) Native.Kill(process, signal);
    }

    // A process that nobody has waited for yet still has an entry.
    private static bool IsAlive(int process)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[stat.LastIndexOf(')') + 2] != 'Z';
        }
        catch (IOException)
        {
            return false;
        }
    }
}
