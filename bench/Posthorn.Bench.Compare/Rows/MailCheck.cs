using System.Diagnostics;
using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Rows;

/// <summary>Whether everything that was accepted is in the mailboxes: each message once, whole, where it belongs.</summary>
internal sealed class MailCheck(MailServer server, LoadPlan plan, int already)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Waits until all files are there; the time when the last one came.</summary>
    /// <remarks>A directory's time is that of its last change, so looking now and then is exact.</remarks>
    internal DateTime WaitForAll()
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            int count = Directories().Sum(d => Directory.Exists(d) ? Directory.EnumerateFiles(d).Count() : 0);
            if (count >= plan.Messages + already) return Directories().Where(Directory.Exists).Max(Directory.GetLastWriteTimeUtc);
            if (Stopwatch.GetElapsedTime(start) > Patience) throw new IOException($"{server.Name}: {count} messages of {plan.Messages + already} are in the mailboxes");
            Thread.Sleep(50);
        }
    }

    /// <exception cref="IOException">Something is missing, twice, elsewhere or changed.</exception>
    internal void Verify()
    {
        bool[] seen = new bool[plan.Messages];
        int others = 0;
        for (int user = plan.FirstUser; user < plan.FirstUser + plan.Users; user++)
        {
            foreach (string directory in Directories(user).Where(Directory.Exists))
            {
                foreach (string file in Directory.EnumerateFiles(directory))
                {
                    if (plan.Message.NumberOf(File.ReadAllBytes(file)) is not { } number)
                    {
                        others++;
                        continue;
                    }

                    if (number >= seen.Length || seen[number]) throw new IOException($"{server.Name}: message {number} is there twice: {file}");
                    if (plan.UserOf(number) != $"user{user}@{plan.Domain}") throw new IOException($"{server.Name}: message {number} is in the wrong mailbox: {file}");
                    seen[number] = true;
                }
            }
        }

        int missing = seen.Count(s => !s);
        if (missing > 0 || others != already) throw new IOException($"{server.Name}: {missing} messages are missing or changed, {others - already} are there that were not sent");
    }

    private IEnumerable<string> Directories() => Enumerable.Range(plan.FirstUser, plan.Users).SelectMany(Directories);

    private IEnumerable<string> Directories(int user)
    {
        string folder = server.Maildir(user, plan.Mailbox);
        yield return Path.Combine(folder, "new");
        yield return Path.Combine(folder, "cur");
    }
}
