using System.Globalization;
using CsCheck;
using Posthorn.Core;
using Posthorn.Store;
using Posthorn.Testing;

namespace Posthorn.Imap.Tests.Session;

/// <summary>Several sessions and deliveries on one mailbox; each client's view, made of responses alone, is compared with the truth.</summary>
public sealed class ManySessionsTests
{
    private const int Clients = 5;
    private const int Rounds = 40;

    [Fact]
    public Task Every_client_sees_the_truth() =>
        Gen.Int.SampleAsync(seed => PlayAsync(seed, new ImapHost()), iter: 25, threads: 1);

    [Fact]
    public Task Every_client_sees_the_truth_of_Maildirs() =>
        Gen.Int.SampleAsync(seed => PlayAsync(seed, new ImapHost(new TemporaryFolder())), iter: 2, threads: 1);

    private static async Task PlayAsync(int seed, ImapHost host)
    {
        Random random = new(seed);
        await using ImapHost disposed = host;
        await host.GivenAsync("INBOX has 5 messages");
        await host.GivenAsync("selected INBOX");
        List<Client> clients = [];
        for (int i = 0; i < Clients; i++)
        {
            Client client = new(host.Connect(ReadSplit.Random(seed + i)));
            clients.Add(client);
            // The prelude's SELECT was swallowed: ask for all that is there.
            for (int n = 0; n < 5; n++) client.Uids.Add(0);
            // The last ones know CONDSTORE and QRESYNC: the same news comes in other words.
            if (i >= Clients - 2) Assert.StartsWith("OK", await client.SayAsync(i == Clients - 1 ? "ENABLE QRESYNC" : "ENABLE CONDSTORE"), StringComparison.Ordinal);
            await client.SayAsync("FETCH 1:* (UID FLAGS)", mayExpunge: false);
        }
        for (int round = 0; round < Rounds; round++)
        {
            List<(Client Client, bool MayExpunge)> sent = [];
            foreach (Client client in clients.Where(_ => random.Next(3) > 0).ToList())
            {
                if (client.IsIdling) await client.DoneAsync();
                (string command, bool mayExpunge) = Command(random, client);
                if (command == "IDLE")
                {
                    await client.IdleAsync();
                    continue;
                }
                await client.SendAsync(command);
                sent.Add((client, mayExpunge));
            }
            if (random.Next(3) == 0) await host.GivenAsync("INBOX has 1 messages");
            foreach ((Client client, bool mayExpunge) in sent)
                Assert.DoesNotContain("SERVERBUG", await client.FinishAsync(mayExpunge), StringComparison.Ordinal);
            if (round % 8 == 7) await CompareAsync(host, clients);
        }
        await CompareAsync(host, clients);
    }

    private static (string Command, bool MayExpunge) Command(Random random, Client client)
    {
        int count = client.Uids.Count;
        string number = count == 0 ? "1:*" : random.Next(3) == 0 ? "1:*" : (random.Next(count) + 1).ToString(CultureInfo.InvariantCulture);
        string flag = random.Next(5) switch { 0 => "\\Seen", 1 => "\\Flagged", 2 => "$Work", _ => "\\Deleted" };
        string sign = random.Next(3) switch { 0 => "-", 1 => "", _ => "+" };
        uint[] known = [.. client.Uids.Where(uid => uid != 0)];
        uint some = known.Length == 0 ? 1 : known[random.Next(known.Length)];
        return random.Next(13) switch
        {
            0 => ("NOOP", true),
            1 or 2 => ($"STORE {number} {sign}FLAGS ({flag})", false),
            3 => ($"UID STORE {some} {sign}FLAGS ({flag})", true),
            4 => ($"FETCH {number} (UID FLAGS)", false),
            5 => ($"UID FETCH 1:* (FLAGS)", true),
            6 => ("EXPUNGE", true),
            7 => ($"UID EXPUNGE {some}", true),
            8 => ("SEARCH ALL", false),
            9 => ($"COPY {number} INBOX", true),
            10 => ($"UID MOVE {some} Archive", true),
            11 => ($"FETCH {number} (UID BODY.PEEK[]<0.0>)", false),
            _ => ("IDLE", true),
        };
    }

    private static async Task CompareAsync(ImapHost host, List<Client> clients)
    {
        IMailStore store = await host.StoreAsync();
        await using IMailbox box = (await store.OpenMailboxAsync(MailboxName.Inbox, true, default)).Value;
        foreach (Client client in clients)
        {
            if (client.IsIdling) await client.DoneAsync();
            else await client.SayAsync("NOOP");
            Assert.Equal(box.Current.Count, client.Uids.Count);
            for (int i = 0; i < client.Uids.Count; i++)
            {
                MessageRow row = box.Current[i];
                if (client.Uids[i] != 0) Assert.Equal(row.Uid.Value, client.Uids[i]);
                if (client.Uids[i] != 0 && client.Flags.TryGetValue(row.Uid.Value, out string? flags)) Assert.Equal(FlagsOf(row), flags);
            }
            if (client.Uids.Count > 0) await client.SayAsync("FETCH 1:* (UID FLAGS)", mayExpunge: false);
            Assert.DoesNotContain(0u, client.Uids);
        }
    }

    private static string FlagsOf(MessageRow row) => Client.Normal(string.Join(' ',
        Enum.GetValues<SystemFlags>().Where(flag => flag != SystemFlags.None && row.Flags.HasFlag(flag)).Select(flag => $"\\{flag}").Concat(row.Keywords.Select(k => k.Name))));
}
