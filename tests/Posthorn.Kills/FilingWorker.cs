using System.Globalization;

namespace Posthorn.Kills;

/// <summary>Files, copies, flags and removes what is there.</summary>
internal sealed class FilingWorker(Load load, int number, AccountLedger account)
{
    /// <summary>Mailboxes are kept near this size, so that reading them back takes no longer in the last round than in the first.</summary>
    private const int Enough = 1500;

    private static readonly string[] Names = ["INBOX", "Archive", "Trash"];
    private readonly Random _random = load.RandomFor(number);

    public async Task WorkAsync()
    {
        await using ImapClient client = await ImapClient.LogInAsync(load.Port("imap"), account.Account);
        while (!load.IsEnding)
        {
            BoxLedger box = account.Boxes[Names[_random.Next(3)]], other = account.Boxes[Names[_random.Next(3)]];
            await MustAsync(client, $"SELECT {box.Name}");
            for (int left = _random.Next(1, 6); left > 0 && !load.IsEnding; left--) await FileAsync(client, box, other);
        }
    }

    private async Task FileAsync(ImapClient client, BoxLedger box, BoxLedger other)
    {
        bool full = box.Idle.Count > Enough;
        List<(uint Uid, long Id)> claimed = account.Claim(box, _random, full ? 300 : _random.Next(1, 20));
        // Other sessions were told of these messages: from here on this one knows them too.
        await MustAsync(client, "NOOP");
        if (claimed.Count == 0)
        {
            await Task.Delay(10);
            return;
        }
        claimed.Sort();
        string uids = string.Join(',', claimed.Select(c => c.Uid.ToString(CultureInfo.InvariantCulture)));
        switch (full ? 9 : _random.Next(8))
        {
            case 0 or 1 or 2:
                await CopyAsync(client, box, other, claimed, uids);
                break;
            case 3 or 4 when box != other:
                await MoveAsync(client, box, other, claimed, uids);
                break;
            case 5 or 6:
                await MustAsync(client, $"UID STORE {uids} {(_random.Next(2) == 0 ? "+" : "-")}FLAGS.SILENT (\\Flagged \\Seen $Kept)");
                account.Release(box, claimed);
                break;
            default:
                await RemoveAsync(client, box, claimed, uids);
                break;
        }
    }

    private async Task CopyAsync(ImapClient client, BoxLedger box, BoxLedger other, List<(uint Uid, long Id)> claimed, string uids)
    {
        foreach ((_, long id) in claimed) account.Expect(id);
        long[] all = account.Together($"COPY from {box.Name} to {other.Name}", [.. claimed.Select(c => c.Id)]);
        ImapAnswer answer = await client.AskAsync($"UID COPY {uids} {other.Name}");
        account.Answered(all);
        foreach ((_, long id) in claimed)
        {
            if (answer.IsOk) account.Acknowledge(id);
            else account.Withdraw(id);
        }
        if (answer.IsOk) Placed(answer, other, claimed);
        load.Ledger.Count(answer.IsOk ? claimed.Count : 0, answer.IsOk ? 0 : claimed.Count);
        account.Release(box, claimed);
    }

    private async Task MoveAsync(ImapClient client, BoxLedger box, BoxLedger other, List<(uint Uid, long Id)> claimed, string uids)
    {
        account.Leaving(box, claimed, forGood: false);
        ImapAnswer answer = await client.AskAsync($"UID MOVE {uids} {other.Name}");
        if (answer.IsOk)
        {
            Placed(answer, other, claimed);
            account.Left(box, claimed, forGood: false);
        }
        else account.Release(box, claimed);
    }

    private async Task RemoveAsync(ImapClient client, BoxLedger box, List<(uint Uid, long Id)> claimed, string uids)
    {
        await MustAsync(client, $"UID STORE {uids} +FLAGS.SILENT (\\Deleted)");
        account.Leaving(box, claimed, forGood: true);
        await MustAsync(client, $"UID EXPUNGE {uids}");
        account.Left(box, claimed, forGood: true);
    }

    private void Placed(ImapAnswer answer, BoxLedger other, List<(uint Uid, long Id)> claimed)
    {
        string[]? code = answer.Code("COPYUID");
        List<uint> from = code is null ? [] : ImapClient.Numbers(code[1]), to = code is null ? [] : ImapClient.Numbers(code[2]);
        if (!from.SequenceEqual(claimed.Select(c => c.Uid)) || to.Count != from.Count)
        {
            load.Ledger.SayLie($"{account.Account.LocalPart} to {other.Name}: UIDs {string.Join(',', claimed.Select(c => c.Uid))} were asked for and the answer was {answer.Text} {string.Join(" / ", answer.Lines.Select(l => l.Text))}");
            return;
        }
        for (int i = 0; i < to.Count; i++) account.Told(other, to[i], claimed[i].Id);
    }

    private async Task MustAsync(ImapClient client, string command)
    {
        ImapAnswer answer = await client.AskAsync(command);
        if (!answer.IsOk) load.Ledger.SayLie($"{account.Account.LocalPart}: {command} was answered with {answer.Text}");
    }
}
