using System.Globalization;

namespace Posthorn.Kills;

/// <summary>Adds messages by APPEND: one, several pipelined, several in one command.</summary>
internal sealed class AppendWorker(Load load, int number, AccountLedger account)
{
    private readonly Random _random = load.RandomFor(number);

    public async Task WorkAsync()
    {
        await using ImapClient client = await ImapClient.LogInAsync(load.Port("imap"), account.Account);
        while (!load.IsEnding)
        {
            BoxLedger box = account.Boxes[_random.Next(2) == 0 ? "INBOX" : "Archive"];
            await AppendAsync(client, load, account, box, _random.Next(3) == 0 ? 1 : _random.Next(2, 8), together: _random.Next(2) == 0);
        }
    }

    /// <summary>Appends so many new letters, by one command or by as many pipelined ones.</summary>
    public static async Task AppendAsync(ImapClient client, Load load, AccountLedger account, BoxLedger box, int count, bool together)
    {
        (long Id, byte[] Bytes)[] letters = [.. Enumerable.Range(0, count).Select(_ => load.Ledger.NewLetter(load.Seed, account.Account.Address))];
        foreach ((long id, _) in letters) account.Expect(id);
        if (together)
        {
            long[] all = account.Together($"APPEND to {box.Name}", [.. letters.Select(l => l.Id)]);
            await client.SendAsync($"APPEND {box.Name}", letters.Select(l => (" ", l.Bytes)));
            ImapAnswer answer = await client.AnswerAsync();
            account.Answered(all);
            Take(answer, load, account, box, letters);
            return;
        }
        foreach ((long id, byte[] bytes) in letters) await client.SendAsync($"APPEND {box.Name}", [(" (\\Seen) ", bytes)]);
        foreach ((long, byte[]) letter in letters) Take(await client.AnswerAsync(), load, account, box, [letter]);
    }

    private static void Take(ImapAnswer answer, Load load, AccountLedger account, BoxLedger box, (long Id, byte[] Bytes)[] letters)
    {
        load.Ledger.Count(answer.IsOk ? letters.Length : 0, answer.IsOk ? 0 : letters.Length);
        string[]? code = answer.Code("APPENDUID");
        List<uint> uids = code is null ? [] : ImapClient.Numbers(code[1]);
        if (answer.IsOk && (uids.Count != letters.Length || uint.Parse(code![0], CultureInfo.InvariantCulture) != box.Validity && box.Validity != 0))
            load.Ledger.SayLie($"{account.Account.LocalPart} {box.Name}: {letters.Length} appended, UIDVALIDITY {box.Validity}, and the answer was {answer.Text}");
        for (int i = 0; i < letters.Length; i++)
        {
            if (!answer.IsOk) account.Withdraw(letters[i].Id);
            else
            {
                account.Acknowledge(letters[i].Id);
                if (i < uids.Count) account.Told(box, uids[i], letters[i].Id);
            }
        }
    }
}
