using Posthorn.Net;
using Posthorn.Smtp;
using Posthorn.Testing;
using Posthorn.Testing.Time;

namespace Posthorn.Transport.Tests.Fakes;

/// <summary>SMTP sessions over channels in memory, for hosts of transcripts.</summary>
internal sealed class SmtpSessions : IAsyncDisposable
{
    private readonly List<(Connection Connection, Task Session)> _sessions = [];
    private readonly ConnectionSet _set;

    public SmtpSessions() => _set = new(Time);

    public WatchedTime Time { get; } = new(new DateTimeOffset(2026, 11, 23, 0, 0, 0, TimeSpan.Zero));

    public MemoryChannel Connect(SmtpServer server, ReadSplit serverReads, string address = "192.0.2.10")
    {
        (MemoryChannel client, MemoryChannel channel) = MemoryChannel.Pair(serverReads, 1024 * 1024, address);
        Connection connection = new(channel, new("s1"), Time);
        _set.Add(connection);
        _sessions.Add((connection, ServeAsync(server, connection)));
        return client;
    }

    public async ValueTask PassTimeAsync(int connection)
    {
        while (_sessions[connection - 1].Connection.Stopped == StopReason.None && !_sessions[connection - 1].Session.IsCompleted)
        {
            Time.Advance(TimeSpan.FromSeconds(5));
            await Task.Yield();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach ((Connection connection, _) in _sessions) connection.Abort();
        await Task.WhenAll(_sessions.Select(one => one.Session)).WaitAsync(TimeSpan.FromSeconds(60));
        await _set.DisposeAsync();
    }

    private async Task ServeAsync(SmtpServer server, Connection connection)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        await using (connection)
        {
            try { await server.ServeAsync(connection, CancellationToken.None); }
            finally { _set.Remove(connection); }
        }
    }
}
