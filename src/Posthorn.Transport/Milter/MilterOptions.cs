using System.Net;

namespace Posthorn.Transport.Milter;

/// <summary>What becomes of mail when a filter cannot be asked or makes no sense.</summary>
public enum MilterFallback
{
    /// <summary>The client is to try again later.</summary>
    TempFail,
    /// <summary>As if there were no such filter.</summary>
    Accept,
    Reject,
    /// <summary>Take the message, and hold it until somebody has looked.</summary>
    Quarantine,
}

/// <summary>One mail filter that speaks the milter protocol. Immutable.</summary>
public sealed record MilterOptions
{
    /// <summary>For log, trace and people.</summary>
    public required string Name { get; init; }

    /// <summary>Where it listens: an address or a Unix socket.</summary>
    public required EndPoint EndPoint { get; init; }

    /// <summary>The listeners whose mail it sees, by name.</summary>
    public IReadOnlyList<string> Listeners { get; init; } = ["smtp", "submission", "submissions"];

    public MilterFallback Fallback { get; init; } = MilterFallback.TempFail;

    /// <summary>How long connecting and agreeing on terms may take. 30 seconds, as Postfix: a filter on this machine answers in milliseconds, one that is being restarted within seconds.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an answer to a command may take; it is spent while a client waits for its own reply. 30 seconds, as Postfix.</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an answer to the end of a message may take, begun anew with each word of progress. 300 seconds, as Postfix: virus scanners unpack archives there.</summary>
    public TimeSpan ContentTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long one message may take from its first field to the last word of the last filter, progress or not. The client gives up after ten minutes (RFC 5321 section 4.5.3.2.6).</summary>
    public TimeSpan MessageTimeout { get; init; } = TimeSpan.FromMinutes(9);

    /// <summary>The highest version of the protocol that is offered, 2 to 6.</summary>
    public int Version { get; init; } = MilterProtocol.NewestVersion;

    /// <summary>The macro <c>{daemon_name}</c>; null for our host name, as Postfix.</summary>
    public string? DaemonName { get; init; }

    /// <summary>Connections that wait for the next client. 20: above what a busy server needs at one time, below what a filter's threads mind.</summary>
    public int MaxIdle { get; init; } = 20;

    /// <summary>Changes that one message may bring: ten times what the most talkative filters make.</summary>
    public int MaxChanges { get; init; } = 1_000;

    /// <summary>Recipients that a message may have after changes.</summary>
    public int MaxRecipients { get; init; } = 10_000;

    /// <summary>What two options must share to use each other's connections.</summary>
    internal (string, int) Service => (EndPoint.ToString() ?? "", Version);
}
