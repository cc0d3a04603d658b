using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Posthorn.Bench.Queue;

/// <summary>An hour of mixed load by hand: mail for mailboxes and for others, through peers that fail at random. Nothing that was acknowledged may be lost; memory is written down every ten seconds.</summary>
internal static class Soak
{
    private static readonly TimeSpan Sample = TimeSpan.FromSeconds(10);

    public static async Task<int> RunAsync(string program, TimeSpan length, int rate, string? plot, CancellationToken cancel)
    {
        string root = System.IO.Directory.CreateTempSubdirectory("phs.").FullName;
        ConcurrentDictionary<string, int> taken = new(), acknowledged = new(), kept = new();
        await using SinkServer sink = new(id => taken.AddOrUpdate(id, 1, (_, count) => count + 1)) { Faults = 0.02 };
        int port = FreePort();
        await File.WriteAllTextAsync(Path.Combine(root, "users"), "ann@soak.example:{PLAIN}pass::::::\n", cancel);
        string configuration = Path.Combine(root, "posthorn.toml");
        await File.WriteAllTextAsync(configuration, string.Create(CultureInfo.InvariantCulture, $"""
            hostname = "mail.soak.example"
            data = "data"
            [[domain]]
            name = "soak.example"
            [auth]
            passwd-file = "users"
            [listen]
            smtp = ["127.0.0.1:{port}"]
            [outbound]
            relay-host = "127.0.0.1"
            relay-port = {sink.Port}
            first-retry = "2s"
            longest-retry = "20s"
            """), cancel);
        string[] command = program.EndsWith(".dll", StringComparison.Ordinal) ? ["dotnet", program] : [program];
        using Process server = Process.Start(new ProcessStartInfo(command[0], [.. command[1..], "serve", "--config", configuration]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        server.ErrorDataReceived += (_, _) => { };
        server.OutputDataReceived += (_, _) => { };
        server.BeginErrorReadLine();
        server.BeginOutputReadLine();
        try
        {
            await WaitForAsync(port, cancel);
            Stopwatch watch = Stopwatch.StartNew();
            using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            end.CancelAfter(length);
            Task watching = WatchAsync(server.Id, watch, taken, acknowledged, plot, end.Token);
            await Task.WhenAll(Enumerable.Range(0, 20).Select(i => LoadAsync(port, i, rate / 20.0, acknowledged, kept, end.Token)));
            await watching;
            // The peers are well again: everything that was acknowledged has to arrive.
            sink.Faults = 0;
            for (int i = 0; i < 1200 && acknowledged.Keys.Any(id => !taken.ContainsKey(id)); i++) await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancel);
            int lost = acknowledged.Keys.Count(id => !taken.ContainsKey(id));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{acknowledged.Count} acknowledged, {lost} lost, {taken.Values.Count(count => count > 1)} came twice (each after an answer that the peer did not give), memory at the end {Memory(server.Id)} MiB"));
            (int missing, int twice) = await MailboxAsync(Path.Combine(root, "data"), kept, cancel);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kept.Count} acknowledged for a mailbox, {missing} lost, {twice} twice"));
            return lost + missing + twice == 0 ? 0 : 1;
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync(CancellationToken.None);
            System.IO.Directory.Delete(root, recursive: true);
        }
    }

