using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Posthorn.Net;

/// <summary>All open connections of the server: counts them by address, watches deadlines with one timer, stops them at shutdown.</summary>
public sealed class ConnectionSet : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Connection, IPAddress?> _open = new();
    private readonly ConcurrentDictionary<(IPAddress Network, int Prefix), int> _byNetwork = new();
    private readonly ConcurrentDictionary<string, LoginRoom> _rooms = new();
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private volatile TaskCompletionSource? _empty;
    private int _transfers;
    private int _others;

    public ConnectionSet(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(_ => Sweep(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    public int Count => _open.Count;

    /// <summary>The length of IPv6 networks that count as one address.</summary>
    public int IPv6Prefix { get; init; } = AddressGroup.DefaultPrefix;

    /// <summary>Open connections from an address, a network counting as one for IPv6.</summary>
    public int CountFrom(IPAddress address) => CountFrom(address, IPv6Prefix);

    /// <summary>As many are open from there as may be: from the address, or from a larger network of IPv6 to which it belongs.</summary>
    public bool IsFull(IPAddress address, ConnectionLimits limits) =>
        CountFrom(address, IPv6Prefix) >= limits.PerAddress
        || address.AddressFamily == AddressFamily.InterNetworkV6 && (CountFrom(address, 56) >= limits.Per56 || CountFrom(address, 48) >= limits.Per48);

    /// <summary>Adds one where its share has room; a proxy's counts for nobody until <see cref="Attribute"/> says for whom it speaks.</summary>
    public bool TryAdd(Connection connection, ConnectionShare? share, ConnectionLimits limits, bool isProxy = false)
    {
        bool isTransfer = share is { NeedsLogin: false };
        LoginRoom? room = share is { NeedsLogin: true } ? _rooms.GetOrAdd(share.Protocol, static (_, time) => new(time), _time) : null;
        Seat seat = new(connection, isTransfer, room);
        ref int taken = ref isTransfer ? ref _transfers : ref _others;
        bool fits = Interlocked.Increment(ref taken) <= limits.MostOf(share) && Volatile.Read(ref _transfers) + Volatile.Read(ref _others) <= limits.Total;
        if (!fits || room?.TryEnter(seat, limits.MostBeforeLogin, limits.LoginGrace) == false)
        {
            Interlocked.Decrement(ref taken);
            return false;
        }
        connection.Seat = seat;
        Add(connection, isProxy);
        return true;
    }

    /// <summary>Adds one that is counted to no share.</summary>
    public void Add(Connection connection, bool isProxy = false)
    {
        _open[connection] = null;
        if (!isProxy) Attribute(connection);
        if (_empty is not null) connection.Stop(StopReason.Shutdown); // came in while the rest was being stopped
    }

    /// <summary>Counts a connection for the address that it has now.</summary>
    public void Attribute(Connection connection)
    {
        if (_open.TryUpdate(connection, connection.RemoteAddress, null)) Note(connection.RemoteAddress, 1);
    }

    public void Remove(Connection connection)
    {
        if (!_open.TryRemove(connection, out IPAddress? address)) return;
        if (address is not null) Note(address, -1);
        if (connection.Seat is { } seat)
        {
            seat.LeaveRoom();
            Interlocked.Decrement(ref seat.IsTransfer ? ref _transfers : ref _others);
        }
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

    private int CountFrom(IPAddress address, int prefix) => _byNetwork.GetValueOrDefault((AddressGroup.Of(address, prefix), prefix));

    private void Note(IPAddress address, int more)
    {
        Note(address, IPv6Prefix, more);
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return;
        if (IPv6Prefix != 56) Note(address, 56, more);
        if (IPv6Prefix != 48) Note(address, 48, more);
    }

    private void Note(IPAddress address, int prefix, int more)
    {
        (IPAddress, int) network = (AddressGroup.Of(address, prefix), prefix);
        if (_byNetwork.AddOrUpdate(network, static (_, change) => change, static (_, n, change) => n + change, more) == 0) _byNetwork.TryRemove(new(network, 0));
    }

    private void Sweep()
    {
        long now = _time.GetTimestamp();
        foreach (Connection connection in _open.Keys)
            if (connection.IsOverdue(now)) connection.Stop(StopReason.Timeout);
    }
}
