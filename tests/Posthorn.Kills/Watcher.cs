using System.Globalization;

namespace Posthorn.Kills;

/// <summary>Looks at what arrives and changes, as a mail program does that synchronises with QRESYNC: whatever it was shown must stay, acknowledged or not.</summary>
internal sealed class Watcher(Load load, AccountLedger account)
{
    public async Task WorkAsync()
    {
        BoxLedger inbox = account.Boxes["INBOX"];
        MailView view = account.View;
        await using ImapClient client = await ImapClient.LogInAsync(load.Port("imap"), account.Account);
        await client.AskAsync("ENABLE QRESYNC");
        ImapAnswer opened = await client.AskAsync(string.Create(CultureInfo.InvariantCulture, $"SELECT INBOX (QRESYNC ({inbox.Validity} {view.ModSeq}))"));
        view.Apply(opened.Lines);
        while (!load.IsEnding)
        {
            ImapAnswer answer = await client.AskAsync(string.Create(CultureInfo.InvariantCulture, $"UID FETCH {view.Next}:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Posthorn-Kill)])"));
            foreach (ImapLine line in answer.Lines.Where(l => l.Literals.Count == 1))
            {
                uint uid = ImapClient.UidOf(line.Text);
                if (Letter.TryReadId(line.Literals[0], out long id)) account.Told(inbox, uid, id);
                else load.Ledger.SayLie($"{account.Account.LocalPart} INBOX: UID {uid} is no letter of ours");
            }
            foreach (ImapLine line in answer.Lines) view.Apply([line], askedForNew: line.Literals.Count == 1);
            ImapAnswer news = await client.AskAsync("NOOP");
            view.Apply(news.Lines);
            view.Commit();
            await Task.Delay(20);
        }
    }
}