    // What was acknowledged for our own account has to be among its files once, when the background has made them.
    private static async Task<(int Missing, int Twice)> MailboxAsync(string data, ConcurrentDictionary<string, int> kept, CancellationToken cancel)
    {
        Dictionary<string, int> files = [];
        for (int i = 0; i < 100; i++)
        {
            files.Clear();
            foreach (string file in System.IO.Directory.EnumerateFiles(data, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(Path.GetDirectoryName(file)) is "new" or "cur"))
            {
                if (File.ReadLines(file).Take(40).FirstOrDefault(line => line.StartsWith("Message-ID: ", StringComparison.Ordinal)) is string line) files[line[12..]] = files.GetValueOrDefault(line[12..]) + 1;
            }
            if (kept.Keys.All(files.ContainsKey)) break;
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, cancel);
        }
        return (kept.Keys.Count(id => !files.ContainsKey(id)), kept.Keys.Count(id => files.GetValueOrDefault(id) > 1));
    }

    private static async Task WatchAsync(int process, Stopwatch watch, ConcurrentDictionary<string, int> taken, ConcurrentDictionary<string, int> acknowledged, string? plot, CancellationToken end)
    {
        List<SoakSample> samples = [];
        while (!end.IsCancellationRequested)
        {
            samples.Add(new(watch.Elapsed.TotalSeconds, Memory(process), acknowledged.Count, taken.Count));
            Console.WriteLine(samples[^1]);
            if (plot is not null)
            {
                await File.WriteAllLinesAsync(plot, [SoakSample.Head, .. samples.Select(sample => sample.ToString())], CancellationToken.None);
                await File.WriteAllTextAsync(Path.ChangeExtension(plot, ".svg"), SoakPlot.Of(samples), CancellationToken.None);
            }
            try { await Task.Delay(Sample, TimeProvider.System, end); }
            catch (OperationCanceledException) { return; }
        }
    }

    // Most mail goes on, every fifth message is for a mailbox; sizes differ; some sessions are broken off in the middle.
    private static async Task LoadAsync(int port, int worker, double rate, ConcurrentDictionary<string, int> acknowledged, ConcurrentDictionary<string, int> kept, CancellationToken end)
    {
        for (int n = 0; !end.IsCancellationRequested; n++)
        {
            bool local = n % 5 == 4, breaks = n % 37 == 36;
            string id = string.Create(CultureInfo.InvariantCulture, $"<{worker}.{n}@soak>");
            try
            {
                using TcpClient client = new() { NoDelay = true };
                await client.ConnectAsync("127.0.0.1", port, CancellationToken.None);
                await using NetworkStream stream = client.GetStream();
                using StreamReader reader = new(stream, Encoding.ASCII);
                await reader.ReadLineAsync(CancellationToken.None);
                bool accepted = true;
                foreach (string command in (string[])["HELO load.example", $"MAIL FROM:<ann@soak.example>", $"RCPT TO:<{(local ? "ann@soak.example" : $"u{n % 100}@far{n % 7}.example")}>", "DATA"])
                    accepted &= await AskAsync(stream, reader, command) is [('2' or '3'), ..];
                string text = $"Message-ID: {id}\r\nFrom: ann@soak.example\r\n\r\n{new string('x', 60)}\r\n" + string.Concat(Enumerable.Repeat(new string('y', 70) + "\r\n", n % 400));
                if (breaks || !accepted) await stream.WriteAsync(Encoding.ASCII.GetBytes(text), CancellationToken.None);
                else if (await AskAsync(stream, reader, text + ".") is ['2', ..]) (local ? kept : acknowledged)[id] = 1;
            }
            catch (IOException) { /* not acknowledged */ }
            catch (SocketException) { /* the same */ }
            try { await Task.Delay(TimeSpan.FromSeconds(1 / rate), TimeProvider.System, end); }
            catch (OperationCanceledException) { return; }
        }
    }

    private static async Task<string> AskAsync(NetworkStream stream, StreamReader reader, string command)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\r\n"));
        return await reader.ReadLineAsync(CancellationToken.None) ?? "";
    }

    private static long Memory(int process)
    {
        string? line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) >> 10;
    }

    private static async Task WaitForAsync(int port, CancellationToken cancel)
    {
        while (true)
        {
            using TcpClient client = new();
            try
            {
                await client.ConnectAsync("127.0.0.1", port, cancel);
                return;
            }
            catch (SocketException) { await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, cancel); }
        }
    }

    private static int FreePort()
    {
        using TcpListener listener = new(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
