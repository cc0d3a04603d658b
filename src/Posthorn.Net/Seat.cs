namespace Posthorn.Net;

/// <summary>Where clients of one protocol wait until they have logged in: so many at once, in the order in which they came.</summary>
/// <remarks>Locking: the room is its own lock, held for a few instructions.</remarks>
internal sealed class LoginRoom(TimeProvider time)
{
    private readonly LinkedList<Seat> _waiting = new();

    /// <summary>Lets one in. Where there are as many as may be, whoever has waited longer than <paramref name="grace"/> goes; else the new one stays outside.</summary>
    public bool TryEnter(Seat seat, int most, TimeSpan grace)
    {
        Seat? oldest = null;
        lock (_waiting)
        {
            if (_waiting.Count >= most)
            {
                oldest = _waiting.First?.Value;
                if (oldest is null || time.GetElapsedTime(oldest.Since) <= grace) return false;
                Take(oldest);
            }
            Put(seat);
        }
        oldest?.Connection.Stop(StopReason.Timeout);
        return true;
    }

    /// <summary>It has logged out: it waits again, behind all others.</summary>
    public void Return(Seat seat)
    {
        lock (_waiting)
            if (seat.Place is null) Put(seat);
    }

    public void Leave(Seat seat)
    {
        lock (_waiting) Take(seat);
    }

    private void Put(Seat seat)
    {
        seat.Since = time.GetTimestamp();
        seat.Place = _waiting.AddLast(seat);
    }

    private void Take(Seat seat)
    {
        if (seat.Place is { } place) _waiting.Remove(place);
        seat.Place = null;
    }
}

/// <summary>A connection's place among all: whose part it is counted to, and whether it still waits for its login.</summary>
internal sealed class Seat(Connection connection, bool isTransfer, LoginRoom? room)
{
    public Connection Connection => connection;

    public bool IsTransfer => isTransfer;

    /// <summary>When it began to wait. Guarded by the room, as is <see cref="Place"/>.</summary>
    public long Since { get; set; }

    /// <summary>Its place in the room; null when it does not wait.</summary>
    public LinkedListNode<Seat>? Place { get; set; }

    public void Return() => room?.Return(this);

    public void LeaveRoom() => room?.Leave(this);
}
