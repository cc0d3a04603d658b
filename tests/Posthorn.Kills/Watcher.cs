using System.Globalization;

namespace Posthorn.Kills;

/// <summary>Looks at what arrives, as a mail program does: whatever it was shown must stay, acknowledged or not.</summary>
internal sealed class Watcher(Load load, AccountLedger account)
{
    private uint _next = 1;

    public async Task WorkAsync()
    {
        BoxLedger inbox = account.Boxes["INBOX"];
        await using ImapClient client = await ImapClient.LogInAsync(load.Port("imap"), account.Account);
        await client.AskAsync("SELECT INBOX (CONDSTORE)");
        _next = inbox.HighestUid + 1;
        while (!load.IsEnding)
        {
            ImapAnswer answer = await client.AskAsync(string.Create(CultureInfo.InvariantCulture, $"UID FETCH {_next}:* (UID BODY.PEEK[HEADER.FIELDS (X-Posthorn-Kill)])"));
            foreach (ImapLine line in answer.Lines)
            {
                if (line.Literals.Count != 1) continue;
                uint uid = ImapClient.UidOf(line.Text);
                if (Letter.TryReadId(line.Literals[0], out long id)) account.Told(inbox, uid, id);
                else load.Ledger.SayLie($"{account.Account.LocalPart} INBOX: UID {uid} is no letter of ours");
                _next = Math.Max(_next, uid + 1);
            }
            await Task.Delay(20);
        }
    }
}
