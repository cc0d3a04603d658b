using System.Diagnostics;
using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>Many IMAP clients at once, each in a thread that waits for its answers; the rate of what they do and what each costs.</summary>
internal abstract class ImapLoadRow : Row
{
    internal int Clients { get; init; } = 20;
    internal int Ours { get; init; } = 20_000;
    internal int Peers { get; init; } = 5_000;

    /// <summary>Mail that each account has in its INBOX.</summary>
    protected const int Mail = 100;

    internal override int Users => Clients;

    internal override Measure Run(MailServer server, RunScope scope)
    {
        for (int i = 0; i < Clients; i++) Fill(server, User(scope, i), scope.Quick ? 5 : Mail);
        server.WaitUntilQuiet();
        int each = Math.Max(1, scope.Scale(Ours, Peers) / Clients);
        double cpu = server.Meter.Cpu(), machine = ServerMeter.MachineCpu(), own = OwnCpu();
        long start = Stopwatch.GetTimestamp();
        long done = 0;
        Exception? failure = null;
        Thread[] threads = [.. Enumerable.Range(0, Clients).Select(i => new Thread(() =>
        {
            try
            {
                Interlocked.Add(ref done, Work(server, User(scope, i), i, each));
            }
            catch (Exception e)
            {
                failure = e;
            }
        }, maxStackSize: 256 * 1024))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        if (failure is not null) throw new IOException($"{server.Name}: {failure.Message}", failure);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds, client = OwnCpu() - own;
        if (!scope.IsPeer || !scope.Quick) server.WaitUntilQuiet();
        double used = server.Meter.Cpu() - cpu;
        double foreign = Math.Max(0, ServerMeter.MachineCpu() - machine - used - client) / seconds / Environment.ProcessorCount * 100;
        return new(done / seconds, used / done * 1000, client / done * 1000, foreign);
    }

    /// <summary>What one client does; how many units that were.</summary>
    protected abstract long Work(MailServer server, string user, int client, int units);

    protected static ImapClient Connect(MailServer server, string user)
    {
        ImapClient client = new(server.ImapPort, buffer: 64 * 1024);
        client.Run($"LOGIN {user} pass");
        return client;
    }

    private static string User(RunScope scope, int client) => $"user{scope.FirstUser + client}@bench.test";

    private static double OwnCpu() => Environment.CpuUsage.TotalTime.TotalSeconds;

    private static void Fill(MailServer server, string user, int count)
    {
        using ImapClient client = Connect(server, user);
        client.Append("INBOX", Enumerable.Range(0, count).Select(VariedMail.Message));
        client.Run("CREATE Filed");
    }
}

/// <summary>Log in, select, log out, each over a connection of its own.</summary>
internal sealed class LoginRow : ImapLoadRow
{
    internal override string Unit => "sessions/s";

    protected override long Work(MailServer server, string user, int client, int units)
    {
        for (int i = 0; i < units; i++)
        {
            using ImapClient session = Connect(server, user);
            session.Run("SELECT INBOX");
            session.Run("LOGOUT");
        }

        return units;
    }
}

/// <summary>What mail programs do all day: list, status, select, fetch, store, append, expunge.</summary>
internal sealed class MixedImapRow : ImapLoadRow
{
    internal override string Unit => "commands/s";

    protected override long Work(MailServer server, string user, int client, int units)
    {
        using ImapClient session = Connect(server, user);
        Random random = new(client);
        byte[][] letter = [VariedMail.Message(client % 4)];
        int appended = 0;
        session.Run("SELECT INBOX");
        for (int done = 1; ; done++)
        {
            if (done >= units) return done;
            int message = 1 + random.Next(4);
            switch (random.Next(12))
            {
                case 0: session.Run("LIST \"\" *"); break;
                case 1: session.Run("STATUS Filed (MESSAGES UNSEEN UIDNEXT)"); break;
                case 2: session.Run("SELECT INBOX"); break;
                case 3 or 4: session.Run("UID FETCH 1:* (FLAGS)"); break;
                case 5 or 6: session.Run($"FETCH {message} (FLAGS ENVELOPE BODYSTRUCTURE)"); break;
                case 7 or 8: session.Run($"FETCH {message} BODY.PEEK[]"); break;
                case 9: session.Run($"STORE {message} +FLAGS (\\Seen)"); break;
                case 11 when appended > 0:
                    session.Run("STORE * +FLAGS.SILENT (\\Deleted)");
                    session.Run("EXPUNGE");
                    (done, appended) = (done + 1, appended - 1);
                    break;
                default:
                    session.Append("INBOX", letter);
                    appended++;
                    break;
            }
        }
    }
}

/// <summary>STORE of one flag on one message after another, one session.</summary>
internal sealed class SingleStoreRow : ImapLoadRow
{
    internal override string Unit => "commands/s";

    protected override long Work(MailServer server, string user, int client, int units)
    {
        using ImapClient session = Connect(server, user);
        session.Run("SELECT INBOX");
        for (int i = 0; i < units; i++) session.Run($"STORE {1 + i % 5} {(i / 5 % 2 == 0 ? '+' : '-')}FLAGS (\\Flagged)");
        return units;
    }
}
