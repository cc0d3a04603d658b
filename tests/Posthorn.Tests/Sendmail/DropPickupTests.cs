using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Sendmail;
using Posthorn.Testing;

namespace Posthorn.Tests.Sendmail;

/// <summary>The drop folder, with what other users of the machine may put into it.</summary>
public sealed class DropPickupTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryFolder _folder = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentQueue<string> _got = new();
    private readonly SemaphoreSlim _news = new(0);

    public DropPickupTests()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _news.Dispose();
        _folder.Dispose();
    }

    private string Drop => Path.Combine(_folder.Path, "drop");

    private string Taken => Path.Combine(Drop, ".taken");

    [Fact]
    public async Task A_sender_that_is_refused_for_now_holds_up_nobody()
    {
        Leave(1, "slow@example.org");
        Leave(2, "ann@example.org");
        await using DropPickup pickup = Start();
        Assert.Equal("ann@example.org", await NextAsync());
        Assert.Contains(Folder.GetFiles(Taken), static path => Path.GetFileName(path).StartsWith("1.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_larger_than_any_message_is_not_begun_with()
    {
        string large = Leave(1, "bob@example.org");
        await using (FileStream file = new(large, FileMode.Open)) file.SetLength(1L << 40);
        Leave(2, "ann@example.org");
        await using DropPickup pickup = Start();
        Assert.Equal("ann@example.org", await NextAsync());
        Assert.Contains(Folder.GetFiles(Taken), static path => Path.GetFileName(path).StartsWith("failed-1.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_link_in_the_place_of_its_own_folder_is_not_followed()
    {
        string elsewhere = Path.Combine(_folder.Path, "elsewhere");
        UnixFileMode open = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        Folder.CreateDirectory(elsewhere);
        File.SetUnixFileMode(elsewhere, open);
        string message = Leave(1, "ann@example.org");
        File.CreateSymbolicLink(Taken, elsewhere);
        WatchedLog log = new("drop-failed");
        await using DropPickup pickup = Start(log);
        await log.Told.Task.WaitAsync(Patience);
        Assert.True(File.Exists(message));
        Assert.Empty(Folder.GetFiles(elsewhere));
        Assert.Equal(open, File.GetUnixFileMode(elsewhere));
    }

    [Fact]
    public async Task The_log_says_whose_a_message_was()
    {
        string user = (await File.ReadAllLinesAsync("/proc/self/status", TestContext.Current.CancellationToken)).First(static line => line.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[2];
        string name = Path.GetFileName(Leave(1, "ann@example.org"));
        WatchedLog log = new("drop-taken");
        await using DropPickup pickup = Start(log);
        Assert.Equal($"drop-taken {name} ann@example.org {user} 1 0", await log.Told.Task.WaitAsync(Patience));
    }

    private DropPickup Start(Microsoft.Extensions.Logging.ILogger? log = null) =>
        new(Drop, new(Drop, TimeSpan.Zero), new((IPEndPoint)_listener.LocalEndpoint, "mail.example.org", "example.org") { MaxMessageSize = 1024 * 1024 }, TimeProvider.System, log ?? NullLogger.Instance);

    private string Leave(int number, string from)
    {
        Folder.CreateDirectory(Drop);
        string path = Path.Combine(Drop, $"{number:x}.{new string('a', 32)}");
        File.WriteAllText(path, $"posthorn-drop 1\nfrom {from}\nto bob@example.org\n\nSubject: x\n\ntext\n");
        return path;
    }

    private async Task<string> NextAsync()
    {
        Assert.True(await _news.WaitAsync(Patience));
        return _got.TryDequeue(out string? from) ? from : "";
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync();
                _ = ServeAsync(client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException) { /* the test ends */ }
    }

    // Takes all mail but that of slow@example.org.
    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            using StreamReader reader = new(client.GetStream(), Encoding.ASCII);
            await using StreamWriter writer = new(client.GetStream(), Encoding.ASCII) { NewLine = "\r\n", AutoFlush = true };
            string from = "";
            await writer.WriteLineAsync("220 mail.example.org ESMTP");
            try
            {
                while (await reader.ReadLineAsync() is { } line)
                {
                    if (line.StartsWith("MAIL", StringComparison.Ordinal)) from = line.Split('<', '>')[1];
                    await writer.WriteLineAsync(line.Split(' ')[0] switch
                    {
                        "MAIL" when from == "slow@example.org" => "450 4.7.1 Later",
                        "DATA" => "354 Go on",
                        "QUIT" => "221 Bye",
                        _ => "250 OK",
                    });
                    if (line != "DATA") continue;
                    string? text;
                    do text = await reader.ReadLineAsync();
                    while (text is not (null or "."));
                    if (text is null) return; // whoever hangs up before the end has sent nothing
                    await writer.WriteLineAsync("250 2.0.0 Taken");
                    _got.Enqueue(from);
                    _news.Release();
                }
            }
            catch (IOException) { /* it went away */ }
        }
    }

    private sealed class WatchedLog(string name) : Microsoft.Extensions.Logging.ILogger
    {
        public TaskCompletionSource<string> Told { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(Microsoft.Extensions.Logging.LogLevel logLevel) => true;

        public void Log<TState>(Microsoft.Extensions.Logging.LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Name == name) Told.TrySetResult(formatter(state, exception));
        }
    }
}
