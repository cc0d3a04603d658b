using System.Diagnostics;

namespace Posthorn.Bench.Load;

/// <summary>How mail is brought.</summary>
public enum LoadKind
{
    Smtp,
    Lmtp,
    Append,
}

/// <summary>One load: what is sent, where, by how many, how.</summary>
public sealed record LoadPlan
{
    public required LoadKind Kind { get; init; }
    public required int Port { get; init; }
    public required int Messages { get; init; }
    public required LoadMessage Message { get; init; }

    /// <summary>Sessions at a time.</summary>
    public int Sessions { get; init; } = 1;

    /// <summary>Whether a session keeps its connection; otherwise each message has one of its own (SMTP and LMTP).</summary>
    public bool Kept { get; init; }

    /// <summary>Whether MAIL, RCPT and DATA go out together (RFC 2920).</summary>
    public bool Pipelined { get; init; }

    /// <summary>The first of the accounts <c>userN@bench.test</c> that get mail, and how many there are. Message <c>n</c> goes to the account <c>First + n % Users</c>.</summary>
    public int FirstUser { get; init; }

    public int Users { get; init; } = 100;
    public string Domain { get; init; } = "bench.test";
    public string Password { get; init; } = "pass";

    /// <summary>The mailbox of APPEND.</summary>
    public string Mailbox { get; init; } = "INBOX";

    /// <summary>APPENDs under way at a time: 1 waits for each continuation and each OK, more use LITERAL+ (RFC 7888).</summary>
    public int Window { get; init; } = 1;

    /// <summary>How long the server may say nothing at all.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    public string UserOf(int message) => $"user{FirstUser + message % Users}@{Domain}";
}

/// <summary>What came of a load.</summary>
/// <param name="Seconds">From the first connection to the last answer.</param>
/// <param name="ClientCpu">CPU seconds of the driver.</param>
/// <param name="Median">The middle time from the start of a message (its connection, where it has one of its own) to its answer, in milliseconds.</param>
/// <param name="Late">The time that 99 of 100 stayed below.</param>
public sealed record LoadResult(int Messages, double Seconds, double ClientCpu, double Median, double Late)
{
    public double Rate => Messages / Seconds;
}

/// <summary>Runs loads.</summary>
public static class LoadDriver
{
    /// <exception cref="IOException">The server refused, closed or went silent.</exception>
    public static LoadResult Run(LoadPlan plan)
    {
        if (plan.Kind == LoadKind.Append && plan.Sessions != 1) throw new ArgumentException("APPEND uses one session.", nameof(plan));
        Counter counter = new(plan.Messages);
        List<Wire> sessions = [];
        for (int i = 0; i < Math.Min(plan.Sessions, plan.Messages); i++) sessions.Add(plan.Kind == LoadKind.Append ? new AppendSession(plan, counter) : new MailSession(plan, counter));
        using Process self = Process.GetCurrentProcess();
        TimeSpan cpu = self.TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        EventLoop.Run(sessions, plan.Patience);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        self.Refresh();
        double used = (self.TotalProcessorTime - cpu).TotalSeconds;
        return new(counter.Done, seconds, used, counter.Quantile(0.5), counter.Quantile(0.99));
    }
}

/// <summary>Hands out the messages' numbers and keeps their times.</summary>
internal sealed class Counter(int messages)
{
    private readonly long[] _ticks = new long[messages];
    private int _next;

    internal int Done { get; private set; }

    /// <summary>The next number; negative when all are under way.</summary>
    internal int Next() => _next < messages ? _next++ : -1;

    internal void Finish(int number, long begun)
    {
        _ticks[number] = Stopwatch.GetTimestamp() - begun;
        Done++;
    }

    internal double Quantile(double part)
    {
        long[] sorted = [.. _ticks.Where(t => t > 0).Order()];
        return sorted.Length == 0 ? 0 : sorted[(int)(part * (sorted.Length - 1))] * 1000.0 / Stopwatch.Frequency;
    }
}
