using System.Diagnostics;
using System.Globalization;
using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>How long one IMAP command takes over the big mailbox, or over a copy of it; the median of several sessions.</summary>
/// <remarks>In all commands <c>{all}</c> is the number of messages and <c>{half}</c> its half.</remarks>
internal sealed class CommandRow : Row
{
    internal required string Command { get; init; }

    /// <summary>Commands before it, without the first SELECT, and after it.</summary>
    internal string[] Before { get; init; } = [];

    internal string[] After { get; init; } = [];

    /// <summary>Whether the mailbox is selected first.</summary>
    internal bool Selects { get; init; } = true;

    /// <summary>Whether the server is started anew for it.</summary>
    internal bool IsFirst { get; init; }

    internal bool Tls { get; init; }

    /// <summary>Sessions of one run.</summary>
    internal int Times { get; init; } = 5;

    internal override string Unit => "ms";

    internal override bool HigherIsBetter => false;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        BigMailbox mailbox = BigMailbox.On(server, scope.Quick);
        if (IsFirst) mailbox.Restart(Full(mailbox, Command));
        int times = scope.Quick || IsFirst ? 1 : Times;
        double[] took = [.. Enumerable.Range(0, times).Select(_ => Once(mailbox)).Order()];
        return new(took[took.Length / 2]);
    }

    private double Once(BigMailbox mailbox)
    {
        using ImapClient client = mailbox.Connect(Tls);
        if (Selects) client.Run("SELECT " + BigMailbox.Name);
        foreach (string command in Before) client.Run(Full(mailbox, command));
        string measured = Full(mailbox, Command);
        long start = Stopwatch.GetTimestamp();
        client.Run(measured);
        double took = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        foreach (string command in After) client.Run(Full(mailbox, command));
        client.Run("LOGOUT");
        return took;
    }

    private static string Full(BigMailbox mailbox, string command) => command
        .Replace("{all}", mailbox.Count.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
        .Replace("{half}", (mailbox.Count / 2).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
