using Posthorn.Transport.Remote;

namespace Posthorn.Transport.Milter;

/// <summary>Connections to filters that wait for the next client (<c>SMFIC_QUIT_NC</c>). One that its filter closes is let go at once.</summary>
/// <remarks>Locking: <c>_gate</c> guards the list; nothing is awaited under it.</remarks>
public sealed class MilterPool(ISmtpConnector connector, TimeProvider time) : IAsyncDisposable
{
    /// <summary>How long one waits at most: a filter that is replaced without closing is not kept from being found out for long.</summary>
    private static readonly TimeSpan MaxIdleTime = TimeSpan.FromMinutes(5);

    private readonly Lock _gate = new();
    private readonly List<Idle> _idle = [];
    private bool _isOver;

    private sealed record Idle((string, int) Service, MilterConnection Connection, DateTimeOffset Since, CancellationTokenSource Taken)
    {
        public Task<bool> Watch { get; set; } = Task.FromResult(true);
    }

    /// <summary>Connections that wait now.</summary>
    internal int Count
    {
        get { lock (_gate) return _idle.Count; }
    }

    /// <summary>A connection to a filter, one that waits or a new one.</summary>
    /// <exception cref="MilterException">It cannot be had.</exception>
    internal async ValueTask<MilterConnection> TakeAsync(MilterOptions options, CancellationToken cancel)
    {
        while (Find(options.Service) is { } idle)
        {
            await idle.Taken.CancelAsync();
            bool isOpen = await idle.Watch;
            idle.Taken.Dispose();
            if (isOpen && time.GetUtcNow() - idle.Since < MaxIdleTime) return idle.Connection;
            await idle.Connection.DisposeAsync();
        }
        return await OpenAsync(options, cancel);
    }

    /// <summary>A new connection.</summary>
    internal ValueTask<MilterConnection> OpenAsync(MilterOptions options, CancellationToken cancel) => MilterConnection.OpenAsync(options, connector, time, cancel);

    /// <summary>Takes a connection back that is ready for another client.</summary>
    internal async ValueTask ReturnAsync(MilterOptions options, MilterConnection connection)
    {
        connection.IsUsed = true;
        Idle idle = new(options.Service, connection, time.GetUtcNow(), new());
        bool keeps;
        lock (_gate)
        {
            keeps = !_isOver && _idle.Count(other => other.Service == idle.Service) < options.MaxIdle;
            if (keeps)
            {
                _idle.Add(idle);
                idle.Watch = WatchAsync(idle);
            }
        }
        if (keeps) return;
        idle.Taken.Dispose();
        await connection.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Idle[] idle;
        lock (_gate)
        {
            _isOver = true;
            idle = [.. _idle];
            _idle.Clear();
        }
        foreach (Idle one in idle)
        {
            await one.Taken.CancelAsync();
            await one.Watch;
            one.Taken.Dispose();
            await one.Connection.DisposeAsync();
        }
    }

    private Idle? Find((string, int) service)
    {
        lock (_gate)
        {
            int at = _idle.FindLastIndex(one => one.Service == service);
            if (at < 0) return null;
            Idle found = _idle[at];
            _idle.RemoveAt(at);
            return found;
        }
    }

    // True when it was taken; false when the filter closed it, or spoke without being asked.
    private async Task<bool> WatchAsync(Idle idle)
    {
        if (await idle.Connection.WaitForNewsAsync(idle.Taken.Token)) return true;
        bool mine;
        lock (_gate) mine = _idle.Remove(idle);
        if (mine)
        {
            idle.Taken.Dispose();
            await idle.Connection.DisposeAsync();
        }
        return false;
    }
}
