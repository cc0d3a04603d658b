using System.Globalization;

namespace Posthorn.Kills;

/// <summary>Makes mailboxes, puts mail into them, renames and deletes them.</summary>
internal sealed class FolderWorker(Load load, int number, AccountLedger account)
{
    private const string Prefix = "Made-";

    /// <summary>So many stay; the oldest go.</summary>
    private const int Enough = 12;

    private readonly Random _random = load.RandomFor(number);
    private int _made;

    public async Task WorkAsync()
    {
        await using ImapClient client = await ImapClient.LogInAsync(load.Port("imap"), account.Account);
        while (!load.IsEnding)
        {
            BoxLedger[] mine = [.. account.Boxes.Values.Where(b => b.Name.StartsWith(Prefix, StringComparison.Ordinal))];
            if (mine.Length > Enough) await DeleteAsync(client, mine[_random.Next(mine.Length)]);
            else if (mine.Length > 0 && _random.Next(2) == 0) await RenameAsync(client, mine[_random.Next(mine.Length)]);
            else await CreateAsync(client);
        }
    }

    private string NewName() => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{load.Round}-{number}-{++_made}");

    private async Task CreateAsync(ImapClient client)
    {
        BoxLedger box = account.AddBox(NewName());
        if (!await DoAsync(client, $"CREATE {box.Name}")) return;
        box.MayBeAbsent = false;
        await AppendWorker.AppendAsync(client, load, account, box, _random.Next(1, 3), together: false);
    }

    private async Task RenameAsync(ImapClient client, BoxLedger box)
    {
        box.NewName = NewName();
        if (await DoAsync(client, $"RENAME {box.Name} {box.NewName}")) account.Renamed(box);
    }

    private async Task DeleteAsync(ImapClient client, BoxLedger box)
    {
        List<(uint Uid, long Id)> all = account.Claim(box, _random, int.MaxValue / 2);
        account.Leaving(box, all, forGood: true);
        box.MayBeAbsent = true;
        if (!await DoAsync(client, $"DELETE {box.Name}")) return;
        account.Left(box, all, forGood: true);
        account.RemoveBox(box);
    }

    private async Task<bool> DoAsync(ImapClient client, string command)
    {
        ImapAnswer answer = await client.AskAsync(command);
        if (!answer.IsOk) load.Ledger.SayLie($"{account.Account.LocalPart}: {command} was answered with {answer.Text}");
        return answer.IsOk;
    }
}
