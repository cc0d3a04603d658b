using System.Collections.Concurrent;
using System.Net;

namespace Posthorn.Net;

/// <summary>All open connections of the server: counts them by address, watches deadlines with one timer, stops them at shutdown.</summary>
public sealed class ConnectionSet : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Connection, IPAddress?> _open = new();
    private readonly ConcurrentDictionary<IPAddress, int> _byAddress = new();
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private volatile TaskCompletionSource? _empty;

    public ConnectionSet(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(_ => Sweep(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    public int Count => _open.Count;

    /// <summary>The length of IPv6 networks that count as one address.</summary>
    public int IPv6Prefix { get; init; } = AddressGroup.DefaultPrefix;

    /// <summary>Open connections from an address, a network counting as one for IPv6.</summary>
    public int CountFrom(IPAddress address) => _byAddress.GetValueOrDefault(AddressGroup.Of(address, IPv6Prefix));

    /// <summary>Adds one; a proxy's counts for nobody until <see cref="Attribute"/> says for whom it speaks.</summary>
    public void Add(Connection connection, bool isProxy = false)
    {
        _open[connection] = null;
        if (!isProxy) Attribute(connection);
        if (_empty is not null) connection.Stop(StopReason.Shutdown); // came in while the rest was being stopped
    }

    /// <summary>Counts a connection for the address that it has now.</summary>
    public void Attribute(Connection connection)
    {
        IPAddress group = AddressGroup.Of(connection.RemoteAddress, IPv6Prefix);
        if (!_open.TryUpdate(connection, group, null)) return;
        _byAddress.AddOrUpdate(group, 1, (_, n) => n + 1);
    }

    public void Remove(Connection connection)
    {
        if (!_open.TryRemove(connection, out IPAddress? group)) return;
        if (group is not null && _byAddress.AddOrUpdate(group, 0, (_, n) => n - 1) == 0) _byAddress.TryRemove(new(group, 0));
        if (_open.IsEmpty) _empty?.TrySetResult();
    }

    /// <summary>Accounts have changed: sessions whose login holds no more are asked to say goodbye.</summary>
    public void Review()
    {
        foreach (Connection connection in _open.Keys)
            if (connection.StillHolds is { } stillHolds && !stillHolds()) connection.Stop(StopReason.Revoked);
    }

    /// <summary>Asks every session to say goodbye, waits for them up to <paramref name="grace"/>, then breaks the rest.</summary>
    public async Task StopAllAsync(TimeSpan grace)
    {
        _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (Connection connection in _open.Keys) connection.Stop(StopReason.Shutdown);
        if (_open.IsEmpty) return;
        try { await _empty.Task.WaitAsync(grace, _time); }
        catch (TimeoutException)
        {
            foreach (Connection connection in _open.Keys) connection.Abort();
        }
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private void Sweep()
    {
        long now = _time.GetTimestamp();
        foreach (Connection connection in _open.Keys)
            if (connection.IsOverdue(now)) connection.Stop(StopReason.Timeout);
    }
}
