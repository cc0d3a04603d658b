using Microsoft.Extensions.Logging.Abstractions;
using Posthorn.Directory;
using Posthorn.Net;
using Posthorn.Testing;
using Posthorn.Testing.Directories;
using Posthorn.Testing.Time;

namespace Posthorn.DovecotAuth.Tests;

/// <summary>An authentication server over channels in memory.</summary>
internal sealed class AuthHost : ITranscriptHost
{
    private readonly List<Task> _sessions = [];
    private readonly List<Connection> _connections = [];
    private AuthServer? _server;

    public WatchedTime Time { get; } = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    public FakeDirectory Fake { get; } = new("");
    public IDirectory? Directory { get; set; }
    public AuthOptions Options { get; set; } = new() { FailedLoginDelay = TimeSpan.Zero };

    public ValueTask GivenAsync(string text) => throw new FormatException(text);

    public MemoryChannel Connect(ReadSplit serverReads)
    {
        (MemoryChannel client, MemoryChannel server) = MemoryChannel.Pair(serverReads, 1024 * 1024);
        _server ??= new(Options, new(Directory ?? Fake, Time, NullLogger.Instance));
        Connection connection = new(server, new($"s{_connections.Count + 1}"), Time);
        _connections.Add(connection);
        _sessions.Add(ServeAsync(connection));
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Connection connection in _connections) connection.Abort();
        await Task.WhenAll(_sessions).WaitAsync(TimeSpan.FromSeconds(60));
    }

    private async Task ServeAsync(Connection connection)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await using (connection)
        {
            try { await _server!.ServeAsync(connection, CancellationToken.None); }
            catch (IOException) { /* as the listener: the peer has gone */ }
        }
    }
}
