namespace Posthorn.Transport.Queue;

/// <summary>What is known of a destination's health.</summary>
internal enum Health
{
    /// <summary>Nothing has been delivered there yet.</summary>
    New,
    Working,
    /// <summary>Connections fail; it rests between single probes.</summary>
    Failing,
}

/// <summary>One next hop: the jobs that are due, how many connections it may have, and whether it rests.</summary>
internal sealed class Destination(string key)
{
    public string Key { get; } = key;
    public FairQueue<Job> Ready { get; } = new();
    public int Running { get; set; }
    public int Jobs { get; set; }
    public Health Health { get; private set; }

    /// <summary>Not to be tried before; only where <see cref="Health"/> is failing.</summary>
    public DateTimeOffset RestUntil { get; private set; }

    /// <summary>Why it rests.</summary>
    public SmtpReply? LastFault { get; private set; }

    /// <summary>Among which kind it waits for its turn; null where it does not, or is new: then it does so once for each of its senders.</summary>
    public Health? Ring { get; set; }

    /// <summary>Its place among those that nothing waits for.</summary>
    public LinkedListNode<Destination>? Idle { get; set; }

    /// <summary>What worked so long ago says nothing about today.</summary>
    private static readonly TimeSpan Memory = TimeSpan.FromDays(1);

    private double _window = 1;
    private int _failures;
    private DateTimeOffset _worked;

    /// <summary>Connections that it may have now.</summary>
    public int Window => Health == Health.Working ? (int)_window : 1;

    /// <summary>A connection worked: one more is allowed for each full window of successes.</summary>
    public void Worked(DateTimeOffset now, QueueOptions options)
    {
        if (Health != Health.Working) _window = Math.Min(options.InitialPerDestination, options.MaxPerDestination);
        else _window = Math.Min(options.MaxPerDestination, _window + 1 / _window);
        (Health, _failures, LastFault, _worked) = (Health.Working, 0, null, now);
    }

    /// <summary>There is something to do again: with as many connections as in the beginning.</summary>
    public void Resume(QueueOptions options) => _window = Math.Min(_window, options.InitialPerDestination);

    /// <summary>Where nothing is under way or ready: it is new again when its last success is too old.</summary>
    public void Age(DateTimeOffset now)
    {
        if (Health == Health.Working && now - _worked > Memory) (Health, _window, _failures) = (Health.New, 1, 0);
    }

    /// <summary>A connection failed, or the whole host put us off.</summary>
    public void Failed(SmtpReply reply, DateTimeOffset now, QueueOptions options)
    {
        _failures++;
        LastFault = reply;
        _window = Math.Max(1, _window - 1 / _window);
        if (Health == Health.Working && _failures < options.FailuresUntilRest) return;
        int rests = Health == Health.Working ? 1 : _failures;
        Health = Health.Failing;
        RestUntil = now + Retry.Interval(rests, options);
    }

    /// <summary>The operator wants it tried now.</summary>
    public void EndRest(DateTimeOffset now)
    {
        if (RestUntil > now) RestUntil = now;
    }

    public bool IsResting(DateTimeOffset now) => Health == Health.Failing && RestUntil > now;
}

/// <summary>How long to wait before an attempt.</summary>
internal static class Retry
{
    /// <summary>The wait after so many attempts: growing, bounded, spread.</summary>
    public static TimeSpan Interval(int attempts, QueueOptions options)
    {
        double growth = Math.Pow(options.RetryGrowth, Math.Clamp(attempts - 1, 0, 60));
        double ticks = Math.Min(options.MaxRetry.Ticks, options.FirstRetry.Ticks * growth);
        return Core.Jitter.Spread(TimeSpan.FromTicks((long)ticks), options.RetryJitter);
    }
}
