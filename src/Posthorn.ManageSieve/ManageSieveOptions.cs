using Posthorn.Sieve;

namespace Posthorn.ManageSieve;

/// <summary>Every limit of the ManageSieve server, and the language that it checks scripts by. Immutable; a reload brings a new one for new sessions.</summary>
public sealed record ManageSieveOptions
{
    /// <summary>The language as delivery has it: what a script may require here, and its limits.</summary>
    public SieveSettings Sieve { get; init; } = SieveSettings.Default;

    /// <summary>The longest line of a command, octets: two quoted strings of 1,024 octets (RFC 5804 section 4), each perhaps all escapes, and the verb.</summary>
    public int MaxLine { get; init; } = 8 * 1024;

    /// <summary>What a command may hold beside the script, octets: names as literals.</summary>
    public int MaxCommandOverhead { get; init; } = 16 * 1024;

    /// <summary>The longest command with its literals before login, where anybody may make us hold memory. A login with tokens fits.</summary>
    public int MaxCommandBeforeLogin { get; init; } = 16 * 1024;

    /// <summary>The largest refused literal that is read and thrown away; above it closing is cheaper for both.</summary>
    public long MaxSkippedLiteral { get; init; } = 16L * 1024 * 1024;

    /// <summary>Commands in a row that were not understood before the connection is closed.</summary>
    public int MaxBadCommands { get; init; } = 20;

    /// <summary>Wrong logins on one connection before it is closed.</summary>
    public int MaxFailedLogins { get; init; } = 4;

    /// <summary>How long the first wrong login waits for its answer; each further one twice as long.</summary>
    public TimeSpan FailedLoginDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Connections of one account. Clients open one while their window is open.</summary>
    public int MaxConnectionsPerAccount { get; init; } = 20;

    /// <summary>How long a connection may stay without login, whatever it sends meanwhile.</summary>
    public TimeSpan LoginTimeout { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>How long a logged-in session may stay silent: at least 30 minutes (RFC 5804 section 1.2).</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long a client may leave output unread before it is cut off.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromMinutes(3);
}
