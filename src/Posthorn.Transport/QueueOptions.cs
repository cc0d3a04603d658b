namespace Posthorn.Transport;

/// <summary>How the queue works.</summary>
public sealed record QueueOptions
{
    /// <summary>Messages in the queue at most; beyond it mail for others gets 452 4.3.1. 200,000: about 200 MB of memory in the worst case.</summary>
    public int MaxMessages { get; init; } = 200_000;

    /// <summary>Messages of one sender that may wait for a time of the sender's own choice (RFC 4865 section 6). 1,000: a year of three a day.</summary>
    public int MaxFuturePerSender { get; init; } = 1_000;

    /// <summary>The wait before the second attempt. Short: most first failures are greylisting or a restart.</summary>
    public TimeSpan FirstRetry { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How much longer each wait is than the one before.</summary>
    public double RetryGrowth { get; init; } = 1.7;

    /// <summary>The longest wait (RFC 5321 section 4.5.4.1: two or three hours are enough for a host that is long down).</summary>
    public TimeSpan MaxRetry { get; init; } = TimeSpan.FromHours(2);

    /// <summary>The share by which each wait is spread, so that a host that comes back is not met by everything at once.</summary>
    public double RetryJitter { get; init; } = 0.2;

    /// <summary>When the sender is told that a message waits; null never.</summary>
    public TimeSpan? DelayWarning { get; init; } = TimeSpan.FromHours(4);

    /// <summary>When a message comes back to its sender (RFC 5321 section 4.5.4.1: four to five days at least).</summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromDays(5);

    /// <summary>Outgoing connections at once. 500: each costs some 50 KB under TLS.</summary>
    public int MaxConnections { get; init; } = 500;

    /// <summary>Connections to one destination at once. 20 as in Postfix: large providers turn more away.</summary>
    public int MaxPerDestination { get; init; } = 20;

    /// <summary>Connections with which a destination that works begins. 5 as in Postfix; before the first success it is one.</summary>
    public int InitialPerDestination { get; init; } = 5;

    /// <summary>Messages at once whose senders are told that a destination which rests cannot be reached, or that time is up. 50: each is a report to be written, and needs no connection.</summary>
    public int MaxNotices { get; init; } = 50;

    /// <summary>Failed connections one after another before a destination that worked rests; a new one rests after its first. 3: one refused connection among twenty says little.</summary>
    public int FailuresUntilRest { get; init; } = 3;

    /// <summary>Recipients in one transaction. 50: below the 100 that every server must take (RFC 5321 section 4.5.3.1.8), as Postfix does.</summary>
    public int MaxRecipientsPerTransaction { get; init; } = 50;
}
