namespace Posthorn.Imap.Session;

/// <summary>How many commands a session may send in a second: a burst of twice as many, then as many as flow in (a token bucket). Whoever sends more is answered later.</summary>
/// <remarks>Refusing would make clients that synchronise in good faith fail; waiting only makes them slower, and the socket's own flow control holds back the rest.</remarks>
internal sealed class CommandPace(int perSecond, TimeProvider time)
{
    private double _tokens = perSecond * 2.0;
    private long _last = time.GetTimestamp();

    /// <summary>Whether the session was told that it is being slowed down.</summary>
    public bool WasTold { get; set; }

    /// <summary>Takes one command in; how long it has to wait.</summary>
    public TimeSpan Take()
    {
        if (perSecond <= 0) return TimeSpan.Zero;
        long now = time.GetTimestamp();
        _tokens = Math.Min(perSecond * 2.0, _tokens + time.GetElapsedTime(_last, now).TotalSeconds * perSecond) - 1;
        _last = now;
        return _tokens >= 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(-_tokens / perSecond);
    }
}
