using System.Diagnostics;
using System.Globalization;
using System.Text;
using Posthorn.Bench.Compare.Servers;
using Posthorn.Bench.Load;

namespace Posthorn.Bench.Compare.Growth;

/// <summary>What commands cost in a mailbox that grows: the same work at each size, the median of several times.</summary>
internal sealed class MailboxGrowth(MailServer server)
{
    private const int Times = 5;
    private const int Originals = 1_000;
    private const string User = "user0@bench.test";

    private static readonly (string Name, string[] Commands)[] Works =
    [
        ("SELECT, nobody else has it open", ["SELECT INBOX", "UNSELECT"]),
        ("FETCH 1:* FLAGS", ["FETCH 1:* FLAGS"]),
        ("UID SEARCH UNSEEN", ["UID SEARCH UNSEEN"]),
        ("SORT (ARRIVAL)", ["SORT (ARRIVAL) UTF-8 ALL"]),
        ("FETCH of the last message's ENVELOPE", ["FETCH * (FLAGS ENVELOPE)"]),
        ("STORE of one flag, and back", ["STORE * +FLAGS.SILENT (\\Flagged)", "STORE * -FLAGS.SILENT (\\Flagged)"]),
        ("COPY of one message into it", ["COPY * INBOX"]),
    ];

    internal Plot Run(IReadOnlyList<int> sizes)
    {
        Dictionary<string, List<(double, double)>> found = [];
        server.Start();
        using (ImapClient client = LogIn()) client.Append("INBOX", Enumerable.Range(0, Originals).Select(Message));
        int count = Originals;
        foreach (int size in sizes)
        {
            Grow(ref count, size);
            server.WaitUntilQuiet();
            server.End();
            server.Start();
            using ImapClient client = LogIn();
            Note("SELECT after a restart", Milliseconds(client, ["SELECT INBOX"]));
            client.Run("UNSELECT");
            foreach ((string name, string[] commands) in Works)
            {
                bool opens = commands[0].StartsWith("SELECT", StringComparison.Ordinal);
                if (!opens) client.Run("SELECT INBOX");
                Milliseconds(client, commands);
                double[] times = [.. Enumerable.Range(0, Times).Select(_ => Milliseconds(client, commands)).Order()];
                Note(name, times[Times / 2] / (opens ? 1 : commands.Length));
                if (!opens) client.Run("UNSELECT");
            }

            count += Times + 1; // the copies of one

            void Note(string name, double milliseconds)
            {
                if (!found.TryGetValue(name, out List<(double, double)>? points)) found[name] = points = [];
                points.Add((size, Math.Max(milliseconds, 0.01)));
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{size} messages: {name} {milliseconds:F2} ms"));
            }
        }

        server.End();
        return new("Commands in a mailbox that grows", "messages", "ms", [.. found.Select(one => new Curve(one.Key, one.Value))]);
    }

    private void Grow(ref int count, int size)
    {
        using ImapClient client = LogIn();
        client.Run("SELECT INBOX");
        while (count < size)
        {
            int some = Math.Min(Math.Min(count, 10_000), size - count);
            client.Run(string.Create(CultureInfo.InvariantCulture, $"COPY 1:{some} INBOX"));
            count += some;
        }
    }

    private ImapClient LogIn()
    {
        ImapClient client = new(server.ImapPort);
        client.Run($"LOGIN {User} pass");
        return client;
    }

    private static double Milliseconds(ImapClient client, string[] commands)
    {
        long started = Stopwatch.GetTimestamp();
        foreach (string command in commands) client.Run(command);
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static byte[] Message(int i) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"From: a{i}@example.org\r\nTo: user0@bench.test\r\nSubject: number {i}\r\nMessage-ID: <{i}@example.org>\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\n\r\nThis is {i}.\r\n"));
}
