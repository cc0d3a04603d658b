using System.Globalization;
using Posthorn.Bench.Compare.Report;
using Posthorn.Bench.Compare.Rows;
using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare;

/// <summary>Runs rows on both servers, in turn.</summary>
internal sealed class Comparison(MailServer peer, MailServer ours, int runs, bool quick)
{
    private readonly string _mark = Environment.ProcessId.ToString("x", CultureInfo.InvariantCulture);
    private int _nextUser;
    private int _tag;

    /// <summary>How many accounts the servers need for some rows.</summary>
    internal static int UsersFor(IReadOnlyList<Row> rows, int runs) => WarmUsers + rows.Sum(row => row.Users) * runs;

    private const int WarmUsers = 100;

    internal RowResult Run(Row row)
    {
        Side theirs = new() { Version = peer.Version, Values = [], Cpu = [] };
        Side mine = new() { Version = ours.Version, Values = [], Cpu = [] };
        double foreign = 0;
        List<double> client = [];
        if (row.NeedsRunning) EnsureRunning();
        else EnsureStopped();
        for (int run = 0; run < runs; run++)
        {
            if (_nextUser == 0) _nextUser = WarmUsers;
            int first = _nextUser;
            _nextUser += row.Users;

            // Who goes first changes, so that what slowly drifts hits both.
            foreach (MailServer server in (MailServer[])(run % 2 == 0 ? [peer, ours] : [ours, peer]))
            {
                RunScope scope = new(first, quick, ReferenceEquals(server, peer), $"{_mark}.{_tag++}");
                Measure measure = row.NeedsRunning ? Alone(server, () => row.Run(server, scope)) : row.Run(server, scope);
                Side side = scope.IsPeer ? theirs : mine;
                side.Values.Add(Math.Round(measure.Value, 4));
                if (measure.Cpu is { } cpu) side.Cpu.Add(Math.Round(cpu, 4));
                if (measure.ClientCpu is { } driver && !scope.IsPeer) client.Add(driver);
                foreign = Math.Max(foreign, measure.Foreign ?? 0);
                Console.Error.WriteLine($"{row.Id} run {run + 1}: {server.Name} {Table.Number(measure.Value)} {row.Unit}"
                    + (measure.Cpu is { } c ? $", CPU {Table.Number(c)} ms each, driver {Table.Number(measure.ClientCpu)} ms, others {Table.Number(measure.Foreign)} % of the machine" : ""));
            }
        }

        return RowResult.Of(row, theirs, mine, client.Count == 0 ? null : Math.Round(client.Average(), 4), row.NeedsRunning ? Math.Round(foreign, 1) : null);
    }

    private Measure Alone(MailServer server, Func<Measure> run)
    {
        MailServer other = ReferenceEquals(server, peer) ? ours : peer;
        other.Pause();
        try
        {
            return run();
        }
        finally
        {
            other.Resume();
        }
    }

    private void EnsureRunning()
    {
        foreach (MailServer server in (MailServer[])[peer, ours])
        {
            if (server.Roots.Count > 0) continue;
            server.Start();
            WarmUp(server);
        }
    }

    private void EnsureStopped()
    {
        foreach (MailServer server in (MailServer[])[peer, ours])
            if (server.Roots.Count > 0) server.End();
    }

    // A server that has been up for a while: processes are there, code is compiled.
    private void WarmUp(MailServer server)
    {
        bool isPeer = ReferenceEquals(server, peer);
        int messages = quick ? 100 : isPeer ? 1_000 : 15_000;
        foreach (LoadKind kind in (LoadKind[])[LoadKind.Lmtp, LoadKind.Smtp])
        {
            LoadDriver.Run(new()
            {
                Kind = kind,
                Port = kind == LoadKind.Smtp ? server.SmtpPort : server.LmtpPort,
                Messages = messages,
                Message = new(4096, $"{_mark}.w{_tag++}"),
                Sessions = 20,
                Users = WarmUsers,
            });
        }

        string warm = $"Warm{_tag}"; // a server that was started again has the mailbox of its last start
        Imap.Run(server.ImapPort, "user0@bench.test", $"CREATE {warm}");
        LoadDriver.Run(new() { Kind = LoadKind.Append, Port = server.ImapPort, Messages = messages / 4, Message = new(4096, $"{_mark}.w{_tag++}"), Users = 1, Mailbox = warm, Window = 20 });
        server.WaitUntilQuiet();
    }
}
