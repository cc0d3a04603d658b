using System.Diagnostics;
using System.Globalization;
using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Growth;

/// <summary>What many idle connections cost, and how soon all of one account's sessions hear of new mail among them.</summary>
internal sealed class IdleGrowth(MailServer server)
{
    /// <summary>Idle sessions of each account; with those that append, some of which may not have been seen to end, no more than an account may have.</summary>
    private const int PerAccount = 90;
    private const int Rounds = 20;
    private static readonly byte[] Message = "From: a@example.org\r\nSubject: new\r\n\r\nnews\r\n"u8.ToArray();

    internal Plot Run(IReadOnlyList<int> counts)
    {
        List<(double, double)> memory = [], median = [], worst = [], login = [];
        foreach (int count in counts)
        {
            server.Start();
            List<ImapClient> sessions = [];
            try
            {
                server.WaitUntilQuiet();
                double before = server.Meter.ProportionalKiB();
                long started = Stopwatch.GetTimestamp();
                for (int i = 0; i < count; i++) sessions.Add(Open(i));
                login.Add((count, Stopwatch.GetElapsedTime(started).TotalMilliseconds / count));
                server.WaitUntilQuiet();
                Thread.Sleep(2000); // what was set up for a moment is given back by then
                memory.Add((count, (server.Meter.ProportionalKiB() - before) / count));
                double[] times = [.. Enumerable.Range(0, Rounds).Select(round => Announce(sessions, round)).Order()];
                median.Add((count, times[Rounds / 2]));
                worst.Add((count, times[^1]));
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{count} connections: {memory[^1].Item2:F1} KiB each; new mail heard by all {Math.Min(PerAccount, count)} sessions of its account after {times[Rounds / 2]:F1} ms, at worst {times[^1]:F1} ms"));
            }
            finally
            {
                foreach (ImapClient session in sessions) session.Dispose();
                server.End();
            }
        }

        return new("Idle connections in clear text", "connections", "ms; KiB", [
            new("memory for each connection, all of the growth, KiB", memory),
            new("APPEND until all 90 sessions of the account have heard, median, ms", median),
            new("the same, the worst of 20, ms", worst),
            new("connect, log in, EXAMINE, IDLE; one by one, ms", login)]);
    }

    private ImapClient Open(int i)
    {
        ImapClient session = new(server.ImapPort, buffer: 1024, from: new([127, 0, 1, (byte)(1 + i % 200)]));
        session.Run($"LOGIN user{i / PerAccount}@bench.test pass");
        session.Run("EXAMINE INBOX");
        session.Idle();
        return session;
    }

    // From the first octet of the command to the last session's word; the message is stored for good meanwhile.
    private double Announce(List<ImapClient> sessions, int round)
    {
        int account = round * 7 % Math.Max(1, sessions.Count / PerAccount);
        ImapClient[] listeners = [.. sessions.Skip(account * PerAccount).Take(PerAccount)];
        using ImapClient writer = new(server.ImapPort);
        writer.Run($"LOGIN user{account}@bench.test pass");
        long started = Stopwatch.GetTimestamp();
        writer.Append("INBOX", [Message]);
        foreach (ImapClient listener in listeners)
            while (!listener.ReadLine().Contains("EXISTS", StringComparison.Ordinal)) { }
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }
}
